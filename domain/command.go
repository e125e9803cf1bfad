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

// Meta is the circumstances of a command.
type Meta struct {
	Actor   Actor
	At      time.Time // when the event will be recorded, UTC
	Today   Date      // the date in the acting partner's zone when the command was given
	IfMatch *uint64   // the version of the target that the caller saw, as it may see it; nil: any
}

// Command is a wish to change something. The commands of this package are all there are.
type Command interface {
	// Stream returns the aggregate that the command is for.
	Stream() Stream
	decide(s State, m Meta) ([]Event, error)
}

// versioned is a command whose target can carry a version for Meta.IfMatch.
type versioned interface{ target(s State) *Seen }

// Event is one decided fact.
type Event struct {
	Subject  string // the part of the aggregate it is about, such as a milestone's id
	Audience Audience
	Payload  Payload
}

// Decide returns the events that c causes in state s, or an *Error. It changes nothing. Refusals
// come in the order of the API: not found, a wrong value, forbidden, moved on, a conflict.
func Decide(s State, c Command, m Meta) ([]Event, error) {
	events, err := c.decide(s, m)
	if err == nil {
		events = append(events, voids(s, c.Stream(), events, m)...)
	}
	var refusal *Error
	if m.IfMatch != nil && (err == nil || (errors.As(err, &refusal) && refusal.Kind == Conflict)) {
		if err := matches(s, c, m); err != nil {
			return nil, err
		}
	}
	return events, err
}

func matches(s State, c Command, m Meta) error {
	var seen *Seen
	if v, ok := c.(versioned); ok {
		seen = v.target(s)
	}
	if seen == nil {
		return refuse(Precondition, "version_mismatch", "There is no version of this yet, so none can match.")
	}
	if now, _ := seen.For(m.Actor.Partner); now != *m.IfMatch {
		return refuse(Precondition, "version_mismatch", "It is at version %d now, not %d.", now, *m.IfMatch)
	}
	return nil
}

// commands lists every command by the name it has on the wire.
var commands = map[string]format{
	"partner.create":            formatOf(CreatePartner{}),
	"partner.edit":              formatOf(EditPartner{}),
	"partner.dismiss_notice":    formatOf(DismissNotice{}),
	"member.add":                formatOf(AddMember{}),
	"member.edit":               formatOf(EditMember{}),
	"member.remove":             formatOf(RemoveMember{}),
	"token.issue":               formatOf(IssueToken{}),
	"token.revoke":              formatOf(RevokeToken{}),
	"webhook.add":               formatOf(AddWebhook{}),
	"webhook.edit":              formatOf(EditWebhook{}),
	"webhook.rotate_secret":     formatOf(RotateWebhookSecret{}),
	"webhook.remove":            formatOf(RemoveWebhook{}),
	"webhook.disable":           formatOf(DisableWebhook{}),
	"webhook.enable":            formatOf(EnableWebhook{}),
	"webhook.test":              formatOf(TestWebhook{}),
	"webhook.redeliver":         formatOf(Redeliver{}),
	"webhook.replay":            formatOf(ReplayWebhook{}),
	"agreement.draft":           formatOf(DraftAgreement{}),
	"agreement.edit":            formatOf(EditAgreement{}),
	"agreement.sign":            formatOf(SignAgreement{}),
	"agreement.terminate":       formatOf(TerminateAgreement{}),
	"amendment.propose":         formatOf(ProposeAmendment{}),
	"amendment.sign":            formatOf(SignAmendment{}),
	"amendment.reject":          formatOf(RejectAmendment{}),
	"amendment.withdraw":        formatOf(WithdrawAmendment{}),
	"instrument.add":            formatOf(AddInstrument{}),
	"instrument.move_item":      formatOf(MoveItem{}),
	"instrument.note":           formatOf(NoteInstrument{}),
	"project.create":            formatOf(CreateProject{}),
	"project.edit":              formatOf(EditProject{}),
	"project.call":              formatOf(CallStage{}),
	"change.propose":            formatOf(ProposeChange{}),
	"change.approve":            formatOf(ApproveChange{}),
	"change.reject":             formatOf(RejectChange{}),
	"change.withdraw":           formatOf(WithdrawChange{}),
	"milestone.plan":            formatOf(PlanMilestone{}),
	"milestone.edit":            formatOf(EditMilestone{}),
	"milestone.start":           formatOf(StartMilestone{}),
	"milestone.progress":        formatOf(ReportProgress{}),
	"milestone.forecast":        formatOf(MoveForecast{}),
	"milestone.deliver":         formatOf(DeliverMilestone{}),
	"milestone.withdraw":        formatOf(WithdrawDelivery{}),
	"milestone.accept":          formatOf(AcceptMilestone{}),
	"milestone.close_condition": formatOf(CloseCondition{}),
	"milestone.reject":          formatOf(RejectMilestone{}),
	"milestone.dispute":         formatOf(DisputeMilestone{}),
	"milestone.settle":          formatOf(SettleMilestone{}),
	"milestone.cancel":          formatOf(CancelMilestone{}),
	"milestone.waive":           formatOf(WaiveMilestone{}),
	"milestone.share":           formatOf(ShareMilestone{}),
	"milestone.comment":         formatOf(CommentMilestone{}),
}

var commandNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(commands))
	for name, f := range commands {
		names[f.kind] = name
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
func EncodeCommand(c Command) (name string, data []byte, err error) {
	name, ok := commandNames[reflect.TypeOf(c)]
	if !ok {
		return "", nil, fmt.Errorf("%T is not a command", c)
	}
	data, err = json.Marshal(c)
	return name, data, err
}

// DecodeCommand reads what EncodeCommand wrote and refuses everything else.
func DecodeCommand(name string, data []byte) (Command, error) {
	f, ok := commands[name]
	if !ok {
		return nil, fmt.Errorf("command %q is not known", name)
	}
	c, err := f.read(data, true)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", name, err)
	}
	return c.(Command), nil
}

// manager refuses actors that may not act for a partner.
func (m Meta) manager() error {
	if m.Actor.Role != Manager || m.Actor.Partner == "" {
		return forbidden("manager_only", "Only a manager of a partner can do this; you are %s.", m.Actor.Role)
	}
	return nil
}
