package http

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func amendmentRoutes() []*route {
	action := func(path, summary, callers string, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, lastSegment(path)+"Amendment", path, summary, callers, amendmentVisible, api.Amendment{}, handler)
	}
	return []*route{
		readRoute("listAmendments", "/v1/agreements/{agreement}/amendments", "The agreement's amendments, by number", anyParty, agreementVisible,
			api.Amendments{}, listAmendments, listParameters()...),
		createRoute("proposeAmendment", "/v1/agreements/{agreement}/amendments", "Propose to change signed terms, add or end instruments, or add parties; requires every party's signature",
			partyManager, agreementVisible, api.Amendment{}, command(proposeAmendment)),
		readRoute("getAmendment", "/v1/agreements/{agreement}/amendments/{amendment}", "One amendment; signatures shows who has signed", anyParty, amendmentVisible,
			api.Amendment{}, getAmendment),
		readRoute("getAmendmentTerms", "/v1/agreements/{agreement}/amendments/{amendment}/terms", "The canonical document of the amendment, whose SHA-256 is terms_sha256 of its signatures", anyParty,
			amendmentVisible, media(jsonMedia), getAmendmentTerms, partParameter),
		action("/v1/agreements/{agreement}/amendments/{amendment}/sign", "Sign for the own partner; the amendment takes effect with the last signature", signer, command(signAmendment)),
		action("/v1/agreements/{agreement}/amendments/{amendment}/reject", "Reject, with a reason; this closes the amendment. An invited partner gets 204, because it can no longer see the amendment", signer,
			command(rejectAmendment)).mayHideResource(),
		action("/v1/agreements/{agreement}/amendments/{amendment}/withdraw", "Withdraw the own partner's amendment", proposer, command(withdrawAmendment)),
	}
}

// amendment returns the number of the amendment in the path, which contains the number, or the idempotency key's
// derived name before the number is known; 0: there is none.
func (c *call) amendment(view *projections.View) int {
	name := c.echoCtx.Param("amendment")
	if n, err := strconv.Atoi(name); err == nil {
		if strconv.Itoa(n) != name {
			return 0
		}
		return n
	}
	return view.AmendmentNumber(c.agreement(), name)
}

func amendmentVisible(req *call, view *projections.View) bool {
	_, ok := view.Amendment(req.agreement(), req.amendment(view))
	return ok
}

func amendmentPath(agreement domain.AgreementID, number int) string {
	return joinPath(agreementPath(agreement)+"/amendments", strconv.Itoa(number))
}

func listAmendments(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Amendments(req.agreement()), func(amendment api.Amendment) string { return fmt.Sprintf("%09d", amendment.Number) })
	return projections.Answer{
		Version: view.AgreementVersion(req.agreement()), Agreement: req.agreement(),
		Body: api.Amendments{Agreement: req.agreement(), Amendments: list, NextCursor: next},
	}, query.err()
}

func getAmendment(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readAmendment(req.agreement(), req.amendment)(view)
}

// readAmendment reads the amendment whose number is determined in the view.
func readAmendment(agreement domain.AgreementID, number func(*projections.View) int) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		amendment, ok := view.Amendment(agreement, number(view))
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: amendment.Version, Body: amendment, Agreement: agreement}, nil
	}
}

func amendmentChanges(proposal *api.TermsProposal) domain.AmendmentChanges {
	changes := domain.AmendmentChanges{Terms: domain.TermsChange{
		Title: proposal.Title, ExpiresOn: proposal.ExpiresOn, NoEnd: proposal.NoEnd, AcceptanceDays: proposal.AcceptanceDays,
		DeemedAcceptance: proposal.DeemedAcceptance, ForecastToleranceDays: proposal.ForecastToleranceDays, Announced: proposal.Announced,
		Term: proposal.Term, NoticeDays: proposal.NoticeDays,
	}}
	for _, joining := range proposal.Join {
		changes.Join = append(changes.Join, domain.Joining{Partner: joining.Partner})
	}
	for _, instrument := range proposal.AddInstruments {
		changes.AddInstruments = append(changes.AddInstruments, domain.Instrument{
			ID: instrument.ID, Kind: instrument.Kind, Title: instrument.Title, Roles: instrument.Roles, EffectiveOn: instrument.EffectiveOn, ExpiresOn: instrument.ExpiresOn,
			Term: instrument.Term, Disclosure: instrument.Disclosure, Schedule: instrument.Schedule, Obligations: instrument.Obligations,
			Documents: documents(instrument.Documents),
		})
	}
	changes.Documents = documents(proposal.Documents)
	for _, ending := range proposal.EndInstruments {
		changes.EndInstruments = append(changes.EndInstruments, domain.InstrumentEnd{ID: ending.ID, ExpiresOn: ending.ExpiresOn, Term: ending.Term})
	}
	return changes
}

func proposeAmendment(req *writeCall, body *api.NewAmendment) (*intent, error) {
	agreement, key := req.agreement(), "a-"+req.derive.suffix("amendment", req.commandID, 0)
	changes := amendmentChanges(&body.Changes)
	for i := range changes.AddInstruments {
		changes.AddInstruments[i].Salt = req.derive.salt(req.commandID, i)
	}
	var joiners []domain.PartnerID
	for _, joining := range changes.Join {
		joiners = append(joiners, joining.Partner)
	}
	if slices.ContainsFunc(body.Changes.Join, func(joining api.JoiningProposal) bool { return joining.SharePast }) {
		return nil, invalid(domain.FieldError{Field: "changes", Message: "share_past must be false: a joining partner sees events from its invitation on"})
	}
	if err := req.checkPartners("changes", joiners); err != nil {
		return nil, err
	}
	number := func(view *projections.View) int { return view.AmendmentNumber(agreement, key) }
	return &intent{
		command: domain.ProposeAmendment{AgreementID: agreement, Key: key, Title: body.Title, Changes: changes},
		status:  http.StatusCreated, path: joinPath(agreementPath(agreement)+"/amendments", key), read: readAmendment(agreement, number),
		findPath: func(view *projections.View) string { return amendmentPath(agreement, number(view)) },
	}, nil
}

// amendmentIntent returns the intent of a command on the existing amendment in the path.
func (c *writeCall) amendmentIntent(commandOn func(number int) domain.Command) *intent {
	var number int
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		number = c.amendment(view)
		return nil
	})
	agreement := c.agreement()
	return &intent{
		command: commandOn(number), status: http.StatusOK, path: amendmentPath(agreement, number),
		read: readAmendment(agreement, func(*projections.View) int { return number }),
	}
}

func getAmendmentTerms(req *call, view *projections.View) (projections.Answer, error) {
	values, err := req.queryValues()
	if err != nil {
		return projections.Answer{}, err
	}
	return termsAnswer(req, view, view.AmendmentDocument(req.agreement(), req.amendment(view), values.Get("part")))
}

func signAmendment(req *writeCall, body *api.Signing) (*intent, error) {
	signatory, err := req.signatory(body.Signatory)
	if err != nil {
		return nil, err
	}
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}, Signatory: signatory, SignedOn: body.SignedOn}
	}), nil
}

func rejectAmendment(req *writeCall, body *api.AmendmentRefusal) (*intent, error) {
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.RejectAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}, Reason: body.Reason}
	}), nil
}

func withdrawAmendment(req *writeCall, body *api.Withdrawing) (*intent, error) {
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.WithdrawAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}, Reason: body.Reason}
	}), nil
}
