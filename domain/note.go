package domain

// InstrumentNote is a party's private word on an instrument, such as where it keeps the terms that are
// undisclosed here (R5). Only that party sees it (R16). It changes nothing that is signed, so it is written at
// any time.
type InstrumentNote struct {
	Instrument InstrumentID
	Partner    PartnerID
	Text       string
}

func (n InstrumentNote) key() string { return string(n.Instrument) + "/" + string(n.Partner) }

// Note returns p's private note on an instrument; empty if it has none.
func (a *Agreement) Note(i InstrumentID, p PartnerID) string {
	for _, n := range a.Notes {
		if n.Instrument == i && n.Partner == p {
			return n.Text
		}
	}
	return ""
}

// NoteInstrument replaces the acting partner's private note; an empty one removes it.
type NoteInstrument struct {
	Agreement  AgreementID  `json:"agreement"`
	Instrument InstrumentID `json:"instrument"`
	Note       string       `json:"note"`
}

// InstrumentNoted is about the instrument in its subject. It carries the note after and before.
type InstrumentNoted struct {
	Title string `json:"title"` // of the instrument
	To    string `json:"to"`
	From  string `json:"from,omitempty"`
}

// Stream implements Command.
func (c NoteInstrument) Stream() Stream { return Stream{Agreement: c.Agreement} }

func (c NoteInstrument) target(s State) *Seen { return seenOf(s.Agreement(c.Agreement)) }

func (c NoteInstrument) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.Agreement, m)
	if err != nil {
		return nil, err
	}
	i := a.Instrument(c.Instrument)
	if i == nil {
		return nil, ErrNotFound()
	}
	var f faults
	f.text("private_note", c.Note, 10000, false)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := a.partyManager(m); err != nil {
		return nil, err
	}
	p := m.Actor.Partner
	return []Event{{string(i.ID), PrivateTo(p), InstrumentNoted{i.Title, c.Note, a.Note(i.ID, p)}}}, nil
}

func (e InstrumentNoted) apply(w *World, h Header) {
	p, _ := h.Audience.Private()
	a := w.editAgreement(h.Stream.Agreement)
	a.Notes = put(a.Notes, InstrumentNote{InstrumentID(h.Subject), p, e.To}, InstrumentNote.key)
	a.Seen.Count(h.Audience, h.RecordedAt)
}
