package domain

import (
	"reflect"
	"slices"
)

// DisclosedEvent returns an event of the agreement or of one of its projects as a partner may see it (R5), and
// whether this is less than the event contains. The partner is a reader of the event.
func (a *Agreement) DisclosedEvent(payload Payload, subject string, partner PartnerID) (shown Payload, reduced bool) {
	confidential, ok := payload.(instrumentPayload)
	if !ok {
		return payload, false
	}
	shown = confidential.disclosed(disclosure{a, partner, InstrumentID(subject)})
	return shown, !reflect.DeepEqual(payload, shown)
}

// instrumentPayload is a payload that contains instruments or refers to them.
type instrumentPayload interface {
	Payload
	disclosed(to disclosure) Payload
}

// disclosure is a partner to whom an event is shown. Subject is the instrument of an event about an instrument.
type disclosure struct {
	agreement *Agreement
	partner   PartnerID
	subject   InstrumentID
}

// instruments reduces instruments of an event that the partner sees as a party, or else as invited.
func (d disclosure) instruments(list []Instrument, party bool) []Instrument {
	list = slices.Clone(list)
	for i, instrument := range list {
		list[i] = instrument.reducedTo(instrument.detailFor(d.partner, party))
	}
	return list
}

// detail returns how much of the subject the partner may see. An instrument that was removed from a draft is not
// hidden from those that saw the event.
func (d disclosure) detail() Detail {
	if instrument := d.agreement.Instrument(d.subject); instrument != nil {
		return d.agreement.DetailFor(instrument, d.partner)
	}
	return DetailFull
}

func (d disclosure) plan(plan Plan) Plan {
	plan.Instrument, plan.ScheduleItem, plan.Clause = d.agreement.DisclosedRefs(d.partner, plan.Instrument, plan.ScheduleItem, plan.Clause)
	return plan
}

func (d disclosure) instrument(id InstrumentID) InstrumentID {
	id, _, _ = d.agreement.DisclosedRefs(d.partner, id, "", "")
	return id
}

func (e InstrumentAdded) disclosed(to disclosure) Payload {
	e.Instrument = e.Instrument.reducedTo(e.Instrument.detailFor(to.partner, true))
	return e
}

func (e InstrumentEdited) disclosed(to disclosure) Payload {
	e.To = e.To.reducedTo(e.To.detailFor(to.partner, true))
	e.From = e.From.reducedTo(e.From.detailFor(to.partner, true))
	return e
}

func (e InstrumentRemoved) disclosed(to disclosure) Payload {
	e.Instrument = e.Instrument.reducedTo(e.Instrument.detailFor(to.partner, true))
	return e
}

func (e InstrumentNoted) disclosed(to disclosure) Payload {
	if to.detail() == DetailKind {
		e.Title = ""
	}
	return e
}

func (e ItemMoved) disclosed(to disclosure) Payload {
	if to.detail() != DetailFull {
		return ItemMoved{}
	}
	return e
}

func (e PartiesAdded) disclosed(to disclosure) Payload {
	e.Instruments = to.instruments(e.Instruments, true)
	return e
}

func (e PartyInvited) disclosed(to disclosure) Payload {
	e.Instruments = to.instruments(e.Instruments, !slices.Contains(e.Partners, to.partner))
	e.Changes = to.agreement.DisclosedChanges(to.partner, e.Changes)
	return e
}

func (e AgreementAmended) disclosed(to disclosure) Payload {
	e.Added = to.instruments(e.Added, slices.Contains(e.To.Parties, to.partner))
	e.Ended = to.agreement.disclosedEnds(to.partner, e.Ended)
	return e
}

func (e AmendmentProposed) disclosed(to disclosure) Payload {
	e.Changes = to.agreement.DisclosedChanges(to.partner, e.Changes)
	return e
}

func (e AmendmentVoided) disclosed(to disclosure) Payload {
	e.Ground.Instrument = to.instrument(e.Ground.Instrument)
	return e
}

func (e ProjectCreated) disclosed(to disclosure) Payload {
	e.Instrument = to.instrument(e.Instrument)
	return e
}

func (e ProjectEdited) disclosed(to disclosure) Payload {
	e.To.Instrument, e.From.Instrument = to.instrument(e.To.Instrument), to.instrument(e.From.Instrument)
	return e
}

func (e StageCalled) disclosed(to disclosure) Payload {
	if e.Call.Edit != nil {
		edit := *e.Call.Edit
		edit.To.Instrument, edit.From.Instrument = to.instrument(edit.To.Instrument), to.instrument(edit.From.Instrument)
		e.Call.Edit = &edit
	}
	return e
}

func (e MilestonePlanned) disclosed(to disclosure) Payload {
	e.Plan = to.plan(e.Plan)
	return e
}

func (e MilestoneEdited) disclosed(to disclosure) Payload {
	e.To, e.From = to.plan(e.To), to.plan(e.From)
	return e
}

func (e MilestoneShared) disclosed(to disclosure) Payload {
	e.Plan = to.plan(e.Plan)
	return e
}

func (e ChangeProposed) disclosed(to disclosure) Payload {
	e.Milestones = slices.Clone(e.Milestones)
	for i, proposed := range e.Milestones {
		proposed.From, proposed.To = to.agreement.DisclosedFields(to.partner, proposed.From), to.agreement.DisclosedFields(to.partner, proposed.To)
		e.Milestones[i] = proposed
	}
	return e
}

func (e MilestoneAgreed) disclosed(to disclosure) Payload {
	e.To, e.From = to.agreement.DisclosedFields(to.partner, e.To), to.agreement.DisclosedFields(to.partner, e.From)
	return e
}
