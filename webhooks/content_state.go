package webhooks

import (
	"tandem/domain"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// stateStyle is the tone and the word of a state.
type stateStyle struct {
	tone formats.Tone
	word string // the key of the text "state.<word>"
}

// milestoneStyle stands for the state of the event's milestone. neutralStyle is for events without a state.
var (
	milestoneStyle = stateStyle{}
	neutralStyle   = stateStyle{formats.Neutral, "notice"}
)

// eventStyles contains every event type; a test fails if one is missing.
var eventStyles = map[string]stateStyle{
	"partner.created": neutralStyle, "partner.edited": neutralStyle, "partner.notice_dismissed": neutralStyle,
	"partner.invitation_created": neutralStyle, "partner.invitation_revoked": neutralStyle, "partner.invitation_redeemed": neutralStyle,
	"name.reserved": neutralStyle, "agreement.party_renamed": {formats.Warning, "notice"},
	"member.added": neutralStyle, "member.edited": neutralStyle, "member.removed": neutralStyle,
	"token.issued": neutralStyle, "token.confirmed": neutralStyle, "token.revoked": neutralStyle,
	"webhook.added": neutralStyle, "webhook.edited": neutralStyle, "webhook.secret_rotated": neutralStyle, "webhook.removed": neutralStyle,
	"webhook.disabled": {formats.Bad, "disabled"}, "webhook.enabled": neutralStyle, "webhook.test_requested": neutralStyle,
	"webhook.redelivery_requested": neutralStyle, "webhook.replay_requested": neutralStyle,

	"agreement.drafted": {formats.Neutral, "draft"}, "agreement.edited": {formats.Neutral, "draft"},
	"agreement.signed": {formats.Good, "signed"}, "agreement.activated": {formats.Good, "in_force"},
	"agreement.declined": {formats.Bad, "declined"}, "agreement.withdrawn": {formats.Neutral, "withdrawn"},
	"agreement.termination_called": {formats.Warning, "proposed"}, "agreement.notice_given": {formats.Warning, "notice"},
	"agreement.terminated": {formats.Warning, "agreed"}, "agreement.parties_added": {formats.Neutral, "draft"}, "agreement.contact_persons_named": neutralStyle, "project.participants_added": neutralStyle,
	"project.participant_left": neutralStyle, "project.lead_changed": neutralStyle,
	"agreement.party_invited": {formats.Warning, "proposed"}, "agreement.amended": {formats.Good, "in_force"},
	"amendment.proposed": {formats.Warning, "proposed"}, "amendment.signed": {formats.Good, "signed"}, "amendment.rejected": {formats.Bad, "rejected"},
	"amendment.withdrawn": {formats.Neutral, "withdrawn"}, "amendment.voided": {formats.Warning, "void"},
	"instrument.added": neutralStyle, "instrument.edited": {formats.Neutral, "draft"}, "instrument.removed": {formats.Neutral, "draft"}, "instrument.item_moved": neutralStyle, "instrument.noted": neutralStyle,

	"project.created": neutralStyle, "project.edited": neutralStyle, "project.stage_called": {formats.Neutral, "proposed"},
	"project.stage_changed": neutralStyle, "project.decide_by_moved": {formats.Warning, "moved"},

	"change.proposed": {formats.Warning, "proposed"}, "change.approved": {formats.Good, "approved"}, "change.rejected": {formats.Bad, "rejected"},
	"change.withdrawn": {formats.Neutral, "withdrawn"}, "change.voided": {formats.Warning, "void"},

	"milestone.agreed": {formats.Good, "agreed"}, "milestone.planned": milestoneStyle, "milestone.edited": milestoneStyle, "milestone.started": milestoneStyle,
	"milestone.ownership_agreed": milestoneStyle, "milestone.declined": {formats.Bad, "declined"},
	"milestone.progressed": milestoneStyle, "milestone.assessed": milestoneStyle, "milestone.evidence_kept": milestoneStyle, "milestone.forecast_moved": milestoneStyle, "milestone.delivered": milestoneStyle, "milestone.completed": milestoneStyle,
	"milestone.delivery_withdrawn": milestoneStyle, "milestone.accepted": milestoneStyle, "milestone.conditionally_accepted": milestoneStyle,
	"milestone.condition_met": milestoneStyle, "milestone.condition_refused": {formats.Warning, "conditionally_accepted"},
	"milestone.criterion_checked": milestoneStyle, "milestone.condition_closed": milestoneStyle, "milestone.rejected": {formats.Bad, "rejected"}, "milestone.disputed": {formats.Bad, "disputed"},
	"milestone.outcome_named": {formats.Warning, "disputed"}, "milestone.settled": milestoneStyle, "milestone.cancelled": {formats.Bad, "cancelled"},
	"milestone.waived": milestoneStyle, "milestone.shared": milestoneStyle, "milestone.published": milestoneStyle, "milestone.commented": milestoneStyle, "milestone.responsible_named": milestoneStyle,
}

// stageStyles are the styles of project stages.
var stageStyles = map[domain.Stage]stateStyle{
	domain.Exploring: {formats.Neutral, "exploring"}, domain.Committed: {formats.Good, "committed"}, domain.Active: {formats.Good, "active"},
	domain.Paused: {formats.Warning, "paused"}, domain.Completed: {formats.Good, "completed"}, domain.Stopped: {formats.Bad, "stopped"},
	domain.Proposed: {formats.Neutral, "proposed"}, domain.Declined: {formats.Bad, "declined"},
}

// milestoneStyles are the styles of milestone states.
var milestoneStyles = map[domain.MilestoneState]stateStyle{
	domain.Planned: {formats.Neutral, "planned"}, domain.InProgress: {formats.Neutral, "in_progress"}, domain.Delivered: {formats.Neutral, "delivered"},
	domain.ConditionallyAccepted: {formats.Warning, "conditionally_accepted"}, domain.Accepted: {formats.Good, "accepted"},
	domain.PrivatelyCompleted: {formats.Good, "completed"},
	domain.Disputed:           {formats.Bad, "disputed"}, domain.Waived: {formats.Neutral, "waived"}, domain.Cancelled: {formats.Neutral, "cancelled"},
}

// state returns the state after the event.
func (in ContentInput) state(book *sentences.Book) formats.State {
	style := eventStyles[in.Type]
	switch event := in.Payload.(type) {
	case domain.AgreementActivated:
		if event.EffectiveOn != 0 {
			style = eventStyles["agreement.signed"]
		}
	case domain.ProjectCreated:
		style = stageStyles[event.Stage]
	case domain.StageChanged:
		style = stageStyles[event.To]
	}
	translate := func(word string) string { return book.Text(in.Language, "state."+word, nil) }
	if style != milestoneStyle {
		return formats.State{Word: translate(style.word), Tone: style.tone}
	}
	if style = milestoneStyles[in.State]; style == milestoneStyle {
		return formats.State{Word: translate(neutralStyle.word), Tone: neutralStyle.tone}
	}
	state := formats.State{Word: translate(style.word), Tone: style.tone}
	if in.State != domain.Planned && in.State != domain.InProgress {
		return state
	}
	comma := ", "
	if in.Language == sentences.Chinese {
		comma = "，"
	}
	switch {
	case in.Overdue:
		return formats.State{Word: state.Word + comma + translate("overdue"), Tone: formats.Bad}
	case in.Health == domain.Amber:
		return formats.State{Word: state.Word + comma + translate("amber"), Tone: formats.Warning}
	case in.Health == domain.Red:
		return formats.State{Word: state.Word + comma + translate("red"), Tone: formats.Bad}
	case in.Health == domain.Green:
		state.Tone = formats.Good
	}
	return state
}
