package http

import (
	"net/http"
	"slices"
	"strings"

	"tandem/domain"
	"tandem/projections"
)

func agreementRoutes() []*route {
	const all, one = "/v1/agreements", "/v1/agreements/{agreement}"
	return []*route{
		readRoute("listAgreements", all, "The agreements that one's partner is party to", anyMember, nil,
			projections.Agreements{}, listAgreements, listParameters()...).withDependency((*projections.View).Intact),
		createRoute("draftAgreement", all, "Draft an agreement; an id chosen by anyone but the operator gets a suffix",
			"a manager of one of the parties, or the operator between others", nil, projections.Agreement{}, command(draftAgreement)),
		readRoute("getAgreement", one, "One agreement", anyParty, agreementVisible, projections.Agreement{}, getAgreement),
		changeRoute(http.MethodPatch, "editAgreement", one, "Edit a draft; this voids the signatures", partyManager, agreementVisible,
			projections.Agreement{}, command(editAgreement)),
		changeRoute(http.MethodPost, "signAgreement", one+"/sign", "Sign for one's partner; the last signature makes it active. With If-Match it is bound to what was read: 412 when somebody edited it since",
			partyManager, agreementVisible, projections.Agreement{}, command(signAgreement)),
		changeRoute(http.MethodPost, "terminateAgreement", one+"/terminate", "Call the agreement's end, which takes every party, or give notice",
			partyManager, agreementVisible, projections.Agreement{}, command(terminateAgreement)),
		{
			method: http.MethodGet, operationID: "listAgreementEvents", path: one + "/events",
			summary: "The agreement's feed, oldest first; live with Accept: text/event-stream", callers: anyParty,
			visibleTo: agreementVisible, responseBody: projections.Events{}, query: feedParameters(), feed: true, handle: agreementEvents,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

// scopeAgreements returns the agreements that the token is limited to; none: it is not.
func (c *call) scopeAgreements() []domain.AgreementID {
	ids := []domain.AgreementID{}
	if c.caller.Scope == "" {
		return ids
	}
	for id := range strings.SplitSeq(c.caller.Scope, ",") {
		ids = append(ids, domain.AgreementID(id))
	}
	return ids
}

func listAgreements(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Agreements(), func(agreement projections.Agreement) string { return string(agreement.ID) })
	return projections.Answer{Version: view.Version(), Body: projections.Agreements{Agreements: list, NextCursor: next}}, query.err()
}

func getAgreement(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readAgreement(req.agreement())(view)
}

func readAgreement(id domain.AgreementID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		agreement, ok := view.Agreement(id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: agreement.Version, Body: agreement, Agreement: id}, nil
	}
}

// NewAgreement is the body that drafts an agreement.
type NewAgreement struct {
	ID                    domain.AgreementID `json:"id,omitempty" doc:"Derived from the title unless given."`
	Title                 string             `json:"title" maxLength:"200"`
	Parties               []domain.PartnerID `json:"parties" minItems:"2"`
	EffectiveOn           domain.Date        `json:"effective_on"`
	ExpiresOn             domain.Date        `json:"expires_on,omitzero" nullable:"true" doc:"Its last day; no end unless given."`
	AcceptanceDays        int                `json:"acceptance_days" minimum:"0" maximum:"365" doc:"Working days in which a delivery is decided; 0: no limit."`
	DeemedAcceptance      bool               `json:"deemed_acceptance" doc:"Whether silence becomes acceptance when they have run out."`
	ForecastToleranceDays int                `json:"forecast_tolerance_days" minimum:"0" maximum:"3650"`
}

func draftAgreement(req *writeCall, body *NewAgreement) (*intent, error) {
	var id domain.AgreementID
	base := req.derive.resourceID(string(body.ID), body.Title, "agreement", req.commandID)
	if req.caller.Operator {
		id = domain.AgreementID(base)
		if err := req.setCommandID(domain.Stream{Agreement: id}.Root()); err != nil {
			return nil, err
		}
	} else {
		if body.ID != "" && !domain.ValidSlug(string(body.ID)) {
			return nil, invalid(domain.FieldError{Field: "id", Message: "is not an id: 1 to 63 of a-z, 0-9 and hyphen"})
		}
		id = req.derive.agreementID(base, req.commandID)
	}
	if err := req.checkPartners("parties", body.Parties); err != nil {
		return nil, err
	}
	if err := req.checkAcceptNew(); err != nil {
		return nil, err
	}
	intent := &intent{
		command: domain.DraftAgreement{AgreementID: id, Terms: domain.Terms{
			Title: body.Title, Parties: body.Parties, EffectiveOn: body.EffectiveOn, ExpiresOn: body.ExpiresOn,
			AcceptanceDays: body.AcceptanceDays, DeemedAcceptance: body.DeemedAcceptance, ForecastToleranceDays: body.ForecastToleranceDays,
		}},
		status: http.StatusCreated, path: agreementPath(id), read: readAgreement(id), mapRejection: req.explainTokenLimit,
	}
	if req.caller.Operator && len(body.Parties) > 0 {
		intent.readAs = &projections.Viewer{Partner: body.Parties[0]} // it may read back what it has just said, and nothing later
	}
	return intent, nil
}

// checkPartners refuses parties that do not exist or that the caller may not know; the two look the same.
func (c *writeCall) checkPartners(field string, parties []domain.PartnerID) error {
	return c.ReadModel.View(c.caller.Viewer, func(view *projections.View) error {
		for _, partner := range parties {
			if partner != c.caller.Partner && !view.PartnerVisible(partner) {
				return &refusal{
					status: http.StatusUnprocessableEntity, code: "unknown_partner", detail: "There is no partner " + string(partner) + " that you can see.",
					fields: []domain.FieldError{{Field: field, Message: "has a partner that you cannot see"}},
				}
			}
		}
		return nil
	})
}

// AgreementChange is the body that edits a draft; what is absent stays.
type AgreementChange struct {
	Title                 *string             `json:"title,omitempty" maxLength:"200"`
	Parties               *[]domain.PartnerID `json:"parties,omitempty" minItems:"2"`
	EffectiveOn           *domain.Date        `json:"effective_on,omitempty"`
	ExpiresOn             *domain.Date        `json:"expires_on,omitempty" nullable:"true"`
	AcceptanceDays        *int                `json:"acceptance_days,omitempty" minimum:"0" maximum:"365"`
	DeemedAcceptance      *bool               `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int                `json:"forecast_tolerance_days,omitempty" minimum:"0" maximum:"3650"`
}

func editAgreement(req *writeCall, body *AgreementChange) (*intent, error) {
	if *body == (AgreementChange{}) {
		return nil, errNothingToChange
	}
	if body.Parties != nil {
		if err := req.checkPartners("parties", *body.Parties); err != nil {
			return nil, err
		}
	}
	id, noEnd := req.agreement(), body.ExpiresOn != nil && *body.ExpiresOn == 0
	return &intent{
		command: domain.EditAgreement{
			AgreementID: id, NoEnd: noEnd, Title: body.Title, Parties: body.Parties, EffectiveOn: body.EffectiveOn, ExpiresOn: body.ExpiresOn,
			AcceptanceDays: body.AcceptanceDays, DeemedAcceptance: body.DeemedAcceptance, ForecastToleranceDays: body.ForecastToleranceDays,
		},
		status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

// Signing is the body that signs.
type Signing struct {
	Signatory string      `json:"signatory,omitempty" maxLength:"200" doc:"Who signed on paper."`
	SignedOn  domain.Date `json:"signed_on,omitzero" doc:"Today in the partner's zone unless given."`
}

func signAgreement(req *writeCall, body *Signing) (*intent, error) {
	id := req.agreement()
	return &intent{
		command: domain.SignAgreement{AgreementID: id, Signatory: body.Signatory, SignedOn: body.SignedOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

// Terminating is the body that calls an agreement's end or gives notice.
type Terminating struct {
	Mode        domain.TerminationMode `json:"mode" enum:"mutual,notice" doc:"mutual takes every party's call of the same day. notice ends the agreement of two; with three or more parties it withdraws only its giver."`
	Reason      string                 `json:"reason,omitempty" maxLength:"2000" doc:"A notice needs one."`
	EffectiveOn domain.Date            `json:"effective_on" doc:"The last day, in UTC."`
}

func terminateAgreement(req *writeCall, body *Terminating) (*intent, error) {
	id := req.agreement()
	return &intent{
		command: domain.TerminateAgreement{AgreementID: id, Mode: body.Mode, Reason: body.Reason, EffectiveOn: body.EffectiveOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func instrumentRoutes() []*route {
	const all = "/v1/agreements/{agreement}/instruments"
	return []*route{
		readRoute("listInstruments", all, "The agreement's legal parts", anyParty, agreementVisible, projections.Instruments{}, listInstruments, listParameters()...),
		createRoute("addInstrument", all, "Add a legal part to a draft; this voids the signatures", partyManager, agreementVisible,
			projections.Instrument{}, command(addInstrument)),
		readRoute("getInstrument", all+"/{instrument}", "One legal part", anyParty, instrumentVisible, projections.Instrument{}, getInstrument),
		changeRoute(http.MethodPatch, "noteInstrument", all+"/{instrument}", "Keep a private note on it, which only one's own partner sees",
			partyManager, instrumentVisible, projections.Instrument{}, command(noteInstrument)),
		readRoute("getScheduleItem", all+"/{instrument}/schedule/{item}", "One line of its annex", anyParty, scheduleItemVisible,
			projections.ScheduleItem{}, getScheduleItem),
		changeRoute(http.MethodPatch, "moveScheduleItem", all+"/{instrument}/schedule/{item}",
			"Say that an item is delivered, or recorded at the patent office, once the milestones that name it are accepted", roleManager,
			scheduleItemVisible, projections.ScheduleItem{}, command(moveScheduleItem)),
	}
}

func listInstruments(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	agreement, _ := view.Agreement(req.agreement())
	list, next := paginate(query, view.Instruments(req.agreement()), func(instrument projections.Instrument) string { return string(instrument.ID) })
	return projections.Answer{
		Version: agreement.Version, Agreement: req.agreement(),
		Body: projections.Instruments{Agreement: req.agreement(), Instruments: list, NextCursor: next},
	}, query.err()
}

func getInstrument(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readInstrument(req.agreement(), req.instrument())(view)
}

func readInstrument(agreement domain.AgreementID, id domain.InstrumentID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		instrument, ok := view.Instrument(agreement, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		parent, _ := view.Agreement(agreement)
		return projections.Answer{Version: parent.Version, Body: instrument, Agreement: agreement}, nil
	}
}

// InstrumentChange is the body that changes what one's own partner notes on a legal part; its terms change with
// the agreement.
type InstrumentChange struct {
	PrivateNote string `json:"private_note" maxLength:"10000" doc:"An empty one removes it."`
}

func noteInstrument(req *writeCall, body *InstrumentChange) (*intent, error) {
	agreement, instrument := req.agreement(), req.instrument()
	return &intent{
		command: domain.NoteInstrument{AgreementID: agreement, Instrument: instrument, Note: body.PrivateNote},
		status:  http.StatusOK, path: joinPath(agreementPath(agreement)+"/instruments", instrument), read: readInstrument(agreement, instrument),
	}, nil
}

func getScheduleItem(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readScheduleItem(req.agreement(), req.instrument(), domain.ItemID(req.echoCtx.Param("item")))(view)
}

func readScheduleItem(agreement domain.AgreementID, instrument domain.InstrumentID, id domain.ItemID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		item, ok := findScheduleItem(view, agreement, instrument, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		parent, _ := view.Agreement(agreement)
		return projections.Answer{Version: parent.Version, Body: item, Agreement: agreement}, nil
	}
}

// ItemChange is the body that moves a schedule item.
type ItemChange struct {
	State domain.ItemState `json:"state" enum:"delivered,recorded" doc:"recorded is for a patent_assignment; nothing goes back."`
}

func moveScheduleItem(req *writeCall, body *ItemChange) (*intent, error) {
	agreement, instrument, item := req.agreement(), req.instrument(), domain.ItemID(req.echoCtx.Param("item"))
	return &intent{
		command: domain.MoveItem{AgreementID: agreement, Instrument: instrument, Item: item, State: body.State},
		status:  http.StatusOK, path: joinPath(joinPath(agreementPath(agreement)+"/instruments", instrument)+"/schedule", item), read: readScheduleItem(agreement, instrument, item),
	}, nil
}

func findScheduleItem(view *projections.View, agreement domain.AgreementID, instrumentID domain.InstrumentID, id domain.ItemID) (projections.ScheduleItem, bool) {
	holder, _ := view.Instrument(agreement, instrumentID)
	i := slices.IndexFunc(holder.Schedule, func(item projections.ScheduleItem) bool { return item.ID == id })
	if i < 0 {
		return projections.ScheduleItem{}, false
	}
	return holder.Schedule[i], true
}

// NewInstrument is the body that adds a legal part.
type NewInstrument struct {
	ID          domain.InstrumentID                    `json:"id,omitempty" doc:"Derived from the title unless given."`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title" maxLength:"200"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles,omitempty" doc:"licensors; assignor and assignee; supplier and customer."`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   domain.Date                            `json:"expires_on,omitzero" nullable:"true"`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []domain.ScheduleItem                  `json:"schedule,omitempty"`
	Obligations []domain.Obligation                    `json:"obligations,omitempty" maxItems:"200" doc:"What its clauses oblige whom to."`
}

func addInstrument(req *writeCall, body *NewInstrument) (*intent, error) {
	agreement := req.agreement()
	id := domain.InstrumentID(req.derive.resourceID(string(body.ID), body.Title, "instrument", req.commandID))
	return &intent{
		command: domain.AddInstrument{AgreementID: agreement, Instrument: domain.Instrument{
			ID: id, Kind: body.Kind, Title: body.Title, Roles: body.Roles, EffectiveOn: body.EffectiveOn, ExpiresOn: body.ExpiresOn,
			Disclosure: body.Disclosure, Schedule: body.Schedule, Obligations: body.Obligations,
		}},
		status: http.StatusCreated, path: joinPath(agreementPath(agreement)+"/instruments", id), read: readInstrument(agreement, id),
	}, nil
}
