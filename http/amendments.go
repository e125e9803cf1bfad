package http

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"tandem/domain"
	"tandem/projections"
)

const (
	amendmentsPath   = "/v1/agreements/{agreement}/amendments"
	oneAmendmentPath = amendmentsPath + "/{amendment}"
)

func amendmentRoutes() []*route {
	action := func(name, summary, callers string, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, name+"Amendment", oneAmendmentPath+"/"+name, summary, callers, amendmentVisible, projections.Amendment{}, handler)
	}
	return []*route{
		readRoute("listAmendments", amendmentsPath, "The agreement's amendments, by number", anyParty, agreementVisible,
			projections.Amendments{}, listAmendments, listParameters()...),
		createRoute("proposeAmendment", amendmentsPath, "Propose to change signed terms, to add or end legal parts, or that partners join; it takes every party's signature",
			partyManager, agreementVisible, projections.Amendment{}, command(proposeAmendment)),
		readRoute("getAmendment", oneAmendmentPath, "One amendment; signatures shows who has signed", anyParty, amendmentVisible,
			projections.Amendment{}, getAmendment),
		action("sign", "Sign for one's partner; with the last signature all of it is in force", signer, command(signAmendment)),
		action("reject", "Reject, with a reason; this closes the amendment. Who was invited by it gets 204: it sees nothing any more", signer,
			command(rejectAmendment)).mayHideResource(),
		action("withdraw", "Take back one's own amendment", proposer, command(withdrawAmendment)),
	}
}

// amendment returns the number of the amendment in the path, which names it by its number, or by its
// key before the number was known; 0: there is none.
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
	list, next := paginate(query, view.Amendments(req.agreement()), func(amendment projections.Amendment) string { return fmt.Sprintf("%09d", amendment.Number) })
	return projections.Answer{
		Version: view.AgreementVersion(req.agreement()), Agreement: req.agreement(),
		Body: projections.Amendments{Agreement: req.agreement(), Amendments: list, NextCursor: next},
	}, query.err()
}

func getAmendment(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readAmendment(req.agreement(), req.amendment)(view)
}

// readAmendment reads an amendment whose number is found in the view.
func readAmendment(agreement domain.AgreementID, number func(*projections.View) int) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		amendment, ok := view.Amendment(agreement, number(view))
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: amendment.Version, Body: amendment, Agreement: agreement}, nil
	}
}

// NewAmendment is the body that proposes an amendment.
type NewAmendment struct {
	Title   string        `json:"title" maxLength:"200"`
	Changes TermsProposal `json:"changes"`
}

// TermsProposal says what an amendment changes; what is absent stays.
type TermsProposal struct {
	Title                 *string              `json:"title,omitempty" maxLength:"200" doc:"The agreement's own."`
	ExpiresOn             domain.Date          `json:"expires_on,omitzero"`
	NoEnd                 bool                 `json:"no_end,omitempty" doc:"The agreement has no last day any more."`
	AcceptanceDays        *int                 `json:"acceptance_days,omitempty" minimum:"0" maximum:"365"`
	DeemedAcceptance      *bool                `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int                 `json:"forecast_tolerance_days,omitempty" minimum:"0" maximum:"3650"`
	AddInstruments        []InstrumentProposal `json:"add_instruments,omitempty" maxItems:"50"`
	EndInstruments        []InstrumentEnding   `json:"end_instruments,omitempty" maxItems:"50"`
	Join                  []JoiningProposal    `json:"join,omitempty" maxItems:"20" doc:"Partners that are to become parties. They are let in when all present parties have signed."`
}

// InstrumentProposal is a legal part that an amendment adds.
type InstrumentProposal struct {
	ID          domain.InstrumentID                    `json:"id"`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title" maxLength:"200"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles,omitempty" doc:"licensors; assignor and assignee; supplier and customer."`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   domain.Date                            `json:"expires_on,omitzero"`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []domain.ScheduleItem                  `json:"schedule,omitempty"`
	Obligations []domain.Obligation                    `json:"obligations,omitempty" maxItems:"200" doc:"What its clauses oblige whom to."`
}

// JoiningProposal is a partner that is to become a party.
type JoiningProposal struct {
	Partner   domain.PartnerID `json:"partner"`
	SharePast bool             `json:"share_past,omitempty" doc:"Only false: a partner that joins sees from its invitation on."`
}

// InstrumentEnding moves the last day of a legal part.
type InstrumentEnding struct {
	ID        domain.InstrumentID `json:"id"`
	ExpiresOn domain.Date         `json:"expires_on"`
}

func (p *TermsProposal) changes() domain.AmendmentChanges {
	changes := domain.AmendmentChanges{Terms: domain.TermsChange{
		Title: p.Title, ExpiresOn: p.ExpiresOn, NoEnd: p.NoEnd, AcceptanceDays: p.AcceptanceDays,
		DeemedAcceptance: p.DeemedAcceptance, ForecastToleranceDays: p.ForecastToleranceDays,
	}}
	for _, joining := range p.Join {
		changes.Join = append(changes.Join, domain.Joining{Partner: joining.Partner})
	}
	for _, instrument := range p.AddInstruments {
		changes.AddInstruments = append(changes.AddInstruments, domain.Instrument{
			ID: instrument.ID, Kind: instrument.Kind, Title: instrument.Title, Roles: instrument.Roles, EffectiveOn: instrument.EffectiveOn, ExpiresOn: instrument.ExpiresOn,
			Disclosure: instrument.Disclosure, Schedule: instrument.Schedule, Obligations: instrument.Obligations,
		})
	}
	for _, ending := range p.EndInstruments {
		changes.EndInstruments = append(changes.EndInstruments, domain.InstrumentEnd{ID: ending.ID, ExpiresOn: ending.ExpiresOn})
	}
	return changes
}

func proposeAmendment(req *writeCall, body *NewAmendment) (*intent, error) {
	agreement, key := req.agreement(), "a-"+req.derive.suffix("amendment", req.commandID, 0)
	changes := body.Changes.changes()
	var joiners []domain.PartnerID
	for _, joining := range changes.Join {
		joiners = append(joiners, joining.Partner)
	}
	if slices.ContainsFunc(body.Changes.Join, func(joining JoiningProposal) bool { return joining.SharePast }) {
		return nil, invalid(domain.FieldError{Field: "changes", Message: "share_past is not possible: a partner that joins sees from its invitation on"})
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

// amendmentIntent is the intent of a command on the amendment in the path, which there is.
func (c *writeCall) amendmentIntent(commandOn func(number int) domain.Command) *intent {
	var number int
	_ = c.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // never an error
		number = c.amendment(view)
		return nil
	})
	agreement := c.agreement()
	return &intent{
		command: commandOn(number), status: http.StatusOK, path: amendmentPath(agreement, number),
		read: readAmendment(agreement, func(*projections.View) int { return number }),
	}
}

func signAmendment(req *writeCall, body *Signing) (*intent, error) {
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}, Signatory: body.Signatory, SignedOn: body.SignedOn}
	}), nil
}

// AmendmentRefusal is the body that rejects an amendment.
type AmendmentRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}

func rejectAmendment(req *writeCall, body *AmendmentRefusal) (*intent, error) {
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.RejectAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}, Reason: body.Reason}
	}), nil
}

func withdrawAmendment(req *writeCall, _ *Nothing) (*intent, error) {
	return req.amendmentIntent(func(n int) domain.Command {
		return domain.WithdrawAmendment{AmendmentRef: domain.AmendmentRef{Agreement: req.agreement(), Number: n}}
	}), nil
}
