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
var payloads = map[string]Payload{
	"partner.created.v1":              PartnerCreated{},
	"partner.edited.v1":               PartnerEdited{},
	"member.added.v1":                 MemberAdded{},
	"member.edited.v1":                MemberEdited{},
	"member.removed.v1":               MemberRemoved{},
	"token.issued.v1":                 TokenIssued{},
	"token.revoked.v1":                TokenRevoked{},
	"agreement.drafted.v1":            AgreementDrafted{},
	"agreement.edited.v1":             AgreementEdited{},
	"agreement.signed.v1":             AgreementSigned{},
	"agreement.activated.v1":          AgreementActivated{},
	"instrument.added.v1":             InstrumentAdded{},
	"project.created.v1":              ProjectCreated{},
	"project.edited.v1":               ProjectEdited{},
	"project.stage_called.v1":         StageCalled{},
	"project.stage_changed.v1":        StageChanged{},
	"project.decide_by_moved.v1":      DecideByMoved{},
	"milestone.planned.v1":            MilestonePlanned{},
	"milestone.edited.v1":             MilestoneEdited{},
	"milestone.started.v1":            MilestoneStarted{},
	"milestone.progressed.v1":         MilestoneProgressed{},
	"milestone.forecast_moved.v1":     ForecastMoved{},
	"milestone.delivered.v1":          MilestoneDelivered{},
	"milestone.delivery_withdrawn.v1": DeliveryWithdrawn{},
	"milestone.accepted.v1":           MilestoneAccepted{},
	"milestone.rejected.v1":           MilestoneRejected{},
	"milestone.cancelled.v1":          MilestoneCancelled{},
	"milestone.waived.v1":             MilestoneWaived{},
	"milestone.shared.v1":             MilestoneShared{},
	"milestone.commented.v1":          MilestoneCommented{},
}

var payloadNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(payloads))
	for name, p := range payloads {
		names[reflect.TypeOf(p)] = name
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
	kind, ok := payloads[stored]
	if !ok {
		return nil, fmt.Errorf("event type %q is not known to this version of Tandem", stored)
	}
	into := reflect.New(reflect.TypeOf(kind))
	if err := json.Unmarshal(data, into.Interface()); err != nil {
		return nil, fmt.Errorf("event %s: %w", stored, err)
	}
	return into.Elem().Interface().(Payload), nil
}
