package http

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/mail"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

func directoryRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, operationID: "listMembers", path: "/v1/partners/{partner}/members", summary: "The partner's members", callers: directoryRead,
			visibleTo: directoryVisible, responseBody: api.Members{}, query: listParameters(), handle: computed(listMembers),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		createRoute("addMember", "/v1/partners/{partner}/members", "Add a member", directoryWrite, directoryVisible, api.Member{}, command(addMember)),
		{
			method: http.MethodGet, operationID: "getMember", path: "/v1/partners/{partner}/members/{member}", summary: "One member", callers: directoryRead,
			visibleTo: memberVisible, responseBody: api.Member{}, handle: computed(getMember),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		changeRoute(http.MethodPatch, "editMember", "/v1/partners/{partner}/members/{member}", "Change a member's role, name, address or permission to sign",
			directoryWrite, memberVisible, api.Member{}, command(editMember)),
		removeRoute("removeMember", "/v1/partners/{partner}/members/{member}", "Remove a member and erase name and address; the member's tokens are revoked",
			directoryWrite, memberVisibleOrRepeat, deletion(removeMember)),
		readRoute("listTokens", "/v1/partners/{partner}/tokens", "The partner's tokens, without their secrets", directoryRead, directoryVisible,
			api.Tokens{}, listTokens, listParameters()...),
		createRoute("issueToken", "/v1/partners/{partner}/tokens", "Issue a token, which only this response shows", directoryWrite, directoryVisible,
			api.IssuedToken{}, command(issueToken)),
		readRoute("getToken", "/v1/partners/{partner}/tokens/{token}", "One token, without its secret", directoryRead, tokenVisible, api.Token{}, getToken),
		changeRoute(http.MethodPost, "confirmToken", "/v1/partners/{partner}/tokens/{token}/confirm",
			"Confirm a token of the operator; tokens issued with it from then on are the partner's own", tokenConfirmer, tokenVisible, api.Token{},
			command(confirmToken)),
		removeRoute("revokeToken", "/v1/partners/{partner}/tokens/{token}", "Revoke a token at once", directoryWrite, tokenVisible, deletion(revokeToken)),
	}
}

func (c *call) member() domain.MemberID { return domain.MemberID(c.echoCtx.Param("member")) }

func (c *call) token() domain.TokenID { return domain.TokenID(c.echoCtx.Param("token")) }

func memberPath(partner domain.PartnerID, member domain.MemberID) string {
	return joinPath(partnerPath(partner)+"/members", member)
}

func listMembers(req *call) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	out := api.Members{Partner: req.partner()}
	var version uint64
	err = req.cfg.ReadModel.View(req.caller.Viewer, func(view *projections.View) error {
		version = view.Version()
		out.Members, out.NextCursor = paginate(query, view.Members(req.partner()), func(member api.Member) string { return string(member.ID) })
		return query.err()
	})
	if err == nil {
		err = req.cfg.ReadModel.FillProfiles(req.request.Context(), req.partner(), out.Members)
	}
	return projections.Answer{Version: version, Body: out}, err
}

func getMember(req *call) (answer projections.Answer, err error) {
	if _, err := req.queryValues(); err != nil {
		return answer, err
	}
	err = req.cfg.ReadModel.View(req.caller.Viewer, func(view *projections.View) error {
		answer, err = readMember(req.partner(), req.member())(view)
		return err
	})
	if err == nil {
		answer.Body, err = req.withProfile(req.request.Context(), answer.Body)
	}
	return answer, err
}

func readMember(partner domain.PartnerID, id domain.MemberID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		member, ok := view.Member(partner, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: member.Version, Body: member}, nil
	}
}

// withProfile adds the values stored outside the chain.
func (c *call) withProfile(ctx context.Context, body any) (any, error) {
	member, ok := body.(api.Member)
	if !ok {
		return body, nil
	}
	var err error
	member.Name, member.Email, err = c.cfg.ReadModel.Profile(ctx, member.Partner, member.ID)
	return member, err
}

// memberProfile contains a request's values that are stored as key–value entries; nil: not given.
type memberProfile struct{ name, email *string }

func (p memberProfile) validate() error {
	var fieldErrors []domain.FieldError
	if p.name != nil && (*p.name == "" || len([]rune(*p.name)) > 100) {
		fieldErrors = append(fieldErrors, domain.FieldError{Field: "name", Message: "must have 1 to 100 characters"})
	} else if p.name != nil && domain.UnreadableReason(*p.name, true) != "" {
		fieldErrors = append(fieldErrors, domain.FieldError{Field: "name", Message: domain.UnreadableReason(*p.name, true)})
	} else if p.name != nil && domain.PlainMemberName(*p.name) != *p.name {
		fieldErrors = append(fieldErrors, domain.FieldError{Field: "name", Message: "must consist of letters, digits, spaces and - ' . , & /"})
	}
	if p.email != nil && !validEmail(*p.email) {
		fieldErrors = append(fieldErrors, domain.FieldError{Field: "email", Message: "must be an address such as name@company.example"})
	}
	if len(fieldErrors) > 0 {
		return invalid(fieldErrors...)
	}
	return nil
}

// completeMember adds stored values to the response. Values given in the request take precedence, so that a repeat
// does not show later changes by others. Values not given are shown as they are now, because earlier ones are erased.
func (p memberProfile) completeMember(req *call) func(context.Context, any) (any, error) {
	return func(ctx context.Context, body any) (any, error) {
		body, err := req.withProfile(ctx, body)
		if member, ok := body.(api.Member); ok && err == nil {
			setIfGiven(&member.Name, p.name)
			setIfGiven(&member.Email, p.email)
			return member, nil
		}
		return body, err
	}
}

func setIfGiven[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func (p memberProfile) entries(id domain.PartnerID, member domain.MemberID) []eventlog.KV {
	var entries []eventlog.KV
	if p.name != nil {
		entries = append(entries, eventlog.KV{Key: projections.NameKey(id, member), Value: []byte(*p.name)})
	}
	if p.email != nil {
		entries = append(entries, eventlog.KV{Key: projections.EmailKey(id, member), Value: []byte(*p.email)})
	}
	return entries
}

// replacements returns puts that erase the previous values, as at the removal of a member.
func (p memberProfile) replacements(id domain.PartnerID, member domain.MemberID) []eventlog.KV {
	var entries []eventlog.KV
	for _, kv := range p.entries(id, member) {
		entries = append(entries, eventlog.KV{Key: kv.Key}, kv)
	}
	return entries
}

func addMember(req *writeCall, body *api.NewMember) (*intent, error) {
	profile := memberProfile{&body.Name, &body.Email}
	if err := profile.validate(); err != nil {
		return nil, err
	}
	id := domain.MemberID("m-" + req.derive.suffix("member", req.commandID, 0)) // discloses nothing about the person
	return &intent{
		command:   domain.AddMember{MemberRef: domain.MemberRef{Partner: req.partner(), Member: id}, Role: body.Role, MaySign: body.MaySign},
		privateKV: profile.entries(req.partner(), id),
		status:    http.StatusCreated, path: memberPath(req.partner(), id), read: readMember(req.partner(), id),
		complete: profile.completeMember(req.call), mapRejection: req.explainTokenLimit,
	}, nil
}

func editMember(req *writeCall, body *api.MemberChange) (*intent, error) {
	if *body == (api.MemberChange{}) {
		return nil, errNothingToChange
	}
	profile := memberProfile{body.Name, body.Email}
	if err := profile.validate(); err != nil {
		return nil, err
	}
	return &intent{
		command:   domain.EditMember{MemberRef: domain.MemberRef{Partner: req.partner(), Member: req.member()}, Role: body.Role, MaySign: body.MaySign},
		privateKV: profile.replacements(req.partner(), req.member()),
		status:    http.StatusOK, path: memberPath(req.partner(), req.member()), read: readMember(req.partner(), req.member()),
		complete: profile.completeMember(req.call), mapRejection: req.explainTokenLimit,
	}, nil
}

func removeMember(req *writeCall) (*intent, error) {
	return &intent{
		command:   domain.RemoveMember{MemberRef: domain.MemberRef{Partner: req.partner(), Member: req.member()}},
		privateKV: []eventlog.KV{{Key: projections.NameKey(req.partner(), req.member())}, {Key: projections.EmailKey(req.partner(), req.member())}},
		status:    http.StatusNoContent, path: memberPath(req.partner(), req.member()), mapRejection: req.explainTokenLimit,
	}, nil
}

func listTokens(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Tokens(req.partner()), func(token api.Token) string { return string(token.ID) })
	return projections.Answer{
		Version: view.Version(), Body: api.Tokens{Partner: req.partner(), Tokens: list, NextCursor: next},
	}, query.err()
}

func getToken(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readToken(req.partner(), req.token())(view)
}

func readToken(partner domain.PartnerID, id domain.TokenID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		token, ok := view.Token(partner, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: token.Version, Body: token}, nil
	}
}

func issueToken(req *writeCall, body *api.NewToken) (*intent, error) {
	partner, secret := req.partner(), req.derive.token(req.commandID)
	hash := sha256.Sum256([]byte(secret))
	if err := req.checkAgreements(body.Agreements); err != nil {
		return nil, err
	}
	return req.create(string(body.ID), body.Name, "token", false, func(chosen string) (*intent, error) {
		id := domain.TokenID(chosen)
		return &intent{
			command: domain.IssueToken{
				TokenRef: domain.TokenRef{Partner: partner, Token: id}, Name: body.Name, Member: body.Member, Role: body.Role, Hash: hash[:],
				ExpiresAt: body.ExpiresAt.UTC(), Agreements: body.Agreements,
			},
			status: http.StatusCreated, path: joinPath(partnerPath(partner)+"/tokens", id), read: readToken(partner, id),
			complete: func(_ context.Context, body any) (any, error) {
				token, _ := body.(api.Token)
				return api.IssuedToken{Token: token, Secret: secret}, nil
			},
			mapRejection: req.explainTokenLimit,
		}, nil
	})
}

// checkAgreements refuses agreements to which the token's partner is not a party. It does not apply to the operator,
// who cannot see agreements.
func (c *writeCall) checkAgreements(ids []domain.AgreementID) error {
	if c.caller.Operator {
		for _, id := range ids {
			if !domain.ValidSlug(string(id)) {
				return invalid(domain.FieldError{Field: "agreements", Message: "contains a value that is not an id"})
			}
		}
		return nil
	}
	return c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error {
		for _, id := range ids {
			if !view.AgreementVisible(id) {
				return invalid(domain.FieldError{Field: "agreements", Message: "contains an agreement that you cannot see"})
			}
		}
		return nil
	})
}

func confirmToken(req *writeCall, _ *api.Nothing) (*intent, error) {
	return &intent{
		command: domain.ConfirmToken{TokenRef: domain.TokenRef{Partner: req.partner(), Token: req.token()}},
		status:  http.StatusOK, path: joinPath(partnerPath(req.partner())+"/tokens", req.token()), read: readToken(req.partner(), req.token()),
		mapRejection: req.explainTokenLimit,
	}, nil
}

func revokeToken(req *writeCall) (*intent, error) {
	return &intent{
		command: domain.RevokeToken{TokenRef: domain.TokenRef{Partner: req.partner(), Token: req.token()}},
		status:  http.StatusNoContent, path: joinPath(partnerPath(req.partner())+"/tokens", req.token()), mapRejection: req.explainTokenLimit,
	}, nil
}

// validEmail reports whether text is a bare e-mail address (RFC 5322).
func validEmail(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && len(text) <= 320
}
