package http

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func agreementRoutes() []*route {
	return []*route{
		readRoute("listAgreements", "/v1/agreements", "The agreements of the caller's partner", anyMember, nil,
			api.Agreements{}, listAgreements, listParameters()...).withDependency((*projections.View).Intact),
		createRoute("draftAgreement", "/v1/agreements", "Draft an agreement; an id chosen by anyone but the operator gets a suffix",
			"a manager of one of the parties, or the operator for other partners", nil, api.Agreement{}, command(draftAgreement)),
		readRoute("getAgreement", "/v1/agreements/{agreement}", "One agreement", anyParty, agreementVisible, api.Agreement{}, getAgreement),
		changeRoute(http.MethodPatch, "editAgreement", "/v1/agreements/{agreement}", "Edit a draft; this voids the signatures", partyManager, agreementVisible,
			api.Agreement{}, command(editAgreement)),
		changeRoute(http.MethodPost, "signAgreement", "/v1/agreements/{agreement}/sign", "Sign for the own partner; the last signature activates the agreement. With If-Match: 412 if the draft was edited since it was read",
			partyManager, agreementVisible, api.Agreement{}, command(signAgreement)),
		changeRoute(http.MethodPost, "declineAgreement", "/v1/agreements/{agreement}/decline", "Decline a draft, with a reason; this is final", partyManager, agreementVisible,
			api.Agreement{}, command(declineAgreement)),
		changeRoute(http.MethodPost, "withdrawAgreement", "/v1/agreements/{agreement}/withdraw", "Withdraw a draft of the own partner; this is final",
			"a manager of the party that drafted it", agreementVisible, api.Agreement{}, command(withdrawAgreement)),
		readRoute("getTerms", "/v1/agreements/{agreement}/terms", "The canonical document of the present terms, or of the terms with the given sha256: RFC 8785 JSON, whose SHA-256 is terms_sha256 of the agreement and, when it is signed, of the signatures. Instruments are named by the SHA-256 of their own canonical form, which part returns",
			anyParty, agreementVisible, media(jsonMedia), getTerms, sumParameter, partParameter),
		changeRoute(http.MethodPost, "terminateAgreement", "/v1/agreements/{agreement}/terminate", "Call a mutual termination, which requires every party, or give notice",
			partyManager, agreementVisible, api.Agreement{}, command(terminateAgreement)),
		changeRoute(http.MethodPost, "nameContactPersons", "/v1/agreements/{agreement}/contact-persons", "Name the contact persons of the own partner, or none; this voids no signature",
			partyManager, agreementVisible, api.Agreement{}, command(nameContactPersons)),
		{
			method: http.MethodGet, operationID: "listAgreementEvents", path: "/v1/agreements/{agreement}/events",
			summary: "The agreement's feed, oldest first; live with Accept: text/event-stream", callers: anyParty,
			visibleTo: agreementVisible, responseBody: api.Events{}, query: feedParameters(), feed: true, handle: agreementEvents,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

// scopeAgreements returns the agreements to which the token is limited; empty: no limit.
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
	list, next := paginate(query, view.Agreements(), func(agreement api.Agreement) string { return string(agreement.ID) })
	return projections.Answer{Version: view.Version(), Body: api.Agreements{Agreements: list, NextCursor: next}}, query.err()
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

func draftAgreement(req *writeCall, body *api.NewAgreement) (*intent, error) {
	var id domain.AgreementID
	if req.caller.Operator && body.ID != "" {
		id = body.ID
		if err := req.setCommandID(domain.Stream{Agreement: id}.Root()); err != nil {
			return nil, err
		}
	} else {
		base := string(body.ID)
		if base == "" {
			base = slugOr(body.Title, "agreement")
		} else if !domain.ValidSlug(base) {
			return nil, invalid(domain.FieldError{Field: "id", Message: "must have 1 to 63 characters of a-z, 0-9 and hyphen"})
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
			Announced: body.Announced,
			Term:      body.Term, NoticeDays: body.NoticeDays,
		}},
		status: http.StatusCreated, path: agreementPath(id), read: readAgreement(id), mapRejection: req.explainTokenLimit,
	}
	if req.caller.Operator && len(body.Parties) > 0 {
		intent.readAs = &projections.Viewer{Partner: body.Parties[0]} // the operator sees the response to its own request only
	}
	return intent, nil
}

func documents(list []api.DocumentInput) (documents []domain.Evidence) {
	for _, document := range list {
		documents = append(documents, domain.Evidence(document))
	}
	return documents
}

// changedDocuments returns nil for a list that is not given.
func changedDocuments(list *[]api.DocumentInput) *[]domain.Evidence {
	if list == nil {
		return nil
	}
	return new(documents(*list))
}

// checkPartners refuses parties that do not exist or are invisible to the caller, with the same error.
func (c *writeCall) checkPartners(field string, parties []domain.PartnerID) error {
	return c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error {
		for _, partner := range parties {
			if partner != c.caller.Partner && !view.PartnerVisible(partner) {
				return &refusal{
					status: http.StatusUnprocessableEntity, code: "unknown_partner", detail: "Partner " + string(partner) + " does not exist or is not visible to you.",
					fields: []domain.FieldError{{Field: field, Message: "contains a partner that you cannot see"}},
				}
			}
		}
		return nil
	})
}

func editAgreement(req *writeCall, body *api.AgreementChange) (*intent, error) {
	if *body == (api.AgreementChange{}) {
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
			Announced: body.Announced,
			Term:      body.Term, NoticeDays: body.NoticeDays,
		},
		status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

var partParameter = parameter{name: "part", kind: "string", doc: "The SHA-256 of a part, of which the canonical form is returned; 404 for a part that the caller may not see in full."}

var sumParameter = parameter{name: "sha256", kind: "string", doc: "The SHA-256 of the terms, by default of the present ones. Former terms that a party has signed are returned to the partners that were parties to them; 404 for all others."}

// getTerms answers with the bytes that are hashed.
func getTerms(req *call, view *projections.View) (projections.Answer, error) {
	values, err := req.queryValues()
	if err != nil {
		return projections.Answer{}, err
	}
	return termsAnswer(req, view, view.TermsDocument(req.agreement(), values.Get("sha256"), values.Get("part")))
}

func termsAnswer(req *call, view *projections.View, document []byte) (projections.Answer, error) {
	if document == nil {
		return projections.Answer{}, errNotFound
	}
	return projections.Answer{Version: view.AgreementVersion(req.agreement()), Body: jsontext.Value(document), Agreement: req.agreement()}, nil
}

// signatory returns the name of the person that signs; by default the member's.
func (c *writeCall) signatory(given string) (string, error) {
	if given != "" || c.caller.Partner == "" {
		return given, nil
	}
	name, _, err := c.cfg.ReadModel.Profile(c.request.Context(), c.caller.Partner, c.caller.Member)
	return name, err
}

func signAgreement(req *writeCall, body *api.Signing) (*intent, error) {
	id := req.agreement()
	signatory, err := req.signatory(body.Signatory)
	if err != nil {
		return nil, err
	}
	return &intent{
		command: domain.SignAgreement{AgreementID: id, Signatory: signatory, SignedOn: body.SignedOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

// nameContactPersons checks the members, because the directory is another partition than the agreement.
func nameContactPersons(req *writeCall, body *api.ContactPersonsInput) (*intent, error) {
	for _, member := range body.Members {
		if !req.ownMember(member) {
			return nil, invalid(domain.FieldError{Field: "members", Message: "contains an id that is no present member of your partner"})
		}
	}
	id := req.agreement()
	return &intent{
		command: domain.NameContactPersons{AgreementID: id, Members: body.Members}, status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func declineAgreement(req *writeCall, body *api.Declining) (*intent, error) {
	id := req.agreement()
	return &intent{
		command: domain.DeclineAgreement{AgreementID: id, Reason: body.Reason}, status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func withdrawAgreement(req *writeCall, body *api.Withdrawing) (*intent, error) {
	id := req.agreement()
	return &intent{
		command: domain.WithdrawAgreement{AgreementID: id, Reason: body.Reason}, status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func terminateAgreement(req *writeCall, body *api.Terminating) (*intent, error) {
	id := req.agreement()
	return &intent{
		command: domain.TerminateAgreement{AgreementID: id, Mode: body.Mode, Reason: body.Reason, EffectiveOn: body.EffectiveOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func instrumentRoutes() []*route {
	return []*route{
		readRoute("listInstruments", "/v1/agreements/{agreement}/instruments", "The agreement's instruments", anyParty, agreementVisible, api.Instruments{}, listInstruments, listParameters()...),
		createRoute("addInstrument", "/v1/agreements/{agreement}/instruments", "Add an instrument to a draft; this voids the signatures", partyManager, agreementVisible,
			api.Instrument{}, command(addInstrument)),
		readRoute("getInstrument", "/v1/agreements/{agreement}/instruments/{instrument}", "One legal part", anyParty, instrumentVisible, api.Instrument{}, getInstrument),
		changeRoute(http.MethodPatch, "editInstrument", "/v1/agreements/{agreement}/instruments/{instrument}",
			"Edit an instrument of a draft, which voids the signatures; or set the own partner's private note on an instrument", partyManager, instrumentVisible,
			api.Instrument{}, command(editInstrument)).mayHideResource(),
		removeRoute("removeInstrument", "/v1/agreements/{agreement}/instruments/{instrument}", "Remove an instrument from a draft; this voids the signatures", partyManager,
			instrumentVisibleOrRepeat, deletion(removeInstrument)),
		readRoute("getScheduleItem", "/v1/agreements/{agreement}/instruments/{instrument}/schedule/{item}", "One schedule item of an instrument", anyParty, scheduleItemVisible,
			api.ScheduleItem{}, getScheduleItem),
		changeRoute(http.MethodPatch, "moveScheduleItem", "/v1/agreements/{agreement}/instruments/{instrument}/schedule/{item}",
			"State that a schedule item is delivered, in full or in part, or recorded at the patent office; it follows the acceptance of the milestones that serve it", roleManager,
			scheduleItemVisible, api.ScheduleItem{}, command(moveScheduleItem)),
	}
}

func listInstruments(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	agreement, _ := view.Agreement(req.agreement())
	all := view.Instruments(req.agreement())
	places := make([]int, len(all)) // instead of ids, which the caller may not see
	for i := range places {
		places[i] = i
	}
	page, next := paginate(query, places, strconv.Itoa)
	list := []api.Instrument{}
	for _, i := range page {
		list = append(list, all[i])
	}
	return projections.Answer{
		Version: agreement.Version, Agreement: req.agreement(),
		Body: api.Instruments{Agreement: req.agreement(), Instruments: list, NextCursor: next},
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

func editInstrument(req *writeCall, body *api.InstrumentChange) (*intent, error) {
	agreement, instrument := req.agreement(), req.instrument()
	intent := &intent{status: http.StatusOK, path: joinPath(agreementPath(agreement)+"/instruments", instrument), read: readInstrument(agreement, instrument)}
	terms := *body
	terms.PrivateNote = nil
	switch onlyNote := terms == (api.InstrumentChange{}); {
	case onlyNote && body.PrivateNote == nil:
		return nil, errNothingToChange
	case onlyNote:
		intent.command = domain.NoteInstrument{AgreementID: agreement, Instrument: instrument, Note: *body.PrivateNote}
	case body.PrivateNote != nil:
		return nil, invalid(domain.FieldError{Field: "private_note", Message: "is private and no part of the terms; set it in a request of its own"})
	default:
		intent.command = domain.EditInstrument{
			AgreementID: agreement, Instrument: instrument, NoEnd: body.ExpiresOn != nil && *body.ExpiresOn == 0, Kind: body.Kind, Title: body.Title, Roles: body.Roles,
			EffectiveOn: body.EffectiveOn, ExpiresOn: body.ExpiresOn, Term: body.Term, Disclosure: body.Disclosure, Schedule: body.Schedule, Obligations: body.Obligations,
			Documents: changedDocuments(body.Documents),
		}
	}
	return intent, nil
}

func removeInstrument(req *writeCall) (*intent, error) {
	return &intent{command: domain.RemoveInstrument{AgreementID: req.agreement(), Instrument: req.instrument()}, status: http.StatusNoContent}, nil
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

func moveScheduleItem(req *writeCall, body *api.ItemChange) (*intent, error) {
	agreement, instrument, item := req.agreement(), req.instrument(), domain.ItemID(req.echoCtx.Param("item"))
	return &intent{
		command: domain.MoveItem{
			AgreementID: agreement, Instrument: instrument, Item: item, State: body.State, On: body.On, Quantity: body.Quantity,
			Office: body.Office, Number: body.Number, OldHolder: body.OldHolder, NewHolder: body.NewHolder,
		},
		status: http.StatusOK, path: joinPath(joinPath(agreementPath(agreement)+"/instruments", instrument)+"/schedule", item), read: readScheduleItem(agreement, instrument, item),
	}, nil
}

func findScheduleItem(view *projections.View, agreement domain.AgreementID, instrumentID domain.InstrumentID, id domain.ItemID) (api.ScheduleItem, bool) {
	holder, _ := view.Instrument(agreement, instrumentID)
	i := slices.IndexFunc(holder.Schedule, func(item api.ScheduleItem) bool { return item.ID == id })
	if i < 0 {
		return api.ScheduleItem{}, false
	}
	return holder.Schedule[i], true
}

func addInstrument(req *writeCall, body *api.NewInstrument) (*intent, error) {
	agreement := req.agreement()
	return req.create(string(body.ID), body.Title, "instrument", req.mustHideInstrument(body), func(chosen string) (*intent, error) {
		id := domain.InstrumentID(chosen)
		return &intent{
			command: domain.AddInstrument{AgreementID: agreement, Instrument: domain.Instrument{
				ID: id, Kind: body.Kind, Title: body.Title, Roles: body.Roles, EffectiveOn: body.EffectiveOn, ExpiresOn: body.ExpiresOn,
				Term: body.Term, Disclosure: body.Disclosure, Schedule: body.Schedule, Obligations: body.Obligations,
				Documents: documents(body.Documents), Salt: req.derive.salt(req.commandID, 0),
			}},
			status: http.StatusCreated, path: joinPath(agreementPath(agreement)+"/instruments", id), read: readInstrument(agreement, id),
		}, nil
	})
}

// mustHideInstrument reports whether the instrument's derived id needs a suffix. An instrument of some parties can be
// invisible to the others, which could otherwise detect it by adding one with its title.
func (c *writeCall) mustHideInstrument(body *api.NewInstrument) (must bool) {
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		agreement, _ := view.Agreement(c.agreement())
		must = body.ID == "" && len(agreement.Parties) > 2
		return nil
	})
	return must
}
