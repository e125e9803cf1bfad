package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Payload is what an event says. The payloads of this package are all there are; their JSON is
// stored for ever.
type Payload interface {
	apply(w *World, h Header)
}

// Header is what a commit and its place say about one of its events.
type Header struct {
	Stream     Stream
	Commit     uint64 // sequence number in its partition
	Subject    string
	Audience   Audience
	Partner    PartnerID // acting; empty for the operator and the system
	RecordedAt time.Time
}

func (h Header) milestone() MilestoneRef {
	return MilestoneRef{h.Stream.Agreement, h.Stream.Project, MilestoneID(h.Subject)}
}

func (h Header) project() ProjectRef { return ProjectRef{h.Stream.Agreement, h.Stream.Project} }

// Apply folds one event into the world. It cannot fail: what was decided is a fact.
func (w *World) Apply(h Header, p Payload) {
	w.commit = h.Commit
	p.apply(w, h)
}

// payloads lists every stored event type, the retired ones too. Renaming a Go type changes no
// name here, and so no history.
var payloads = map[string]format{
	"partner.created.v1":                  formatOf(PartnerCreated{}),
	"partner.edited.v1":                   formatOf(PartnerEdited{}),
	"partner.notice_dismissed.v1":         formatOf(NoticeDismissed{}),
	"member.added.v1":                     formatOf(MemberAdded{}),
	"member.edited.v1":                    formatOf(MemberEdited{}),
	"member.removed.v1":                   formatOf(MemberRemoved{}),
	"token.issued.v1":                     formatOf(TokenIssued{}),
	"token.revoked.v1":                    formatOf(TokenRevoked{}),
	"webhook.added.v1":                    formatOf(WebhookAdded{}),
	"webhook.edited.v1":                   formatOf(WebhookEdited{}),
	"webhook.secret_rotated.v1":           formatOf(WebhookSecretRotated{}),
	"webhook.removed.v1":                  formatOf(WebhookRemoved{}),
	"webhook.disabled.v1":                 formatOf(WebhookDisabled{}),
	"webhook.enabled.v1":                  formatOf(WebhookEnabled{}),
	"webhook.test_requested.v1":           formatOf(WebhookTestRequested{}),
	"webhook.redelivery_requested.v1":     formatOf(WebhookRedeliveryRequested{}),
	"webhook.replay_requested.v1":         formatOf(WebhookReplayRequested{}),
	"agreement.drafted.v1":                formatOf(AgreementDrafted{}),
	"agreement.edited.v1":                 formatOf(AgreementEdited{}),
	"agreement.signed.v1":                 formatOf(AgreementSigned{}),
	"agreement.activated.v1":              formatOf(AgreementActivated{}),
	"agreement.parties_added.v1":          formatOf(PartiesAdded{}),
	"project.participants_added.v1":       formatOf(ParticipantsAdded{}),
	"agreement.termination_called.v1":     formatOf(TerminationCalled{}),
	"agreement.notice_given.v1":           formatOf(NoticeGiven{}),
	"agreement.terminated.v1":             formatOf(AgreementTerminated{}),
	"agreement.party_invited.v1":          formatOf(PartyInvited{}),
	"agreement.amended.v1":                formatOf(AgreementAmended{}),
	"amendment.proposed.v1":               formatOf(AmendmentProposed{}),
	"amendment.signed.v1":                 formatOf(AmendmentSigned{}),
	"amendment.rejected.v1":               formatOf(AmendmentRejected{}),
	"amendment.withdrawn.v1":              formatOf(AmendmentWithdrawn{}),
	"amendment.voided.v1":                 formatOf(AmendmentVoided{}),
	"instrument.added.v1":                 formatOf(InstrumentAdded{}),
	"instrument.item_moved.v1":            formatOf(ItemMoved{}),
	"instrument.noted.v1":                 formatOf(InstrumentNoted{}),
	"project.created.v1":                  formatOf(ProjectCreated{}),
	"project.edited.v1":                   formatOf(ProjectEdited{}),
	"project.stage_called.v1":             formatOf(StageCalled{}),
	"project.stage_changed.v1":            formatOf(StageChanged{}),
	"project.decide_by_moved.v1":          formatOf(DecideByMoved{}),
	"change.proposed.v1":                  formatOf(ChangeProposed{}),
	"change.approved.v1":                  formatOf(ChangeApproved{}),
	"change.rejected.v1":                  formatOf(ChangeRejected{}),
	"change.withdrawn.v1":                 formatOf(ChangeWithdrawn{}),
	"change.voided.v1":                    formatOf(ChangeVoided{}),
	"milestone.agreed.v1":                 formatOf(MilestoneAgreed{}),
	"milestone.planned.v1":                formatOf(MilestonePlanned{}),
	"milestone.edited.v1":                 formatOf(MilestoneEdited{}),
	"milestone.started.v1":                formatOf(MilestoneStarted{}),
	"milestone.progressed.v1":             formatOf(MilestoneProgressed{}),
	"milestone.assessed.v1":               formatOf(MilestoneAssessed{}),
	"milestone.forecast_moved.v1":         formatOf(ForecastMoved{}),
	"milestone.delivered.v1":              formatOf(MilestoneDelivered{}),
	"milestone.evidence_kept.v1":          formatOf(EvidenceKept{}),
	"milestone.delivery_withdrawn.v1":     formatOf(DeliveryWithdrawn{}),
	"milestone.accepted.v1":               formatOf(MilestoneAccepted{}),
	"milestone.conditionally_accepted.v1": formatOf(MilestoneConditionallyAccepted{}),
	"milestone.condition_closed.v1":       formatOf(ConditionClosed{}),
	"milestone.rejected.v1":               formatOf(MilestoneRejected{}),
	"milestone.disputed.v1":               formatOf(MilestoneDisputed{}),
	"milestone.outcome_named.v1":          formatOf(OutcomeNamed{}),
	"milestone.settled.v1":                formatOf(MilestoneSettled{}),
	"milestone.cancelled.v1":              formatOf(MilestoneCancelled{}),
	"milestone.waived.v1":                 formatOf(MilestoneWaived{}),
	"milestone.shared.v1":                 formatOf(MilestoneShared{}),
	"milestone.published.v1":              formatOf(MilestonePublished{}),
	"milestone.commented.v1":              formatOf(MilestoneCommented{}),
}

var payloadNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(payloads))
	for name, f := range payloads {
		names[f.kind] = name
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

// PublicType returns the type as feeds show it: without the version.
func PublicType(stored string) string {
	if i := strings.LastIndex(stored, ".v"); i >= 0 {
		return stored[:i]
	}
	return stored
}

// EncodeEvent returns the stored type and JSON of an event.
func EncodeEvent(p Payload) (stored string, data []byte, err error) {
	stored, ok := payloadNames[reflect.TypeOf(p)]
	if !ok {
		return "", nil, fmt.Errorf("%T is not an event", p)
	}
	data, err = json.Marshal(p)
	return stored, data, err
}

// DecodeEvent reads a stored event of any version there ever was. An unknown type is an error: it
// must stop the reader, because skipping a fact would make every later state wrong.
func DecodeEvent(stored string, data []byte) (Payload, error) {
	f, ok := payloads[stored]
	if !ok {
		return nil, fmt.Errorf("event type %q is not known to this version of Tandem", stored)
	}
	p, err := f.read(data, false)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", stored, err)
	}
	return p.(Payload), nil
}
