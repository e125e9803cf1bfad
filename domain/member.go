package domain

// Member is a person of a partner. Name and e-mail address are stored outside the log, so that they can be
// erased.
type Member struct {
	Ref      MemberRef
	Role     Role
	Removed  bool
	Versions Versions
}

// AddMember adds a person. Name and e-mail address are stored outside the log.
type AddMember struct {
	MemberRef
	Role Role `json:"role"`
}

// MemberAdded is about the member named by the event's subject.
type MemberAdded struct {
	Role Role `json:"role"`
}

func (c AddMember) target(State) *Versions { return nil }

func (c AddMember) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findDirectory(state, c.Partner, dc); err != nil {
		return nil, err
	}
	var check validation
	check.slug("id", string(c.Member))
	check.role(c.Role)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	if state.Member(c.MemberRef) != nil {
		return nil, conflict("member_exists", "Member %s exists or existed; choose another id.", c.Member)
	}
	if state.Token(TokenRef{c.Partner, TokenID(c.Member)}) != nil {
		return nil, conflict("token_exists", "Token %s exists or existed, and history would not distinguish them; choose another id.", c.Member)
	}
	return directoryEvent(string(c.Member), MemberAdded{c.Role}), nil
}

func (v *validation) role(role Role) {
	if role != Manager && role != Viewer {
		v.add("role", "%q is unknown; use manager or viewer", role)
	}
}

func (e MemberAdded) apply(world *World, header Header) {
	ref := MemberRef{header.Stream.Partner, MemberID(header.Subject)}
	member := world.editMember(ref)
	member.Ref, member.Role = ref, e.Role
	member.Versions.Count(header.Audience, header.RecordedAt)
}

// EditMember changes the role. A nil Role records that only the name or the e-mail address changed.
type EditMember struct {
	MemberRef
	Role *Role `json:"role,omitempty"`
}

// MemberEdited is about the member named by the event's subject. The roles are equal if only the name or the
// address changed.
type MemberEdited struct {
	To   Role `json:"to"`
	From Role `json:"from"`
}

func (c EditMember) decide(state State, dc DecisionContext) ([]Event, error) {
	member, err := findMember(state, c.Partner, c.Member, dc)
	if err != nil {
		return nil, err
	}
	to := member.Role
	set(&to, c.Role)
	var check validation
	check.role(to)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Member), MemberEdited{To: to, From: member.Role}), nil
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
	member.Versions.Count(header.Audience, header.RecordedAt)
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
	member.Versions.Count(header.Audience, header.RecordedAt)
}
