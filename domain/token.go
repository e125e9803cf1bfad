package domain

import (
	"slices"
	"time"
)

// Token is a bearer token: its secret is known only to its holder, its SHA-256 is kept.
type Token struct {
	Ref         TokenRef
	Name        string
	Member      MemberID // in whose name it acts; the token's own id if it belongs to a program
	Role        Role
	Hash        [32]byte
	ExpiresAt   time.Time     // zero: never
	Agreements  []AgreementID // empty: all of the partner's
	Revoked     bool
	ViaOperator bool // the operator issued it, or a token that the operator issued
	ByOperator  bool // the operator itself issued it, at IssuedAt
	IssuedAt    time.Time
	Seen        Seen
}

// IssueToken makes a token whose secret has the given SHA-256.
type IssueToken struct {
	Partner    PartnerID     `json:"partner"`
	Token      TokenID       `json:"token"`
	Name       string        `json:"name"`
	Member     MemberID      `json:"member,omitempty"` // empty: a program, named like the token
	Role       Role          `json:"role"`
	Hash       []byte        `json:"hash"`
	ExpiresAt  time.Time     `json:"expires_at,omitzero"`
	Agreements []AgreementID `json:"agreements,omitempty"`
}

// TokenIssued is about the token in its subject.
type TokenIssued struct {
	Name        string        `json:"name"`
	Member      MemberID      `json:"member"`
	Role        Role          `json:"role"`
	Hash        []byte        `json:"hash"`
	ExpiresAt   time.Time     `json:"expires_at,omitzero"`
	Agreements  []AgreementID `json:"agreements,omitempty"`
	ViaOperator bool          `json:"via_operator,omitempty"`
}

// Stream implements Command.
func (c IssueToken) Stream() Stream { return Stream{Partner: c.Partner} }

func (c IssueToken) decide(s State, m Meta) ([]Event, error) {
	if _, err := directory(s, c.Partner, m); err != nil {
		return nil, err
	}
	if err := c.faults(s, m).err(); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	if s.Token(TokenRef{c.Partner, c.Token}) != nil {
		return nil, conflict("token_exists", "There is, or was, a token %s.", c.Token)
	}
	if s.Member(MemberRef{c.Partner, MemberID(c.Token)}) != nil {
		return nil, conflict("member_exists", "There is, or was, a member %s; history could not tell the two apart.", c.Token)
	}
	e := TokenIssued{
		Name: c.Name, Member: c.Member, Role: c.Role, Hash: c.Hash, ExpiresAt: c.ExpiresAt,
		Agreements: c.Agreements, ViaOperator: m.Actor.Role == Operator || m.Actor.ViaOperator,
	}
	if e.Member == "" {
		e.Member = MemberID(c.Token)
	}
	return directoryEvent(string(c.Token), e), nil
}

func (c IssueToken) faults(s State, m Meta) (f faults) {
	f.slug("id", string(c.Token))
	f.line("name", c.Name, 200, true)
	f.role(c.Role)
	if len(c.Hash) != 32 {
		f.add("hash", "is not a SHA-256 sum")
	}
	if !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(m.At) {
		f.add("expires_at", "is in the past")
	}
	if c.ExpiresAt.UTC().Year() > 9999 {
		f.add("expires_at", "is too far away")
	}
	if c.Member != "" {
		c.memberFaults(s.Member(MemberRef{c.Partner, c.Member}), &f)
	}
	return f
}

func (c IssueToken) memberFaults(x *Member, f *faults) {
	switch {
	case x == nil || x.Removed:
		f.add("member", "there is no member %q", c.Member)
	case x.Role == Viewer && c.Role == Manager:
		f.add("role", "%s is a viewer and cannot have a manager's token", c.Member)
	}
}

func (e TokenIssued) apply(w *World, h Header) {
	ref := TokenRef{h.Stream.Partner, TokenID(h.Subject)}
	t := w.editToken(ref)
	t.Ref, t.Name, t.Member, t.Role = ref, e.Name, e.Member, e.Role
	copy(t.Hash[:], e.Hash)
	t.ExpiresAt, t.Agreements, t.ViaOperator = e.ExpiresAt, e.Agreements, e.ViaOperator
	t.ByOperator, t.IssuedAt = e.ViaOperator && h.Partner == "", h.RecordedAt
	t.Seen.Count(h.Audience, h.RecordedAt)
}

// RevokeToken ends a token.
type RevokeToken struct {
	Partner PartnerID `json:"partner"`
	Token   TokenID   `json:"token"`
}

// TokenRevoked is about the token in its subject.
type TokenRevoked struct{}

// Stream implements Command.
func (c RevokeToken) Stream() Stream { return Stream{Partner: c.Partner} }

func (c RevokeToken) target(s State) *Seen { return seenOf(s.Token(TokenRef(c))) }

func (c RevokeToken) decide(s State, m Meta) ([]Event, error) {
	if _, err := directory(s, c.Partner, m); err != nil {
		return nil, err
	}
	t := s.Token(TokenRef(c))
	if t == nil || t.Revoked {
		return nil, ErrNotFound()
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	return directoryEvent(string(c.Token), TokenRevoked{}), nil
}

func (t *Token) seen() *Seen {
	if t == nil {
		return nil
	}
	return &t.Seen
}

func (TokenRevoked) apply(w *World, h Header) {
	t := w.editToken(TokenRef{h.Stream.Partner, TokenID(h.Subject)})
	t.Revoked = true
	w.ended(h.Stream.Partner, NoticeOfToken(TokenID(h.Subject)))
	t.Seen.Count(h.Audience, h.RecordedAt)
}

// Grants reports whether the token is good at the given time, given the member it acts for (nil
// for a program).
func (t *Token) Grants(x *Member, at time.Time) bool {
	if t.Revoked || (!t.ExpiresAt.IsZero() && !at.Before(t.ExpiresAt)) {
		return false
	}
	return x == nil || !x.Removed
}

// RoleFor returns what the token allows, given the member it acts for (nil for a program): no more
// than the member may now, whatever it could do when the token was issued.
func (t *Token) RoleFor(x *Member) Role {
	if x != nil && x.Role == Viewer {
		return Viewer
	}
	return t.Role
}

// Reaches reports whether the token may be used for the agreement.
func (t *Token) Reaches(a AgreementID) bool {
	return len(t.Agreements) == 0 || slices.Contains(t.Agreements, a)
}
