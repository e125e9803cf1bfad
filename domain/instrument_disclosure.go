package domain

import "slices"

// Detail says how much of an instrument a partner may see (R5):
//
//   - A partner that has a role or an obligation in the instrument sees all of it. An instrument of a kind without
//     roles concerns every party, so all parties see all of it; a partner that is only invited sees it if it is
//     disclosed.
//   - Another partner sees the id, kind, title and roles of a disclosed instrument.
//   - Of an undisclosed one it sees only that an instrument of this kind exists. The id is left out, because it is
//     usually derived from the title.
//
// An instrument that an amendment adds is judged as after the amendment, so a joining partner sees what it signs.
// The same holds for all that refers to an instrument: the plan of a milestone, a project, a change request, an
// amendment, an event, and refusals, which treat an invisible part like one that does not exist.
type Detail string

// The values of Detail.
const (
	DetailKind    Detail = "kind"
	DetailSummary Detail = "summary"
	DetailFull    Detail = "full"
)

// detailFor returns how much of the instrument a partner may see. Party says whether the partner is a party of the
// agreement, and not only invited.
func (i *Instrument) detailFor(partner PartnerID, party bool) Detail {
	switch disclosed := i.Disclosure == Disclosed; {
	case i.namesPartner(partner), len(requiredRoles[i.Kind]) == 0 && (party || disclosed):
		return DetailFull
	case disclosed:
		return DetailSummary
	}
	return DetailKind
}

// DetailFor returns how much of one of the agreement's instruments a partner may see.
func (a *Agreement) DetailFor(instrument *Instrument, partner PartnerID) Detail {
	return instrument.detailFor(partner, a.Party(partner))
}

// instrumentReaders returns the partners that see all of an instrument; nil if all that see the agreement do.
func (a *Agreement) instrumentReaders(instrument *Instrument) []PartnerID {
	readers := slices.DeleteFunc(slices.Clone(a.Readers()), func(partner PartnerID) bool { return a.DetailFor(instrument, partner) != DetailFull })
	if len(readers) == len(a.Readers()) {
		return nil
	}
	return readers
}

// reducedTo returns the part of the instrument that the given detail shows.
func (i Instrument) reducedTo(detail Detail) Instrument {
	switch detail {
	case DetailFull:
		return i
	case DetailSummary:
		return Instrument{ID: i.ID, Kind: i.Kind, Title: i.Title, Roles: i.Roles, Disclosure: i.Disclosure}
	}
	return Instrument{Kind: i.Kind, Disclosure: i.Disclosure}
}

// Detail returns how much of the instrument this copy shows.
func (i *Instrument) Detail() Detail {
	switch {
	case i.ID == "":
		return DetailKind
	case i.EffectiveOn == 0:
		return DetailSummary
	}
	return DetailFull
}

// DisclosedInstrument returns the part of one of the agreement's instruments that a partner may see.
func (a *Agreement) DisclosedInstrument(instrument *Instrument, partner PartnerID) Instrument {
	return instrument.reducedTo(a.DetailFor(instrument, partner))
}

// DisclosedRefs returns the references to an instrument, its schedule item and its clause that a partner may see;
// the others are empty.
func (a *Agreement) DisclosedRefs(partner PartnerID, id InstrumentID, item ItemID, clause string) (InstrumentID, ItemID, string) {
	if id == "" {
		return "", item, clause
	}
	instrument := a.Instrument(id)
	if instrument == nil {
		return "", "", ""
	}
	switch a.DetailFor(instrument, partner) {
	case DetailFull:
		return id, item, clause
	case DetailSummary:
		return id, "", ""
	}
	return "", "", ""
}

// DisclosedFields returns the fields with empty references instead of those that a partner may not see. An item or a
// clause comes with its instrument.
func (a *Agreement) DisclosedFields(partner PartnerID, fields ChangeFields) ChangeFields {
	if fields.Instrument == nil || *fields.Instrument == "" {
		return fields
	}
	id, item, clause := a.DisclosedRefs(partner, *fields.Instrument, "item", "clause")
	if id == "" {
		fields.Instrument = new(InstrumentID(""))
	}
	if item == "" && fields.ScheduleItem != nil {
		fields.ScheduleItem = new(ItemID(""))
	}
	if clause == "" && fields.Clause != nil {
		fields.Clause = new("")
	}
	return fields
}

// DisclosedChanges returns the part of an amendment's changes that a partner may see. Joining says whether the
// amendment makes it a party.
func (a *Agreement) DisclosedChanges(partner PartnerID, changes AmendmentChanges) AmendmentChanges {
	joins := slices.Contains(changes.joiners(), partner)
	changes.AddInstruments = slices.Clone(changes.AddInstruments)
	for i, instrument := range changes.AddInstruments {
		changes.AddInstruments[i] = instrument.reducedTo(instrument.detailFor(partner, joins || a.Party(partner)))
	}
	changes.EndInstruments = a.disclosedEnds(partner, changes.EndInstruments)
	return changes
}

func (a *Agreement) disclosedEnds(partner PartnerID, ends []InstrumentEnd) []InstrumentEnd {
	ends = slices.Clone(ends)
	for i, end := range ends {
		instrument := a.Instrument(end.ID)
		if instrument == nil {
			ends[i] = InstrumentEnd{}
			continue
		}
		if shown := a.DisclosedInstrument(instrument, partner); shown.Detail() != DetailFull {
			ends[i] = InstrumentEnd{ID: shown.ID, Kind: shown.Kind, Title: shown.Title}
		}
	}
	return ends
}
