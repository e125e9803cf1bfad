package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Role says what an actor may do.
type Role string

// The roles.
const (
	Manager  Role = "manager"  // acts for its partner
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // runs the installation; sees no agreement's content
	System   Role = "system"   // Tandem itself
)

// Actor is who issues a command.
type Actor struct {
	Partner     PartnerID `json:"partner,omitempty"` // empty for the operator and the system
	Member      MemberID  `json:"member"`
	Role        Role      `json:"role"`
	ViaOperator bool      `json:"via_operator,omitempty"` // acts with a token that the operator issued
}

const viaOperator = "via-operator/"

// Name returns the actor as a commit stores it: the member, marked where the operator issued the
// token.
func (a Actor) Name() string {
	if a.ViaOperator {
		return viaOperator + string(a.Member)
	}
	return string(a.Member)
}

// ParseActorName reads what Actor.Name wrote.
func ParseActorName(name string) (member MemberID, byOperator bool) {
	rest, byOperator := strings.CutPrefix(name, viaOperator)
	return MemberID(rest), byOperator
}

// DecisionContext is the circumstances of a command.
type DecisionContext struct {
	Actor   Actor
	At      time.Time // when the event will be recorded, UTC
	Today   Date      // the date in the acting partner's zone when the command was given
	IfMatch *uint64   // the version of the target that the caller saw, as it may see it; nil: any
}

// Command is a wish to change something. The commands of this package are all there are.
type Command interface {
	// Stream returns the aggregate that the command is for.
	Stream() Stream
	// target returns the counters of what the command changes; nil if it does not exist yet, or has none.
	target(state State) *Versions
	decide(state State, dc DecisionContext) ([]Event, error)
}

// Event is one decided fact.
type Event struct {
	Subject  string // the part of the aggregate it is about, such as a milestone's id
	Audience Audience
	Payload  Payload
}

// Decide returns the events that c causes in state s, or an *Error. It changes nothing. Refusals
// come in the order of the API: not found, a wrong value, forbidden, moved on, a conflict.
func Decide(state State, command Command, dc DecisionContext) ([]Event, error) {
	events, err := command.decide(state, dc)
	if err == nil {
		events = append(events, voidEvents(state, command.Stream(), events, dc)...)
	}
	var refusal *Error
	if dc.IfMatch != nil && (err == nil || (errors.As(err, &refusal) && refusal.Kind == Conflict)) {
		if err := checkVersion(state, command, dc); err != nil {
			return nil, err
		}
	}
	return events, err
}

func checkVersion(state State, command Command, dc DecisionContext) error {
	versions := command.target(state)
	if versions == nil {
		return newError(Precondition, "version_mismatch", "There is no version of this yet, so none can match.")
	}
	if now, _ := versions.For(dc.Actor.Partner); now != *dc.IfMatch {
		return newError(Precondition, "version_mismatch", "It is at version %d now, not %d.", now, *dc.IfMatch)
	}
	return nil
}

// commands lists every command by the name it has on the wire.
var commands = map[string]wireFormat{
	"partner.create":            wireFormatOf(CreatePartner{}),
	"partner.edit":              wireFormatOf(EditPartner{}),
	"partner.dismiss_notice":    wireFormatOf(DismissNotice{}),
	"member.add":                wireFormatOf(AddMember{}),
	"member.edit":               wireFormatOf(EditMember{}),
	"member.remove":             wireFormatOf(RemoveMember{}),
	"token.issue":               wireFormatOf(IssueToken{}),
	"token.revoke":              wireFormatOf(RevokeToken{}),
	"webhook.add":               wireFormatOf(AddWebhook{}),
	"webhook.edit":              wireFormatOf(EditWebhook{}),
	"webhook.rotate_secret":     wireFormatOf(RotateWebhookSecret{}),
	"webhook.remove":            wireFormatOf(RemoveWebhook{}),
	"webhook.disable":           wireFormatOf(DisableWebhook{}),
	"webhook.enable":            wireFormatOf(EnableWebhook{}),
	"webhook.test":              wireFormatOf(TestWebhook{}),
	"webhook.redeliver":         wireFormatOf(ResendWebhook{}),
	"webhook.replay":            wireFormatOf(ReplayWebhook{}),
	"agreement.draft":           wireFormatOf(DraftAgreement{}),
	"agreement.edit":            wireFormatOf(EditAgreement{}),
	"agreement.sign":            wireFormatOf(SignAgreement{}),
	"agreement.terminate":       wireFormatOf(TerminateAgreement{}),
	"amendment.propose":         wireFormatOf(ProposeAmendment{}),
	"amendment.sign":            wireFormatOf(SignAmendment{}),
	"amendment.reject":          wireFormatOf(RejectAmendment{}),
	"amendment.withdraw":        wireFormatOf(WithdrawAmendment{}),
	"instrument.add":            wireFormatOf(AddInstrument{}),
	"instrument.move_item":      wireFormatOf(MoveItem{}),
	"instrument.note":           wireFormatOf(NoteInstrument{}),
	"project.create":            wireFormatOf(CreateProject{}),
	"project.edit":              wireFormatOf(EditProject{}),
	"project.call":              wireFormatOf(CallStage{}),
	"change.propose":            wireFormatOf(ProposeChange{}),
	"change.approve":            wireFormatOf(ApproveChange{}),
	"change.reject":             wireFormatOf(RejectChange{}),
	"change.withdraw":           wireFormatOf(WithdrawChange{}),
	"milestone.plan":            wireFormatOf(PlanMilestone{}),
	"milestone.edit":            wireFormatOf(EditMilestone{}),
	"milestone.start":           wireFormatOf(StartMilestone{}),
	"milestone.progress":        wireFormatOf(ReportProgress{}),
	"milestone.forecast":        wireFormatOf(MoveForecast{}),
	"milestone.deliver":         wireFormatOf(DeliverMilestone{}),
	"milestone.withdraw":        wireFormatOf(WithdrawDelivery{}),
	"milestone.accept":          wireFormatOf(AcceptMilestone{}),
	"milestone.close_condition": wireFormatOf(CloseCondition{}),
	"milestone.reject":          wireFormatOf(RejectMilestone{}),
	"milestone.dispute":         wireFormatOf(DisputeMilestone{}),
	"milestone.settle":          wireFormatOf(SettleMilestone{}),
	"milestone.cancel":          wireFormatOf(CancelMilestone{}),
	"milestone.waive":           wireFormatOf(WaiveMilestone{}),
	"milestone.share":           wireFormatOf(ShareMilestone{}),
	"milestone.comment":         wireFormatOf(CommentMilestone{}),
}

var commandNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(commands))
	for name, format := range commands {
		names[format.goType] = name
	}
	return names
}()

// CommandNames returns the names of all commands, sorted.
func CommandNames() []string {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// EncodeCommand returns the command's name and its JSON.
func EncodeCommand(command Command) (name string, data []byte, err error) {
	name, ok := commandNames[reflect.TypeOf(command)]
	if !ok {
		return "", nil, fmt.Errorf("%T is not a command", command)
	}
	data, err = json.Marshal(command)
	return name, data, err
}

// DecodeCommand reads what EncodeCommand wrote and refuses everything else.
func DecodeCommand(name string, data []byte) (Command, error) {
	format, ok := commands[name]
	if !ok {
		return nil, fmt.Errorf("command %q is not known", name)
	}
	command, err := format.read(data, true)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", name, err)
	}
	return command.(Command), nil
}

// requireManager refuses actors that may not act for a partner.
func (m DecisionContext) requireManager() error {
	if m.Actor.Role != Manager || m.Actor.Partner == "" {
		return forbidden("manager_only", "Only a manager of a partner can do this; you are %s.", m.Actor.Role)
	}
	return nil
}
