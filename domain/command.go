package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Decide returns the events that c causes in state s, or an *Error. It changes nothing.
func Decide(s State, c Command, m Meta) ([]Event, error) {
	events, err := c.decide(s, m)
	if err != nil {
		return nil, err
	}
	if m.IfMatch != nil {
		if err := matches(s, c, m); err != nil {
			return nil, err
		}
	}
	return events, nil
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
var commands = map[string]Command{
	"partner.create":     CreatePartner{},
	"partner.edit":       EditPartner{},
	"member.add":         AddMember{},
	"member.edit":        EditMember{},
	"member.remove":      RemoveMember{},
	"token.issue":        IssueToken{},
	"token.revoke":       RevokeToken{},
	"agreement.draft":    DraftAgreement{},
	"agreement.edit":     EditAgreement{},
	"agreement.sign":     SignAgreement{},
	"instrument.add":     AddInstrument{},
	"project.create":     CreateProject{},
	"project.edit":       EditProject{},
	"project.call":       CallStage{},
	"milestone.plan":     PlanMilestone{},
	"milestone.edit":     EditMilestone{},
	"milestone.start":    StartMilestone{},
	"milestone.progress": ReportProgress{},
	"milestone.forecast": MoveForecast{},
	"milestone.deliver":  DeliverMilestone{},
	"milestone.withdraw": WithdrawDelivery{},
	"milestone.accept":   AcceptMilestone{},
	"milestone.reject":   RejectMilestone{},
	"milestone.cancel":   CancelMilestone{},
	"milestone.waive":    WaiveMilestone{},
	"milestone.share":    ShareMilestone{},
	"milestone.comment":  CommentMilestone{},
}

var commandNames = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string, len(commands))
	for name, c := range commands {
		names[reflect.TypeOf(c)] = name
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
	kind, ok := commands[name]
	if !ok {
		return nil, fmt.Errorf("command %q is not known", name)
	}
	into := reflect.New(reflect.TypeOf(kind))
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into.Interface()); err != nil {
		return nil, fmt.Errorf("command %s: %w", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("command %s: there is more after its end", name)
	}
	return into.Elem().Interface().(Command), nil
}

// manager refuses actors that may not act for a partner.
func (m Meta) manager() error {
	if m.Actor.Role != Manager || m.Actor.Partner == "" {
		return forbidden("manager_only", "Only a manager of a partner can do this; you are %s.", m.Actor.Role)
	}
	return nil
}
