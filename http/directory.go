package http

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/mail"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

func directoryRoutes() []*route {
	const members, tokens = "/v1/partners/{partner}/members", "/v1/partners/{partner}/tokens"
	return []*route{
		{
			method: http.MethodGet, name: "listMembers", path: members, summary: "The partner's members", callers: directoryRead,
			sees: seesDirectory, answer: projections.Members{}, query: lists(), handle: computes(listMembers),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		create("addMember", members, "Add a member", directoryWrite, seesDirectory, projections.Member{}, writes(addMember)),
		{
			method: http.MethodGet, name: "getMember", path: members + "/{member}", summary: "One member", callers: directoryRead,
			sees: seesMember, answer: projections.Member{}, handle: computes(getMember),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		change(http.MethodPatch, "editMember", members+"/{member}", "Change a member's role, name or address",
			directoryWrite, seesMember, projections.Member{}, writes(editMember)),
		remove("removeMember", members+"/{member}", "Remove a member and erase name and address; tokens in the member's name stop working",
			directoryWrite, seesRemovable, removes(removeMember)),
		read("listTokens", tokens, "The partner's tokens, without their secrets", directoryRead, seesDirectory,
			projections.Tokens{}, listTokens, lists()...),
		create("issueToken", tokens, "Issue a token; the answer is the only one that shows it", directoryWrite, seesDirectory,
			IssuedToken{}, writes(issueToken)),
		read("getToken", tokens+"/{token}", "One token, without its secret", directoryRead, seesToken, projections.Token{}, getToken),
		remove("revokeToken", tokens+"/{token}", "Revoke a token at once", directoryWrite, seesToken, removes(revokeToken)),
	}
}

func (q *call) member() domain.MemberID { return domain.MemberID(q.c.Param("member")) }

func (q *call) token() domain.TokenID { return domain.TokenID(q.c.Param("token")) }

func memberPath(p domain.PartnerID, m domain.MemberID) string {
	return path(partnerPath(p)+"/members", m)
}

func listMembers(q *call) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	out := projections.Members{Partner: q.partner()}
	var version uint64
	err = q.Image.View(q.who.Viewer, func(v *projections.View) error {
		version = v.Version()
		out.Members, out.NextCursor = part(a, v.Members(q.partner()), func(m projections.Member) string { return string(m.ID) })
		return a.err()
	})
	if err == nil {
		err = q.Image.FillProfiles(q.r.Context(), q.partner(), out.Members)
	}
	return projections.Answer{Version: version, Body: out}, err
}

func getMember(q *call) (a projections.Answer, err error) {
	if _, err := q.parameters(); err != nil {
		return a, err
	}
	err = q.Image.View(q.who.Viewer, func(v *projections.View) error {
		a, err = readMember(q.partner(), q.member())(v)
		return err
	})
	if err == nil {
		a.Body, err = q.named(q.r.Context(), a.Body)
	}
	return a, err
}

func readMember(p domain.PartnerID, id domain.MemberID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		m, ok := v.Member(p, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: m.Version, Body: m}, nil
	}
}

// named fills in what is kept outside the chain.
func (q *call) named(ctx context.Context, body any) (any, error) {
	m, ok := body.(projections.Member)
	if !ok {
		return body, nil
	}
	var err error
	m.Name, m.Email, err = q.Image.Profile(ctx, m.Partner, m.ID)
	return m, err
}

// NewMember is the body that adds a member.
type NewMember struct {
	Name  string      `json:"name" maxLength:"200"`
	Email string      `json:"email" format:"email" maxLength:"320"`
	Role  domain.Role `json:"role" enum:"manager,viewer"`
}

// profile is what a request says of a member and the key–value space keeps; nil: nothing.
type profile struct{ name, email *string }

func (p profile) faults() error {
	var faults []domain.FieldError
	if p.name != nil && (*p.name == "" || len([]rune(*p.name)) > 200) {
		faults = append(faults, domain.FieldError{Field: "name", Message: "has 1 to 200 characters"})
	} else if p.name != nil && domain.Unreadable(*p.name, true) != "" {
		faults = append(faults, domain.FieldError{Field: "name", Message: domain.Unreadable(*p.name, true)})
	}
	if p.email != nil && !address(*p.email) {
		faults = append(faults, domain.FieldError{Field: "email", Message: "is not an address such as name@company.example"})
	}
	if len(faults) > 0 {
		return invalid(faults...)
	}
	return nil
}

// show fills in what is kept, and what the request said, so that a repeat is not answered with what
// others said since. What the request did not say, as the address in a change of the name, is shown as
// it is now: what it was then is erased.
func (p profile) show(q *call) func(context.Context, any) (any, error) {
	return func(ctx context.Context, body any) (any, error) {
		body, err := q.named(ctx, body)
		if m, ok := body.(projections.Member); ok && err == nil {
			set(&m.Name, p.name)
			set(&m.Email, p.email)
			return m, nil
		}
		return body, err
	}
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

func (p profile) puts(id domain.PartnerID, m domain.MemberID) []eventlog.KV {
	var puts []eventlog.KV
	if p.name != nil {
		puts = append(puts, eventlog.KV{Key: projections.NameKey(id, m), Value: []byte(*p.name)})
	}
	if p.email != nil {
		puts = append(puts, eventlog.KV{Key: projections.EmailKey(id, m), Value: []byte(*p.email)})
	}
	return puts
}

// replaces is puts over what is there: the former name or address is erased like that of a member who
// is removed.
func (p profile) replaces(id domain.PartnerID, m domain.MemberID) []eventlog.KV {
	var puts []eventlog.KV
	for _, kv := range p.puts(id, m) {
		puts = append(puts, eventlog.KV{Key: kv.Key}, kv)
	}
	return puts
}

func addMember(q *writing, b *NewMember) (*intent, error) {
	p := profile{&b.Name, &b.Email}
	if err := p.faults(); err != nil {
		return nil, err
	}
	id := domain.MemberID("m-" + q.keys.suffix("member", q.id, 0)) // says nothing of the person
	return &intent{
		command: domain.AddMember{Partner: q.partner(), Member: id, Role: b.Role}, private: p.puts(q.partner(), id),
		status: http.StatusCreated, path: memberPath(q.partner(), id), read: readMember(q.partner(), id),
		show: p.show(q.call), refused: q.limited,
	}, nil
}

// MemberChange is the body that changes a member; what is absent stays.
type MemberChange struct {
	Name  *string      `json:"name,omitempty" maxLength:"200"`
	Email *string      `json:"email,omitempty" format:"email" maxLength:"320"`
	Role  *domain.Role `json:"role,omitempty" enum:"manager,viewer"`
}

func editMember(q *writing, b *MemberChange) (*intent, error) {
	if *b == (MemberChange{}) {
		return nil, errNothingToChange
	}
	p := profile{b.Name, b.Email}
	if err := p.faults(); err != nil {
		return nil, err
	}
	return &intent{
		command: domain.EditMember{Partner: q.partner(), Member: q.member(), Role: b.Role}, private: p.replaces(q.partner(), q.member()),
		status: http.StatusOK, path: memberPath(q.partner(), q.member()), read: readMember(q.partner(), q.member()),
		show: p.show(q.call), refused: q.limited,
	}, nil
}

func removeMember(q *writing) (*intent, error) {
	return &intent{
		command: domain.RemoveMember{Partner: q.partner(), Member: q.member()},
		private: []eventlog.KV{{Key: projections.NameKey(q.partner(), q.member())}, {Key: projections.EmailKey(q.partner(), q.member())}},
		status:  http.StatusNoContent, path: memberPath(q.partner(), q.member()), refused: q.limited,
	}, nil
}

func listTokens(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Tokens(q.partner()), func(t projections.Token) string { return string(t.ID) })
	return projections.Answer{
		Version: v.Version(), Body: projections.Tokens{Partner: q.partner(), Tokens: list, NextCursor: next},
	}, a.err()
}

func getToken(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readToken(q.partner(), q.token())(v)
}

func readToken(p domain.PartnerID, id domain.TokenID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		t, ok := v.Token(p, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: t.Version, Body: t}, nil
	}
}

// NewToken is the body that issues a token.
type NewToken struct {
	ID         domain.TokenID       `json:"id,omitempty" doc:"Derived from the name unless given."`
	Name       string               `json:"name" maxLength:"200" doc:"Stays in the history: name the device or the program, not the person."`
	Member     domain.MemberID      `json:"member,omitempty" doc:"In whose name it acts; without one it stands for a program of its own."`
	Role       domain.Role          `json:"role" enum:"manager,viewer"`
	ExpiresAt  time.Time            `json:"expires_at,omitzero" doc:"Never unless given."`
	Agreements []domain.AgreementID `json:"agreements,omitempty" doc:"What it is limited to; all of the partner's unless given."`
}

// IssuedToken is a token with its secret.
type IssuedToken struct {
	projections.Token
	Secret string `json:"token" doc:"Shown this once."`
}

func issueToken(q *writing, b *NewToken) (*intent, error) {
	p, secret := q.partner(), q.keys.token(q.id)
	id := domain.TokenID(q.keys.given(string(b.ID), b.Name, "token", q.id))
	hash := sha256.Sum256([]byte(secret))
	if err := q.sees(b.Agreements); err != nil {
		return nil, err
	}
	return &intent{
		command: domain.IssueToken{
			Partner: p, Token: id, Name: b.Name, Member: b.Member, Role: b.Role, Hash: hash[:],
			ExpiresAt: b.ExpiresAt.UTC(), Agreements: b.Agreements,
		},
		status: http.StatusCreated, path: path(partnerPath(p)+"/tokens", id), read: readToken(p, id),
		show: func(_ context.Context, body any) (any, error) {
			t, _ := body.(projections.Token)
			return IssuedToken{t, secret}, nil
		},
		refused: q.limited,
	}, nil
}

// sees refuses agreements that the token's partner is no party of. The operator knows none of them
// and is not asked.
func (q *writing) sees(ids []domain.AgreementID) error {
	if q.who.Operator {
		for _, id := range ids {
			if !domain.ValidSlug(string(id)) {
				return invalid(domain.FieldError{Field: "agreements", Message: "has something that is no id"})
			}
		}
		return nil
	}
	return q.Image.View(q.who.Viewer, func(v *projections.View) error {
		for _, id := range ids {
			if !v.SeesAgreement(id) {
				return invalid(domain.FieldError{Field: "agreements", Message: "has an agreement that you cannot see"})
			}
		}
		return nil
	})
}

func revokeToken(q *writing) (*intent, error) {
	return &intent{
		command: domain.RevokeToken{Partner: q.partner(), Token: q.token()},
		status:  http.StatusNoContent, path: path(partnerPath(q.partner())+"/tokens", q.token()), refused: q.limited,
	}, nil
}

// address reports whether s is a bare e-mail address (RFC 5322).
func address(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 320
}
