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

// Role limits the commands of an actor.
type Role string

// The roles.
const (
	Manager  Role = "manager"  // acts for its partner
	Viewer   Role = "viewer"   // read only
	Operator Role = "operator" // runs the installation; does not see the content of agreements
	System   Role = "system"   // Tandem itself
)

// Actor is the member, program or system that issues a command.
type Actor struct {
	Partner     PartnerID `json:"partner,omitempty"` // empty for the operator and the system
	Member      MemberID  `json:"member"`
	Role        Role      `json:"role"`
	ViaOperator bool      `json:"via_operator,omitempty"` // its token is marked, see ConfirmToken
	Confirmed   bool      `json:"confirmed,omitempty"`    // a manager has confirmed its token
	MaySign     bool      `json:"may_sign,omitempty"`     // may sign for the partner; see Token.MaySign
}

const viaOperator = "via-operator/"

// Name returns the actor as stored in a commit: the member id, prefixed if the token is marked.
func (a Actor) Name() string {
	if a.ViaOperator {
		return viaOperator + string(a.Member)
	}
	return string(a.Member)
}

// ParseActorName parses the result of Actor.Name.
func ParseActorName(name string) (member MemberID, byOperator bool) {
	rest, byOperator := strings.CutPrefix(name, viaOperator)
	return MemberID(rest), byOperator
}

// DecisionContext holds the inputs of a decision besides state and command.
type DecisionContext struct {
	Actor   Actor
	At      time.Time // time at which the events will be recorded, UTC
	Today   Date      // date of the request: for a milestone in its owner's time zone, otherwise in the acting partner's
	IfMatch *uint64   // expected version of the target, as visible to the actor; nil: any
}

// Command requests a change to one aggregate. Only types of this package implement it.
type Command interface {
	// Stream returns the aggregate that the command changes.
	Stream() Stream
	// target returns the versions of the entity that the command changes; nil if the command creates it, or the
	// entity does not exist.
	target(state State) *Versions
	decide(state State, dc DecisionContext) ([]Event, error)
}

// Event is a decided change, before it is recorded.
type Event struct {
	Subject  string // part of the aggregate that the event is about, such as a milestone's id; may be empty
	Audience Audience
	Payload  Payload
}

// Decide returns the events that the command produces in the given state, or an *Error. It does not modify the
// state. If several refusals apply, the first of this order is returned: NotFound, Invalid, Forbidden,
// Precondition, Conflict.
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
		return newError(Precondition, "version_mismatch", "The target has no version yet; send the request without a version.")
	}
	if now, _ := versions.For(dc.Actor.Partner); now != *dc.IfMatch {
		return newError(Precondition, "version_mismatch", "The target is at version %d, not %d; read it again.", now, *dc.IfMatch)
	}
	return nil
}

// commands maps the wire name of each command to its type.
var commands = map[string]wireFormat{
	"partner.create":                 wireFormatOf(CreatePartner{}),
	"partner.edit":                   wireFormatOf(EditPartner{}),
	"partner.dismiss_notice":         wireFormatOf(DismissNotice{}),
	"partner.create_invitation":      wireFormatOf(CreateInvitation{}),
	"partner.revoke_invitation":      wireFormatOf(RevokeInvitation{}),
	"partner.redeem_invitation":      wireFormatOf(RedeemInvitation{}),
	"name.reserve":                   wireFormatOf(ReserveName{}),
	"agreement.rename_party":         wireFormatOf(RenameParty{}),
	"member.add":                     wireFormatOf(AddMember{}),
	"member.edit":                    wireFormatOf(EditMember{}),
	"member.remove":                  wireFormatOf(RemoveMember{}),
	"token.issue":                    wireFormatOf(IssueToken{}),
	"token.revoke":                   wireFormatOf(RevokeToken{}),
	"token.confirm":                  wireFormatOf(ConfirmToken{}),
	"webhook.add":                    wireFormatOf(AddWebhook{}),
	"webhook.edit":                   wireFormatOf(EditWebhook{}),
	"webhook.rotate_secret":          wireFormatOf(RotateWebhookSecret{}),
	"webhook.remove":                 wireFormatOf(RemoveWebhook{}),
	"webhook.disable":                wireFormatOf(DisableWebhook{}),
	"webhook.enable":                 wireFormatOf(EnableWebhook{}),
	"webhook.test":                   wireFormatOf(TestWebhook{}),
	"webhook.redeliver":              wireFormatOf(ResendWebhook{}),
	"webhook.replay":                 wireFormatOf(ReplayWebhook{}),
	"agreement.draft":                wireFormatOf(DraftAgreement{}),
	"agreement.edit":                 wireFormatOf(EditAgreement{}),
	"agreement.sign":                 wireFormatOf(SignAgreement{}),
	"agreement.decline":              wireFormatOf(DeclineAgreement{}),
	"agreement.withdraw":             wireFormatOf(WithdrawAgreement{}),
	"agreement.terminate":            wireFormatOf(TerminateAgreement{}),
	"agreement.name_contact_persons": wireFormatOf(NameContactPersons{}),
	"amendment.propose":              wireFormatOf(ProposeAmendment{}),
	"amendment.sign":                 wireFormatOf(SignAmendment{}),
	"amendment.reject":               wireFormatOf(RejectAmendment{}),
	"amendment.withdraw":             wireFormatOf(WithdrawAmendment{}),
	"instrument.add":                 wireFormatOf(AddInstrument{}),
	"instrument.edit":                wireFormatOf(EditInstrument{}),
	"instrument.remove":              wireFormatOf(RemoveInstrument{}),
	"instrument.move_item":           wireFormatOf(MoveItem{}),
	"instrument.note":                wireFormatOf(NoteInstrument{}),
	"project.create":                 wireFormatOf(CreateProject{}),
	"project.edit":                   wireFormatOf(EditProject{}),
	"project.call":                   wireFormatOf(CallStage{}),
	"change.propose":                 wireFormatOf(ProposeChange{}),
	"change.approve":                 wireFormatOf(ApproveChange{}),
	"change.reject":                  wireFormatOf(RejectChange{}),
	"change.withdraw":                wireFormatOf(WithdrawChange{}),
	"milestone.plan":                 wireFormatOf(PlanMilestone{}),
	"milestone.edit":                 wireFormatOf(EditMilestone{}),
	"milestone.agree":                wireFormatOf(AgreeOwnership{}),
	"milestone.decline":              wireFormatOf(DeclineOwnership{}),
	"milestone.start":                wireFormatOf(StartMilestone{}),
	"milestone.progress":             wireFormatOf(ReportProgress{}),
	"milestone.forecast":             wireFormatOf(MoveForecast{}),
	"milestone.deliver":              wireFormatOf(DeliverMilestone{}),
	"milestone.complete":             wireFormatOf(CompleteMilestone{}),
	"milestone.withdraw":             wireFormatOf(WithdrawDelivery{}),
	"milestone.accept":               wireFormatOf(AcceptMilestone{}),
	"milestone.close_condition":      wireFormatOf(CloseCondition{}),
	"milestone.meet_condition":       wireFormatOf(MeetCondition{}),
	"milestone.refuse_condition":     wireFormatOf(RefuseCondition{}),
	"milestone.check_criterion":      wireFormatOf(CheckCriterion{}),
	"milestone.reject":               wireFormatOf(RejectMilestone{}),
	"milestone.dispute":              wireFormatOf(DisputeMilestone{}),
	"milestone.settle":               wireFormatOf(SettleMilestone{}),
	"milestone.cancel":               wireFormatOf(CancelMilestone{}),
	"milestone.waive":                wireFormatOf(WaiveMilestone{}),
	"milestone.share":                wireFormatOf(ShareMilestone{}),
	"milestone.comment":              wireFormatOf(CommentMilestone{}),
	"milestone.name_responsible":     wireFormatOf(NameResponsible{}),
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

// DecodeCommand parses the result of EncodeCommand. Unknown names and unknown fields are errors.
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

// requireManager refuses actors that cannot act for a partner.
func (dc DecisionContext) requireManager() error {
	if dc.Actor.Role != Manager || dc.Actor.Partner == "" {
		return forbidden("manager_only", "Only a manager of a partner can do this; your role is %s.", dc.Actor.Role)
	}
	return nil
}
