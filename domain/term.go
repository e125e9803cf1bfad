package domain

import "slices"

// TermKind says when an agreement or an instrument ends. An undisclosed term has a last day that Tandem does not
// hold (R5), so it does not read as "no end". Only undisclosed is stored; the others follow from the last day.
//
// R2: an agreement is pending from the last signature until its effective date. While it is pending, no work is
// planned or started under it, because the parties are not bound yet; they can amend and terminate it.
//
// R4: the instruments of an agreement begin and end within it; one without a last day ends with its agreement at
// the latest. An instrument that has ended or not begun carries no new project or milestone. Dates count in UTC.
type TermKind string

// The kinds of term.
const (
	TermFixed       TermKind = "fixed"
	TermOpenEnded   TermKind = "open_ended"
	TermUndisclosed TermKind = "undisclosed"
)

// TermOf returns the kind of a term from its stored kind and its last day.
func TermOf(stored TermKind, lastDay Date) TermKind {
	switch {
	case lastDay != 0:
		return TermFixed
	case stored == TermUndisclosed:
		return TermUndisclosed
	}
	return TermOpenEnded
}

// toStore returns the kind as it is stored.
func (k TermKind) toStore() TermKind {
	if k == TermUndisclosed {
		return k
	}
	return ""
}

// TermKind returns the kind of the agreement's term.
func (t Terms) TermKind() TermKind { return TermOf(t.Term, t.ExpiresOn) }

// TermKind returns the kind of the instrument's term.
func (i *Instrument) TermKind() TermKind { return TermOf(i.Term, i.ExpiresOn) }

// term validates the kind of a term as given in a command; empty: it follows from the last day.
func (v *validation) term(field string, kind TermKind, lastDay Date) {
	switch kind {
	case "":
	case TermFixed:
		if lastDay == 0 {
			v.add(field, "a fixed term needs its last day; set expires_on")
		}
	case TermOpenEnded, TermUndisclosed:
		if lastDay != 0 {
			v.add(field, "a term that is %s has no last day; leave expires_on out", Term(kind))
		}
	default:
		v.add(field, "%q is unknown; use fixed, open_ended or undisclosed", kind)
	}
}

// mergeTerm replaces the kind and the last day of a term by those of a command that are not nil. NoEnd removes the
// last day.
func mergeTerm(kind *TermKind, lastDay *Date, toKind *TermKind, toLastDay *Date, noEnd bool) {
	switch {
	case toKind != nil:
		*kind = *toKind
		if *toKind != TermFixed {
			*lastDay = 0
		}
	case toLastDay != nil || noEnd:
		*kind = ""
	}
	set(lastDay, toLastDay)
	if noEnd {
		*lastDay = 0
	}
}

// within refuses an instrument that does not lie within the agreement's term.
func (v *validation) within(instrument *Instrument, terms Terms) {
	if instrument.EffectiveOn != 0 && instrument.EffectiveOn < terms.EffectiveOn {
		v.add("effective_on", "must not be before the agreement's, %s", terms.EffectiveOn)
	}
	if terms.ExpiresOn != 0 && instrument.ExpiresOn > terms.ExpiresOn {
		v.add("expires_on", "must not be after the agreement's last day, %s", terms.ExpiresOn)
	}
}

// instrumentsWithin refuses terms that would leave an instrument outside, of those that lie within the present terms
// and that the partner sees in full. Those moved by the amendment itself are left out.
func (v *validation) instrumentsWithin(agreement *Agreement, partner PartnerID, to Terms, moved []InstrumentEnd) {
	for i := range agreement.Instruments {
		instrument := &agreement.Instruments[i]
		var before, after validation
		before.within(instrument, agreement.Terms)
		after.within(instrument, to)
		isMoved := slices.ContainsFunc(moved, func(end InstrumentEnd) bool { return end.ID == instrument.ID })
		if len(before) > 0 || len(after) == 0 || isMoved || agreement.DetailFor(instrument, partner) != DetailFull {
			continue
		}
		if after[0].Field == "effective_on" {
			v.add("effective_on", "instrument %s begins earlier, on %s; change it first", instrument.ID, instrument.EffectiveOn)
			continue
		}
		v.add("expires_on", "instrument %s ends later, on %s; end it with the agreement", instrument.ID, instrument.ExpiresOn)
	}
}

// requireInstrumentsWithin refuses to sign a draft with an instrument that does not lie within it. Each party checks
// the instruments that it sees in full.
func (a *Agreement) requireInstrumentsWithin(dc DecisionContext) error {
	for i := range a.Instruments {
		var check validation
		check.within(&a.Instruments[i], a.Terms)
		if len(check) > 0 && a.DetailFor(&a.Instruments[i], dc.Actor.Partner) == DetailFull {
			return conflict("instrument_outside", "Instrument %s does not lie within agreement %s (%s); change it first.", a.Instruments[i].ID, a.ID, check[0])
		}
	}
	return nil
}

// instrumentRunning refuses new work under an instrument that has ended or not begun, if the actor sees its dates.
func (v *validation) instrumentRunning(agreement *Agreement, id InstrumentID, dc DecisionContext) {
	instrument, today := agreement.Instrument(id), DateOf(dc.At.UTC())
	switch {
	case instrument == nil || agreement.DetailFor(instrument, dc.Actor.Partner) != DetailFull:
	case today < instrument.EffectiveOn:
		v.add("instrument", "%s takes effect on %s and carries no work before; name another", id, instrument.EffectiveOn)
	case instrument.ExpiresOn != 0 && today > instrument.ExpiresOn:
		v.add("instrument", "%s ended on %s and carries no new work; name another", id, instrument.ExpiresOn)
	}
}
