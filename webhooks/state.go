package webhooks

import (
	"tandem/domain"
	"tandem/projections/sentences"
)

// manner is how an event's state is shown.
type manner struct {
	tone Tone
	word string // of a text named "state.…"
}

// asIs shows the milestone's state, whatever the event; notice is for what has no state.
var (
	asIs   = manner{}
	notice = manner{Neutral, "notice"}
)

// manners says of every event type how its state is shown; a test fails on one that is missing.
var manners = map[string]manner{
	"partner.created": notice, "partner.edited": notice, "partner.notice_dismissed": notice,
	"member.added": notice, "member.edited": notice, "member.removed": notice,
	"token.issued": notice, "token.revoked": notice,
	"webhook.added": notice, "webhook.edited": notice, "webhook.secret_rotated": notice, "webhook.removed": notice,
	"webhook.disabled": {Bad, "disabled"}, "webhook.enabled": notice, "webhook.test_requested": notice,
	"webhook.redelivery_requested": notice, "webhook.replay_requested": notice,

	"agreement.drafted": {Neutral, "draft"}, "agreement.edited": {Neutral, "draft"},
	"agreement.signed": {Good, "signed"}, "agreement.activated": {Good, "in_force"},
	"agreement.termination_called": {Warning, "proposed"}, "agreement.notice_given": {Warning, "notice"},
	"agreement.terminated": {Warning, "agreed"}, "agreement.parties_added": {Neutral, "draft"}, "project.participants_added": notice,
	"agreement.party_invited": {Warning, "proposed"}, "agreement.amended": {Good, "in_force"},
	"amendment.proposed": {Warning, "proposed"}, "amendment.signed": {Good, "signed"}, "amendment.rejected": {Bad, "rejected"},
	"amendment.withdrawn": {Neutral, "withdrawn"}, "amendment.voided": {Warning, "void"},
	"instrument.added": notice, "instrument.item_moved": notice, "instrument.noted": notice,

	"project.created": notice, "project.edited": notice, "project.stage_called": {Neutral, "proposed"},
	"project.stage_changed": notice, "project.decide_by_moved": {Warning, "moved"},

	"change.proposed": {Warning, "proposed"}, "change.approved": {Good, "approved"}, "change.rejected": {Bad, "rejected"},
	"change.withdrawn": {Neutral, "withdrawn"}, "change.voided": {Warning, "void"},

	"milestone.agreed": {Good, "agreed"}, "milestone.planned": asIs, "milestone.edited": asIs, "milestone.started": asIs,
	"milestone.progressed": asIs, "milestone.assessed": asIs, "milestone.evidence_kept": asIs, "milestone.forecast_moved": asIs, "milestone.delivered": asIs,
	"milestone.delivery_withdrawn": asIs, "milestone.accepted": asIs, "milestone.conditionally_accepted": asIs,
	"milestone.condition_closed": asIs, "milestone.rejected": {Bad, "rejected"}, "milestone.disputed": {Bad, "disputed"},
	"milestone.outcome_named": {Warning, "disputed"}, "milestone.settled": asIs, "milestone.cancelled": {Bad, "cancelled"},
	"milestone.waived": asIs, "milestone.shared": asIs, "milestone.published": asIs, "milestone.commented": asIs,
}

// stages are the manners of projects.
var stages = map[domain.Stage]manner{
	domain.Exploring: {Neutral, "exploring"}, domain.Committed: {Good, "committed"}, domain.Active: {Good, "active"},
	domain.Paused: {Warning, "paused"}, domain.Completed: {Good, "completed"}, domain.Stopped: {Bad, "stopped"},
}

// states are the manners of milestones.
var states = map[domain.MilestoneState]manner{
	domain.Planned: {Neutral, "planned"}, domain.InProgress: {Neutral, "in_progress"}, domain.Delivered: {Neutral, "delivered"},
	domain.ConditionallyAccepted: {Warning, "conditionally_accepted"}, domain.Accepted: {Good, "accepted"},
	domain.Disputed: {Bad, "disputed"}, domain.Waived: {Neutral, "waived"}, domain.Cancelled: {Neutral, "cancelled"},
}

// state is how things stand after the event.
func (o Occurrence) state(book *sentences.Book) State {
	m := manners[o.Type]
	switch e := o.Payload.(type) {
	case domain.ProjectCreated:
		m = stages[e.Stage]
	case domain.StageChanged:
		m = stages[e.To]
	}
	say := func(word string) string { return book.Say(o.Language, "state."+word, nil) }
	if m != asIs {
		return State{say(m.word), m.tone}
	}
	if m = states[o.State]; m == asIs {
		return State{say(notice.word), notice.tone}
	}
	s := State{say(m.word), m.tone}
	if o.State != domain.Planned && o.State != domain.InProgress {
		return s
	}
	comma := ", "
	if o.Language == sentences.Chinese {
		comma = "，"
	}
	switch {
	case o.Overdue:
		return State{s.Word + comma + say("overdue"), Bad}
	case o.Health == domain.Amber:
		return State{s.Word + comma + say("amber"), Warning}
	case o.Health == domain.Red:
		return State{s.Word + comma + say("red"), Bad}
	case o.Health == domain.Green:
		s.Tone = Good
	}
	return s
}
