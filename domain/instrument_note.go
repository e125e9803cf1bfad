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
func (a *Agreement) Note(instrument InstrumentID, partner PartnerID) string {
	for _, note := range a.Notes {
		if note.Instrument == instrument && note.Partner == partner {
			return note.Text
		}
	}
	return ""
}

// NoteInstrument replaces the acting partner's private note; an empty one removes it.
type NoteInstrument struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
	Note        string       `json:"note"`
}

// InstrumentNoted is about the instrument in its subject. It carries the note after and before.
type InstrumentNoted struct {
	Title string `json:"title"` // of the instrument
	To    string `json:"to"`
	From  string `json:"from,omitempty"`
}

func (c NoteInstrument) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	instrument := agreement.Instrument(c.Instrument)
	if instrument == nil {
		return nil, ErrNotFound()
	}
	var check validation
	check.text("private_note", c.Note, 10000, false)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	partner := dc.Actor.Partner
	return []Event{{string(instrument.ID), PrivateTo(partner), InstrumentNoted{instrument.Title, c.Note, agreement.Note(instrument.ID, partner)}}}, nil
}

func (e InstrumentNoted) apply(world *World, header Header) {
	partner, _ := header.Audience.Private()
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.Notes = upsert(agreement.Notes, InstrumentNote{InstrumentID(header.Subject), partner, e.To}, InstrumentNote.key)
	agreement.Versions.Count(header.Audience, header.RecordedAt)
}
