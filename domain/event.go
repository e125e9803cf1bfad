package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Payload is the content of an event. Only types of this package implement it. Its JSON form is stored forever.
type Payload interface {
	apply(world *World, header Header)
}

// Header holds an event's metadata from its commit.
type Header struct {
	Stream     Stream
	Commit     uint64 // sequence number in its partition
	Subject    string
	Audience   Audience
	Partner    PartnerID // acting partner; empty for the operator and the system
	Member     MemberID  // acting member, or the program behind a token, as the commit names it
	RecordedAt time.Time
}

func (h Header) milestoneRef() MilestoneRef {
	return MilestoneRef{h.Stream.Agreement, h.Stream.Project, MilestoneID(h.Subject)}
}

func (h Header) projectRef() ProjectRef { return ProjectRef{h.Stream.Agreement, h.Stream.Project} }

// Apply folds one event into the world. It cannot fail: a recorded event is a fact, even if today's rules would
// refuse it.
func (w *World) Apply(header Header, payload Payload) {
	w.commit = header.Commit
	payload.apply(w, header)
}

// payloads maps each stored event type, retired ones included, to its Go type. Renaming a Go type does not change
// the stored name.
var payloads = map[string]wireFormat{
	"partner.created.v1":                  wireFormatOf(PartnerCreated{}),
	"partner.edited.v1":                   wireFormatOf(PartnerEdited{}),
	"partner.notice_dismissed.v1":         wireFormatOf(NoticeDismissed{}),
	"partner.invitation_created.v1":       wireFormatOf(InvitationCreated{}),
	"partner.invitation_revoked.v1":       wireFormatOf(InvitationRevoked{}),
	"partner.invitation_redeemed.v1":      wireFormatOf(InvitationRedeemed{}),
	"name.reserved.v1":                    wireFormatOf(NameReserved{}),
	"agreement.party_renamed.v1":          wireFormatOf(PartyRenamed{}),
	"member.added.v1":                     wireFormatOf(MemberAdded{}),
	"member.edited.v1":                    wireFormatOf(MemberEdited{}),
	"member.removed.v1":                   wireFormatOf(MemberRemoved{}),
	"token.issued.v1":                     wireFormatOf(TokenIssued{}),
	"token.revoked.v1":                    wireFormatOf(TokenRevoked{}),
	"token.confirmed.v1":                  wireFormatOf(TokenConfirmed{}),
	"webhook.added.v1":                    wireFormatOf(WebhookAdded{}),
	"webhook.edited.v1":                   wireFormatOf(WebhookEdited{}),
	"webhook.secret_rotated.v1":           wireFormatOf(WebhookSecretRotated{}),
	"webhook.removed.v1":                  wireFormatOf(WebhookRemoved{}),
	"webhook.disabled.v1":                 wireFormatOf(WebhookDisabled{}),
	"webhook.enabled.v1":                  wireFormatOf(WebhookEnabled{}),
	"webhook.test_requested.v1":           wireFormatOf(WebhookTestRequested{}),
	"webhook.redelivery_requested.v1":     wireFormatOf(WebhookRedeliveryRequested{}),
	"webhook.replay_requested.v1":         wireFormatOf(WebhookReplayRequested{}),
	"agreement.drafted.v1":                wireFormatOf(AgreementDrafted{}),
	"agreement.edited.v1":                 wireFormatOf(AgreementEdited{}),
	"agreement.signed.v1":                 wireFormatOf(AgreementSigned{}),
	"agreement.activated.v1":              wireFormatOf(AgreementActivated{}),
	"agreement.declined.v1":               wireFormatOf(AgreementDeclined{}),
	"agreement.withdrawn.v1":              wireFormatOf(AgreementWithdrawn{}),
	"agreement.parties_added.v1":          wireFormatOf(PartiesAdded{}),
	"project.participants_added.v1":       wireFormatOf(ParticipantsAdded{}),
	"project.participant_left.v1":         wireFormatOf(ParticipantLeft{}),
	"project.lead_changed.v1":             wireFormatOf(LeadChanged{}),
	"agreement.termination_called.v1":     wireFormatOf(TerminationCalled{}),
	"agreement.notice_given.v1":           wireFormatOf(NoticeGiven{}),
	"agreement.terminated.v1":             wireFormatOf(AgreementTerminated{}),
	"agreement.contact_persons_named.v1":  wireFormatOf(ContactPersonsNamed{}),
	"agreement.party_invited.v1":          wireFormatOf(PartyInvited{}),
	"agreement.amended.v1":                wireFormatOf(AgreementAmended{}),
	"amendment.proposed.v1":               wireFormatOf(AmendmentProposed{}),
	"amendment.signed.v1":                 wireFormatOf(AmendmentSigned{}),
	"amendment.rejected.v1":               wireFormatOf(AmendmentRejected{}),
	"amendment.withdrawn.v1":              wireFormatOf(AmendmentWithdrawn{}),
	"amendment.voided.v1":                 wireFormatOf(AmendmentVoided{}),
	"instrument.added.v1":                 wireFormatOf(InstrumentAdded{}),
	"instrument.edited.v1":                wireFormatOf(InstrumentEdited{}),
	"instrument.removed.v1":               wireFormatOf(InstrumentRemoved{}),
	"instrument.item_moved.v1":            wireFormatOf(ItemMoved{}),
	"instrument.noted.v1":                 wireFormatOf(InstrumentNoted{}),
	"project.created.v1":                  wireFormatOf(ProjectCreated{}),
	"project.edited.v1":                   wireFormatOf(ProjectEdited{}),
	"project.stage_called.v1":             wireFormatOf(StageCalled{}),
	"project.stage_changed.v1":            wireFormatOf(StageChanged{}),
	"project.decide_by_moved.v1":          wireFormatOf(DecideByMoved{}),
	"change.proposed.v1":                  wireFormatOf(ChangeProposed{}),
	"change.approved.v1":                  wireFormatOf(ChangeApproved{}),
	"change.rejected.v1":                  wireFormatOf(ChangeRejected{}),
	"change.withdrawn.v1":                 wireFormatOf(ChangeWithdrawn{}),
	"change.voided.v1":                    wireFormatOf(ChangeVoided{}),
	"milestone.agreed.v1":                 wireFormatOf(MilestoneAgreed{}),
	"milestone.planned.v1":                wireFormatOf(MilestonePlanned{}),
	"milestone.edited.v1":                 wireFormatOf(MilestoneEdited{}),
	"milestone.ownership_agreed.v1":       wireFormatOf(OwnershipAgreed{}),
	"milestone.declined.v1":               wireFormatOf(MilestoneDeclined{}),
	"milestone.started.v1":                wireFormatOf(MilestoneStarted{}),
	"milestone.progressed.v1":             wireFormatOf(MilestoneProgressed{}),
	"milestone.progressed.v2":             wireFormatOf(MilestoneReported{}),
	"milestone.assessed.v1":               wireFormatOf(MilestoneAssessed{}),
	"milestone.assessed.v2":               wireFormatOf(AssessmentReported{}),
	"milestone.forecast_moved.v1":         wireFormatOf(ForecastMoved{}),
	"milestone.delivered.v1":              wireFormatOf(MilestoneDelivered{}),
	"milestone.completed.v1":              wireFormatOf(MilestoneCompleted{}),
	"milestone.evidence_kept.v1":          wireFormatOf(EvidenceKept{}),
	"milestone.delivery_withdrawn.v1":     wireFormatOf(DeliveryWithdrawn{}),
	"milestone.accepted.v1":               wireFormatOf(MilestoneAccepted{}),
	"milestone.conditionally_accepted.v1": wireFormatOf(MilestoneConditionallyAccepted{}),
	"milestone.condition_closed.v1":       wireFormatOf(ConditionClosed{}),
	"milestone.condition_met.v1":          wireFormatOf(ConditionReportedMet{}),
	"milestone.condition_refused.v1":      wireFormatOf(ConditionRefusedByAuthor{}),
	"milestone.criterion_checked.v1":      wireFormatOf(CriterionChecked{}),
	"milestone.rejected.v1":               wireFormatOf(MilestoneRejected{}),
	"milestone.disputed.v1":               wireFormatOf(MilestoneDisputed{}),
	"milestone.outcome_named.v1":          wireFormatOf(OutcomeNamed{}),
	"milestone.settled.v1":                wireFormatOf(MilestoneSettled{}),
	"milestone.cancelled.v1":              wireFormatOf(MilestoneCancelled{}),
	"milestone.waived.v1":                 wireFormatOf(MilestoneWaived{}),
	"milestone.shared.v1":                 wireFormatOf(MilestoneShared{}),
	"milestone.published.v1":              wireFormatOf(MilestonePublished{}),
	"milestone.commented.v1":              wireFormatOf(MilestoneCommented{}),
	"milestone.responsible_named.v1":      wireFormatOf(ResponsibleNamed{}),
}

var payloadNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(payloads))
	for name, format := range payloads {
		names[format.goType] = name
	}
	return names
}()

// EventTypes returns every stored event type, sorted.
func EventTypes() []string {
	types := make([]string, 0, len(payloads))
	for name := range payloads {
		types = append(types, name)
	}
	slices.Sort(types)
	return types
}

// PublicType returns the event type without its version, as the API shows it.
func PublicType(stored string) string {
	if i := strings.LastIndex(stored, ".v"); i >= 0 {
		return stored[:i]
	}
	return stored
}

// EncodeEvent returns the stored type and JSON of an event.
func EncodeEvent(payload Payload) (stored string, data []byte, err error) {
	stored, ok := payloadNames[reflect.TypeOf(payload)]
	if !ok {
		return "", nil, fmt.Errorf("%T is not an event", payload)
	}
	data, err = json.Marshal(payload)
	return stored, data, err
}

// DecodeEvent decodes a stored event of any version. An unknown type is an error that must stop the reader,
// because skipping an event would make every later state wrong.
func DecodeEvent(stored string, data []byte) (Payload, error) {
	format, ok := payloads[stored]
	if !ok {
		return nil, fmt.Errorf("event type %q is not known to this version of Tandem", stored)
	}
	payload, err := format.read(data, false)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", stored, err)
	}
	return payload.(Payload), nil
}
