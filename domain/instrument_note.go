package domain

// InstrumentNote is a party's private note on an instrument, for example where it keeps undisclosed terms (R5).
// Only that party sees it (R16). It does not affect signed terms, so a party can write it at any time.
type InstrumentNote struct {
	Instrument InstrumentID
	Partner    PartnerID
	Text       string
}

func (n InstrumentNote) key() string { return string(n.Instrument) + "/" + string(n.Partner) }

// Note returns the partner's private note on an instrument, or "".
func (a *Agreement) Note(instrument InstrumentID, partner PartnerID) string {
	for _, note := range a.Notes {
		if note.Instrument == instrument && note.Partner == partner {
			return note.Text
		}
	}
	return ""
}

// NoteInstrument replaces the acting partner's private note; an empty note removes it.
type NoteInstrument struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
	Note        string       `json:"note"`
}

// InstrumentNoted carries the new and the old note on the instrument named by the event's subject.
type InstrumentNoted struct {
	Title string `json:"title,omitempty"` // of the instrument
	To    string `json:"to"`
	From  string `json:"from,omitempty"`
}

func (c NoteInstrument) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	instrument := agreement.Instrument(c.Instrument)
	if instrument == nil || agreement.DetailFor(instrument, dc.Actor.Partner) == DetailKind {
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
	agreement.Versions.count(header)
}
