package webhooks

import (
	"tandem/domain"
	"tandem/projections/sentences"
)

// stateStyle is how an event's state is shown.
type stateStyle struct {
	tone Tone
	word string // of a text named "state.…"
}

// milestoneStyle shows the milestone's state, whatever the event; notice is for what has no state.
var (
	milestoneStyle = stateStyle{}
	neutralStyle   = stateStyle{Neutral, "notice"}
)

// eventStyles says of every event type how its state is shown; a test fails on one that is missing.
var eventStyles = map[string]stateStyle{
	"partner.created": neutralStyle, "partner.edited": neutralStyle, "partner.notice_dismissed": neutralStyle,
	"member.added": neutralStyle, "member.edited": neutralStyle, "member.removed": neutralStyle,
	"token.issued": neutralStyle, "token.revoked": neutralStyle,
	"webhook.added": neutralStyle, "webhook.edited": neutralStyle, "webhook.secret_rotated": neutralStyle, "webhook.removed": neutralStyle,
	"webhook.disabled": {Bad, "disabled"}, "webhook.enabled": neutralStyle, "webhook.test_requested": neutralStyle,
	"webhook.redelivery_requested": neutralStyle, "webhook.replay_requested": neutralStyle,

	"agreement.drafted": {Neutral, "draft"}, "agreement.edited": {Neutral, "draft"},
	"agreement.signed": {Good, "signed"}, "agreement.activated": {Good, "in_force"},
	"agreement.termination_called": {Warning, "proposed"}, "agreement.notice_given": {Warning, "notice"},
	"agreement.terminated": {Warning, "agreed"}, "agreement.parties_added": {Neutral, "draft"}, "project.participants_added": neutralStyle,
	"agreement.party_invited": {Warning, "proposed"}, "agreement.amended": {Good, "in_force"},
	"amendment.proposed": {Warning, "proposed"}, "amendment.signed": {Good, "signed"}, "amendment.rejected": {Bad, "rejected"},
	"amendment.withdrawn": {Neutral, "withdrawn"}, "amendment.voided": {Warning, "void"},
	"instrument.added": neutralStyle, "instrument.item_moved": neutralStyle, "instrument.noted": neutralStyle,

	"project.created": neutralStyle, "project.edited": neutralStyle, "project.stage_called": {Neutral, "proposed"},
	"project.stage_changed": neutralStyle, "project.decide_by_moved": {Warning, "moved"},

	"change.proposed": {Warning, "proposed"}, "change.approved": {Good, "approved"}, "change.rejected": {Bad, "rejected"},
	"change.withdrawn": {Neutral, "withdrawn"}, "change.voided": {Warning, "void"},

	"milestone.agreed": {Good, "agreed"}, "milestone.planned": milestoneStyle, "milestone.edited": milestoneStyle, "milestone.started": milestoneStyle,
	"milestone.progressed": milestoneStyle, "milestone.assessed": milestoneStyle, "milestone.evidence_kept": milestoneStyle, "milestone.forecast_moved": milestoneStyle, "milestone.delivered": milestoneStyle,
	"milestone.delivery_withdrawn": milestoneStyle, "milestone.accepted": milestoneStyle, "milestone.conditionally_accepted": milestoneStyle,
	"milestone.condition_closed": milestoneStyle, "milestone.rejected": {Bad, "rejected"}, "milestone.disputed": {Bad, "disputed"},
	"milestone.outcome_named": {Warning, "disputed"}, "milestone.settled": milestoneStyle, "milestone.cancelled": {Bad, "cancelled"},
	"milestone.waived": milestoneStyle, "milestone.shared": milestoneStyle, "milestone.published": milestoneStyle, "milestone.commented": milestoneStyle,
}

// stageStyles are the manners of projects.
var stageStyles = map[domain.Stage]stateStyle{
	domain.Exploring: {Neutral, "exploring"}, domain.Committed: {Good, "committed"}, domain.Active: {Good, "active"},
	domain.Paused: {Warning, "paused"}, domain.Completed: {Good, "completed"}, domain.Stopped: {Bad, "stopped"},
}

// milestoneStyles are the manners of milestones.
var milestoneStyles = map[domain.MilestoneState]stateStyle{
	domain.Planned: {Neutral, "planned"}, domain.InProgress: {Neutral, "in_progress"}, domain.Delivered: {Neutral, "delivered"},
	domain.ConditionallyAccepted: {Warning, "conditionally_accepted"}, domain.Accepted: {Good, "accepted"},
	domain.Disputed: {Bad, "disputed"}, domain.Waived: {Neutral, "waived"}, domain.Cancelled: {Neutral, "cancelled"},
}

// state is how things stand after the event.
func (in ContentInput) state(book *sentences.Book) State {
	style := eventStyles[in.Type]
	switch e := in.Payload.(type) {
	case domain.ProjectCreated:
		style = stageStyles[e.Stage]
	case domain.StageChanged:
		style = stageStyles[e.To]
	}
	translate := func(word string) string { return book.Text(in.Language, "state."+word, nil) }
	if style != milestoneStyle {
		return State{translate(style.word), style.tone}
	}
	if style = milestoneStyles[in.State]; style == milestoneStyle {
		return State{translate(neutralStyle.word), neutralStyle.tone}
	}
	state := State{translate(style.word), style.tone}
	if in.State != domain.Planned && in.State != domain.InProgress {
		return state
	}
	comma := ", "
	if in.Language == sentences.Chinese {
		comma = "，"
	}
	switch {
	case in.Overdue:
		return State{state.Word + comma + translate("overdue"), Bad}
	case in.Health == domain.Amber:
		return State{state.Word + comma + translate("amber"), Warning}
	case in.Health == domain.Red:
		return State{state.Word + comma + translate("red"), Bad}
	case in.Health == domain.Green:
		state.Tone = Good
	}
	return state
}
