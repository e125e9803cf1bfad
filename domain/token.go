package domain

import "time"

// Token is a bearer token. Only the SHA-256 of its secret is stored.
type Token struct {
	Ref         TokenRef
	Name        string
	Member      MemberID // member it acts for; the token's own id for a program
	Role        Role
	Hash        [32]byte
	ExpiresAt   time.Time     // zero: does not expire
	Agreements  []AgreementID // empty: all of the partner's
	Revoked     bool
	ViaOperator bool // its actions are marked, see ConfirmToken
	ByOperator  bool // issued by the operator itself
	Confirmed   bool // a manager of the partner has confirmed it
	IssuedAt    time.Time
	Versions    Versions
}

// IssueToken creates a token whose secret has the given SHA-256.
type IssueToken struct {
	TokenRef
	Name       string        `json:"name"`
	Member     MemberID      `json:"member,omitempty"` // empty: a program, with the token's id
	Role       Role          `json:"role"`
	Hash       []byte        `json:"hash"`
	ExpiresAt  time.Time     `json:"expires_at,omitzero"`
	Agreements []AgreementID `json:"agreements,omitempty"`
}

// TokenIssued is about the token named by the event's subject.
type TokenIssued struct {
	Name        string        `json:"name"`
	Member      MemberID      `json:"member"`
	Role        Role          `json:"role"`
	Hash        []byte        `json:"hash"`
	ExpiresAt   time.Time     `json:"expires_at,omitzero"`
	Agreements  []AgreementID `json:"agreements,omitempty"`
	ViaOperator bool          `json:"via_operator,omitempty"`
}

func (c IssueToken) target(State) *Versions { return nil }

func (c IssueToken) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findDirectory(state, c.Partner, dc); err != nil {
		return nil, err
	}
	if err := c.validate(state, dc).err(); err != nil {
		return nil, err
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	if state.Token(c.TokenRef) != nil {
		return nil, conflict("token_exists", "Token %s exists or existed; choose another id.", c.Token)
	}
	if state.Member(MemberRef{c.Partner, MemberID(c.Token)}) != nil {
		return nil, conflict("member_exists", "Member %s exists or existed, and history would not distinguish them; choose another id.", c.Token)
	}
	event := TokenIssued{
		Name: c.Name, Member: c.Member, Role: c.Role, Hash: c.Hash, ExpiresAt: c.ExpiresAt,
		Agreements: c.Agreements, ViaOperator: dc.Actor.Role == Operator || dc.Actor.unconfirmed(),
	}
	if event.Member == "" {
		event.Member = MemberID(c.Token)
	}
	return directoryEvent(string(c.Token), event), nil
}

func (c IssueToken) validate(state State, dc DecisionContext) (check validation) {
	check.slug("id", string(c.Token))
	check.line("name", c.Name, 200, true)
	check.role(c.Role)
	if len(c.Hash) != 32 {
		check.add("hash", "is not a SHA-256 sum; give 32 bytes")
	}
	if !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(dc.At) {
		check.add("expires_at", "is in the past; use a later time")
	}
	if c.ExpiresAt.UTC().Year() > 9999 {
		check.add("expires_at", "is after the year 9999; use an earlier time")
	}
	if c.Member != "" {
		c.validateMember(state.Member(MemberRef{c.Partner, c.Member}), &check)
	}
	return check
}

func (c IssueToken) validateMember(member *Member, check *validation) {
	switch {
	case member == nil || member.Removed:
		check.add("member", "member %q does not exist", c.Member)
	case member.Role == Viewer && c.Role == Manager:
		check.add("role", "%s is a viewer and cannot have a manager token; use viewer", c.Member)
	}
}

func (e TokenIssued) apply(world *World, header Header) {
	ref := TokenRef{header.Stream.Partner, TokenID(header.Subject)}
	token := world.editToken(ref)
	token.Ref, token.Name, token.Member, token.Role = ref, e.Name, e.Member, e.Role
	copy(token.Hash[:], e.Hash)
	token.ExpiresAt, token.Agreements, token.ViaOperator = e.ExpiresAt, e.Agreements, e.ViaOperator
	token.ByOperator, token.IssuedAt = e.ViaOperator && header.Partner == "", header.RecordedAt
	token.Versions.count(header)
	world.countOwnManagerToken(token)
}

// RevokeToken revokes a token.
type RevokeToken struct {
	TokenRef
}

// TokenRevoked is about the token named by the event's subject.
type TokenRevoked struct{}

func (c RevokeToken) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findDirectory(state, c.Partner, dc); err != nil {
		return nil, err
	}
	token := state.Token(c.TokenRef)
	if token == nil || token.Revoked {
		return nil, ErrNotFound()
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Token), TokenRevoked{}), nil
}

func (t *Token) versions() *Versions {
	if t == nil {
		return nil
	}
	return &t.Versions
}

func (TokenRevoked) apply(world *World, header Header) {
	token := world.editToken(TokenRef{header.Stream.Partner, TokenID(header.Subject)})
	token.Revoked = true
	world.dropOwnManagerToken(token)
	world.forgetDismissal(header.Stream.Partner, NoticeOfToken(TokenID(header.Subject)))
	token.Versions.count(header)
}

// ValidAt reports whether the token is valid at the given time. The member is the one it acts for; nil for a
// program.
func (t *Token) ValidAt(member *Member, at time.Time) bool {
	if t.Revoked || (!t.ExpiresAt.IsZero() && !at.Before(t.ExpiresAt)) {
		return false
	}
	return member == nil || !member.Removed
}

// MaySign reports whether the token's holder may sign for the partner: it acts as a manager for a present member who
// may sign, and the operator did not issue it, unless a manager has confirmed it. The member is the one it acts for; nil
// for a program, which never signs.
func (t *Token) MaySign(member *Member) bool {
	return member != nil && !member.Removed && member.MaySign && t.RoleFor(member) == Manager && (!t.ByOperator || t.Confirmed)
}

// RoleFor returns the token's effective role: at most the present role of the member it acts for; nil for a
// program.
func (t *Token) RoleFor(member *Member) Role {
	if member != nil && member.Role == Viewer {
		return Viewer
	}
	return t.Role
}
