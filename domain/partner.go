package domain

import (
	"slices"
	"time"
)

// Partner is an organisation that is party to agreements. Its directory (members, tokens) is a
// stream of its own; the operator creates it, its managers keep it.
type Partner struct {
	ID       PartnerID
	Name     string
	Country  string // ISO 3166-1 alpha-2, upper case
	TimeZone string // IANA name
	Holidays []Date // own days off, beside the country's
	Seen     Seen
}

// Member is a person of a partner. The name and the address are kept outside the chain, so that
// they can be erased.
type Member struct {
	Ref     MemberRef
	Role    Role
	Removed bool
	Seen    Seen
}

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
	ViaOperator bool // the operator issued it
	Seen        Seen
}

// PartnerProfile is what a partner says of itself.
type PartnerProfile struct {
	Name     string `json:"name"`
	Country  string `json:"country"`
	TimeZone string `json:"time_zone"`
	Holidays []Date `json:"holidays,omitempty"`
}

func (p PartnerProfile) faults() (f faults) {
	f.text("name", p.Name, 200, true)
	if len(p.Country) != 2 || p.Country[0] < 'A' || p.Country[0] > 'Z' || p.Country[1] < 'A' || p.Country[1] > 'Z' {
		f.add("country", "%q is not an ISO 3166-1 code such as FI", p.Country)
	}
	f.text("time_zone", p.TimeZone, 100, true)
	return f
}

func (p *Partner) profile() PartnerProfile {
	return PartnerProfile{p.Name, p.Country, p.TimeZone, p.Holidays}
}

func (p *Partner) setProfile(to PartnerProfile) {
	p.Name, p.Country, p.TimeZone, p.Holidays = to.Name, to.Country, to.TimeZone, to.Holidays
}

// CreatePartner is given by the operator. The edge has checked that the time zone exists.
type CreatePartner struct {
	ID      PartnerID      `json:"id"`
	Profile PartnerProfile `json:"profile"`
}

// PartnerCreated is the first event of a directory.
type PartnerCreated struct {
	Profile PartnerProfile `json:"profile"`
}

// Stream implements Command.
func (c CreatePartner) Stream() Stream { return Stream{Partner: c.ID} }

func (c CreatePartner) decide(s State, m Meta) ([]Event, error) {
	f := c.Profile.faults()
	f.slug("id", string(c.ID))
	if err := f.err(); err != nil {
		return nil, err
	}
	if m.Actor.Role != Operator {
		return nil, forbidden("operator_only", "Only the operator creates partners.")
	}
	if s.Partner(c.ID) != nil {
		return nil, conflict("partner_exists", "There is a partner %s already.", c.ID)
	}
	return directoryEvent("", PartnerCreated{c.Profile}), nil
}

func (e PartnerCreated) apply(w *World, h Header) {
	p := w.editPartner(h.Stream.Partner)
	p.ID = h.Stream.Partner
	p.setProfile(e.Profile)
	p.Seen.Count(h.Audience, h.RecordedAt)
}

func directoryEvent(subject string, p Payload) []Event {
	return []Event{{Subject: subject, Audience: Shared, Payload: p}}
}

// EditPartner replaces the fields that are set.
type EditPartner struct {
	ID       PartnerID `json:"id"`
	Name     *string   `json:"name,omitempty"`
	Country  *string   `json:"country,omitempty"`
	TimeZone *string   `json:"time_zone,omitempty"`
	Holidays *[]Date   `json:"holidays,omitempty"`
}

// PartnerEdited carries the whole profile after and before.
type PartnerEdited struct {
	To   PartnerProfile `json:"to"`
	From PartnerProfile `json:"from"`
}

// Stream implements Command.
func (c EditPartner) Stream() Stream { return Stream{Partner: c.ID} }

func (c EditPartner) target(s State) *Seen { return seenOf(s.Partner(c.ID)) }

func (c EditPartner) decide(s State, m Meta) ([]Event, error) {
	p, err := directory(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	from := p.profile()
	to := from
	set(&to.Name, c.Name)
	set(&to.Country, c.Country)
	set(&to.TimeZone, c.TimeZone)
	set(&to.Holidays, c.Holidays)
	if err := to.faults().err(); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	return directoryEvent("", PartnerEdited{To: to, From: from}), nil
}

func (e PartnerEdited) apply(w *World, h Header) {
	p := w.editPartner(h.Stream.Partner)
	p.setProfile(e.To)
	p.Seen.Count(h.Audience, h.RecordedAt)
}

// directory returns the partner if the actor may know its directory.
func directory(s State, id PartnerID, m Meta) (*Partner, error) {
	p := s.Partner(id)
	if p == nil || (m.Actor.Partner != id && m.Actor.Role != Operator) {
		return nil, ErrNotFound()
	}
	return p, nil
}

// keeper refuses actors that may not change a directory they can see.
func keeper(m Meta) error {
	if m.Actor.Role == Operator {
		return nil
	}
	return m.manager()
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

func seenOf[T interface{ seen() *Seen }](x T) *Seen { return x.seen() }

func (p *Partner) seen() *Seen {
	if p == nil {
		return nil
	}
	return &p.Seen
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

func (c RemoveMember) target(s State) *Seen { return seenOf(s.Member(MemberRef{c.Partner, c.Member})) }

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
	f.text("name", c.Name, 200, true)
	f.role(c.Role)
	if len(c.Hash) != 32 {
		f.add("hash", "is not a SHA-256 sum")
	}
	if !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(m.At) {
		f.add("expires_at", "is in the past")
	}
	if c.Member != "" {
		x := s.Member(MemberRef{c.Partner, c.Member})
		switch {
		case x == nil || x.Removed:
			f.add("member", "there is no member %q", c.Member)
		case x.Role == Viewer && c.Role == Manager:
			f.add("role", "%s is a viewer and cannot have a manager's token", c.Member)
		}
	}
	return f
}

func (e TokenIssued) apply(w *World, h Header) {
	ref := TokenRef{h.Stream.Partner, TokenID(h.Subject)}
	t := w.editToken(ref)
	t.Ref, t.Name, t.Member, t.Role = ref, e.Name, e.Member, e.Role
	copy(t.Hash[:], e.Hash)
	t.ExpiresAt, t.Agreements, t.ViaOperator = e.ExpiresAt, e.Agreements, e.ViaOperator
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

func (c RevokeToken) target(s State) *Seen { return seenOf(s.Token(TokenRef{c.Partner, c.Token})) }

func (c RevokeToken) decide(s State, m Meta) ([]Event, error) {
	if _, err := directory(s, c.Partner, m); err != nil {
		return nil, err
	}
	t := s.Token(TokenRef{c.Partner, c.Token})
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

// Reaches reports whether the token may be used for the agreement.
func (t *Token) Reaches(a AgreementID) bool {
	return len(t.Agreements) == 0 || slices.Contains(t.Agreements, a)
}
