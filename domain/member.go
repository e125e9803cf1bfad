package domain

import (
	"strings"
	"unicode"
)

// Member is a person of a partner. Name and e-mail address are stored outside the log, so that they can be
// erased.
type Member struct {
	Ref      MemberRef
	Role     Role
	MaySign  bool // may sign for the partner, with a manager token
	Removed  bool
	Versions Versions
}

// AddMember adds a person. Name and e-mail address are stored outside the log. Only the partner's managers decide
// who may sign for it, never the operator.
type AddMember struct {
	MemberRef
	Role    Role `json:"role"`
	MaySign bool `json:"may_sign,omitempty"`
}

// MemberAdded is about the member named by the event's subject.
type MemberAdded struct {
	Role    Role `json:"role"`
	MaySign bool `json:"may_sign,omitempty"`
}

func (c AddMember) target(State) *Versions { return nil }

func (c AddMember) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findDirectory(state, c.Partner, dc); err != nil {
		return nil, err
	}
	var check validation
	check.slug("id", string(c.Member))
	check.role(c.Role)
	check.maySign(c.Role, c.MaySign)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := requireMemberManager(dc, c.MaySign); err != nil {
		return nil, err
	}
	if state.Member(c.MemberRef) != nil {
		return nil, conflict("member_exists", "Member %s exists or existed; choose another id.", c.Member)
	}
	if state.Token(TokenRef{c.Partner, TokenID(c.Member)}) != nil {
		return nil, conflict("token_exists", "Token %s exists or existed, and history would not distinguish them; choose another id.", c.Member)
	}
	return directoryEvent(string(c.Member), MemberAdded{c.Role, c.MaySign}), nil
}

func (v *validation) role(role Role) {
	if role != Manager && role != Viewer {
		v.add("role", "%q is unknown; use manager or viewer", role)
	}
}

func (v *validation) maySign(role Role, maySign bool) {
	if maySign && role == Viewer {
		v.add("may_sign", "a viewer cannot sign; use the role manager, or withdraw the permission to sign")
	}
}

// requireMemberManager refuses actors that cannot change members, and the operator if the change decides who may
// sign.
func requireMemberManager(dc DecisionContext, signing bool) error {
	if signing {
		return dc.requireManager()
	}
	return requireDirectoryManager(dc)
}

func (e MemberAdded) apply(world *World, header Header) {
	ref := MemberRef{header.Stream.Partner, MemberID(header.Subject)}
	member := world.editMember(ref)
	member.Ref, member.Role, member.MaySign = ref, e.Role, e.MaySign
	member.Versions.count(header)
}

// EditMember replaces the fields that are not nil. Without any it records that only the name or the e-mail address
// changed.
type EditMember struct {
	MemberRef
	Role    *Role `json:"role,omitempty"`
	MaySign *bool `json:"may_sign,omitempty"`
}

// MemberEdited is about the member named by the event's subject. The roles are equal and MaySign is nil if only the
// name or the address changed.
type MemberEdited struct {
	To      Role  `json:"to"`
	From    Role  `json:"from"`
	MaySign *bool `json:"may_sign,omitempty"` // the new value, if it changed
}

func (c EditMember) decide(state State, dc DecisionContext) ([]Event, error) {
	member, err := findMember(state, c.Partner, c.Member, dc)
	if err != nil {
		return nil, err
	}
	to, maySign := member.Role, member.MaySign
	set(&to, c.Role)
	set(&maySign, c.MaySign)
	var check validation
	check.role(to)
	check.maySign(to, maySign)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := requireMemberManager(dc, c.MaySign != nil); err != nil {
		return nil, err
	}
	event := MemberEdited{To: to, From: member.Role}
	if maySign != member.MaySign {
		event.MaySign = &maySign
	}
	return directoryEvent(string(c.Member), event), nil
}

func findMember(state State, partner PartnerID, id MemberID, dc DecisionContext) (*Member, error) {
	if _, err := findDirectory(state, partner, dc); err != nil {
		return nil, err
	}
	member := state.Member(MemberRef{partner, id})
	if member == nil || member.Removed {
		return nil, ErrNotFound()
	}
	return member, nil
}

func (m *Member) versions() *Versions {
	if m == nil {
		return nil
	}
	return &m.Versions
}

func (e MemberEdited) apply(world *World, header Header) {
	member := world.editMember(MemberRef{header.Stream.Partner, MemberID(header.Subject)})
	member.Role = e.To
	set(&member.MaySign, e.MaySign)
	member.Versions.count(header)
}

// RemoveMember ends a membership and invalidates the member's tokens.
type RemoveMember struct {
	MemberRef
}

// MemberRemoved is about the member named by the event's subject.
type MemberRemoved struct{}

func (c RemoveMember) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findMember(state, c.Partner, c.Member, dc); err != nil {
		return nil, err
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Member), MemberRemoved{}), nil
}

func (MemberRemoved) apply(world *World, header Header) {
	member := world.editMember(MemberRef{header.Stream.Partner, MemberID(header.Subject)})
	member.Removed = true
	member.Versions.count(header)
}

// PlainMemberName returns a display name with a space for each character that could make it look like another part of a
// sentence, such as a bracket or a semicolon.
func PlainMemberName(name string) string {
	return strings.Map(func(char rune) rune {
		if unicode.In(char, unicode.L, unicode.M, unicode.Nd) || strings.ContainsRune(" -'.,&/", char) {
			return char
		}
		return ' '
	}, name)
}
