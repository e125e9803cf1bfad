package domain

// Member is a person of a partner. The name and the address are kept outside the chain, so that
// they can be erased.
type Member struct {
	Ref     MemberRef
	Role    Role
	Removed bool
	Seen    Seen
}

// AddMember names a person; the name and the address go into the key–value space, not here.
type AddMember struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member"`
	Role    Role      `json:"role"`
}

// MemberAdded is about the member in its subject.
type MemberAdded struct {
	Role Role `json:"role"`
}

// Stream implements Command.
func (c AddMember) Stream() Stream { return Stream{Partner: c.Partner} }

func (c AddMember) decide(s State, m Meta) ([]Event, error) {
	if _, err := directory(s, c.Partner, m); err != nil {
		return nil, err
	}
	var f faults
	f.slug("id", string(c.Member))
	f.role(c.Role)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	if s.Member(MemberRef{c.Partner, c.Member}) != nil {
		return nil, conflict("member_exists", "There is, or was, a member %s.", c.Member)
	}
	if s.Token(TokenRef{c.Partner, TokenID(c.Member)}) != nil {
		return nil, conflict("token_exists", "There is, or was, a token %s; history could not tell the two apart.", c.Member)
	}
	return directoryEvent(string(c.Member), MemberAdded{c.Role}), nil
}

func (f *faults) role(r Role) {
	if r != Manager && r != Viewer {
		f.add("role", "%q is neither manager nor viewer", r)
	}
}

func (e MemberAdded) apply(w *World, h Header) {
	ref := MemberRef{h.Stream.Partner, MemberID(h.Subject)}
	x := w.editMember(ref)
	x.Ref, x.Role = ref, e.Role
	x.Seen.Count(h.Audience, h.RecordedAt)
}

// EditMember changes the role, or (Role nil) only what is kept outside the chain.
type EditMember struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member"`
	Role    *Role     `json:"role,omitempty"`
}

// MemberEdited is about the member in its subject. The roles are equal when only the name or the
// address changed.
type MemberEdited struct {
	To   Role `json:"to"`
	From Role `json:"from"`
}

// Stream implements Command.
func (c EditMember) Stream() Stream { return Stream{Partner: c.Partner} }

func (c EditMember) target(s State) *Seen { return seenOf(s.Member(MemberRef{c.Partner, c.Member})) }

func (c EditMember) decide(s State, m Meta) ([]Event, error) {
	x, err := member(s, c.Partner, c.Member, m)
	if err != nil {
		return nil, err
	}
	to := x.Role
	set(&to, c.Role)
	var f faults
	f.role(to)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Member), MemberEdited{To: to, From: x.Role}), nil
}

func member(s State, p PartnerID, id MemberID, m Meta) (*Member, error) {
	if _, err := directory(s, p, m); err != nil {
		return nil, err
	}
	x := s.Member(MemberRef{p, id})
	if x == nil || x.Removed {
		return nil, ErrNotFound()
	}
	return x, nil
}

func (x *Member) seen() *Seen {
	if x == nil {
		return nil
	}
	return &x.Seen
}

func (e MemberEdited) apply(w *World, h Header) {
	x := w.editMember(MemberRef{h.Stream.Partner, MemberID(h.Subject)})
	x.Role = e.To
	x.Seen.Count(h.Audience, h.RecordedAt)
}

// RemoveMember ends a membership; tokens in the member's name stop working.
type RemoveMember struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member"`
}

// MemberRemoved is about the member in its subject.
type MemberRemoved struct{}

// Stream implements Command.
func (c RemoveMember) Stream() Stream { return Stream{Partner: c.Partner} }

func (c RemoveMember) target(s State) *Seen { return seenOf(s.Member(MemberRef(c))) }

func (c RemoveMember) decide(s State, m Meta) ([]Event, error) {
	if _, err := member(s, c.Partner, c.Member, m); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Member), MemberRemoved{}), nil
}

func (MemberRemoved) apply(w *World, h Header) {
	x := w.editMember(MemberRef{h.Stream.Partner, MemberID(h.Subject)})
	x.Removed = true
	x.Seen.Count(h.Audience, h.RecordedAt)
}
