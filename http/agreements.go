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
		read("listAgreements", all, "The agreements that one's partner is party to", anyMember, nil,
			projections.Agreements{}, listAgreements, lists()...).over((*projections.View).Intact),
		create("draftAgreement", all, "Draft an agreement; an id chosen by anyone but the operator gets a suffix",
			"a manager of one of the parties, or the operator between others", nil, projections.Agreement{}, writes(draftAgreement)),
		read("getAgreement", one, "One agreement", anyParty, seesAgreement, projections.Agreement{}, getAgreement),
		change(http.MethodPatch, "editAgreement", one, "Edit a draft; this voids the signatures", partyManager, seesAgreement,
			projections.Agreement{}, writes(editAgreement)),
		change(http.MethodPost, "signAgreement", one+"/sign", "Sign for one's partner; the last signature makes it active. With If-Match it is bound to what was read: 412 when somebody edited it since",
			partyManager, seesAgreement, projections.Agreement{}, writes(signAgreement)),
		change(http.MethodPost, "terminateAgreement", one+"/terminate", "Call the agreement's end, which takes every party, or give notice",
			partyManager, seesAgreement, projections.Agreement{}, writes(terminateAgreement)),
		{
			method: http.MethodGet, name: "listAgreementEvents", path: one + "/events",
			summary: "The agreement's feed, oldest first; live with Accept: text/event-stream", callers: anyParty,
			sees: seesAgreement, answer: projections.Events{}, query: feeds(), feed: true, handle: agreementEvents,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

// scope returns the agreements that the token is limited to; none: it is not.
func (q *call) scope() []domain.AgreementID {
	ids := []domain.AgreementID{}
	if q.who.Scope == "" {
		return ids
	}
	for id := range strings.SplitSeq(q.who.Scope, ",") {
		ids = append(ids, domain.AgreementID(id))
	}
	return ids
}

func listAgreements(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Agreements(), func(x projections.Agreement) string { return string(x.ID) })
	return projections.Answer{Version: v.Version(), Body: projections.Agreements{Agreements: list, NextCursor: next}}, a.err()
}

func getAgreement(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readAgreement(q.agreement())(v)
}

func readAgreement(id domain.AgreementID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		a, ok := v.Agreement(id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: a.Version, Body: a, Agreement: id}, nil
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

func draftAgreement(q *writing, b *NewAgreement) (*intent, error) {
	var id domain.AgreementID
	base := q.keys.given(string(b.ID), b.Title, "agreement", q.id)
	if q.who.Operator {
		id = domain.AgreementID(base)
		if err := q.identify(domain.Stream{Agreement: id}.Root()); err != nil {
			return nil, err
		}
	} else {
		if b.ID != "" && !domain.ValidSlug(string(b.ID)) {
			return nil, invalid(domain.FieldError{Field: "id", Message: "is not an id: 1 to 63 of a-z, 0-9 and hyphen"})
		}
		id = q.keys.agreement(base, q.id)
	}
	if err := q.knows("parties", b.Parties); err != nil {
		return nil, err
	}
	if err := q.acceptNew(); err != nil {
		return nil, err
	}
	in := &intent{
		command: domain.DraftAgreement{ID: id, Terms: domain.Terms{
			Title: b.Title, Parties: b.Parties, EffectiveOn: b.EffectiveOn, ExpiresOn: b.ExpiresOn,
			AcceptanceDays: b.AcceptanceDays, DeemedAcceptance: b.DeemedAcceptance, ForecastToleranceDays: b.ForecastToleranceDays,
		}},
		status: http.StatusCreated, path: agreementPath(id), read: readAgreement(id), refused: q.limited,
	}
	if q.who.Operator && len(b.Parties) > 0 {
		in.as = &projections.Viewer{Partner: b.Parties[0]} // it may read back what it has just said, and nothing later
	}
	return in, nil
}

// knows refuses parties that do not exist or that the caller may not know; the two look the same.
func (q *writing) knows(field string, parties []domain.PartnerID) error {
	return q.Image.View(q.who.Viewer, func(v *projections.View) error {
		for _, p := range parties {
			if p != q.who.Partner && !v.SeesPartner(p) {
				return &refusal{
					status: http.StatusUnprocessableEntity, code: "unknown_partner", detail: "There is no partner " + string(p) + " that you can see.",
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

func editAgreement(q *writing, b *AgreementChange) (*intent, error) {
	if *b == (AgreementChange{}) {
		return nil, errNothingToChange
	}
	if b.Parties != nil {
		if err := q.knows("parties", *b.Parties); err != nil {
			return nil, err
		}
	}
	id, noEnd := q.agreement(), b.ExpiresOn != nil && *b.ExpiresOn == 0
	return &intent{
		command: domain.EditAgreement{
			ID: id, NoEnd: noEnd, Title: b.Title, Parties: b.Parties, EffectiveOn: b.EffectiveOn, ExpiresOn: b.ExpiresOn,
			AcceptanceDays: b.AcceptanceDays, DeemedAcceptance: b.DeemedAcceptance, ForecastToleranceDays: b.ForecastToleranceDays,
		},
		status: http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

// Signing is the body that signs.
type Signing struct {
	Signatory string      `json:"signatory,omitempty" maxLength:"200" doc:"Who signed on paper."`
	SignedOn  domain.Date `json:"signed_on,omitzero" doc:"Today in the partner's zone unless given."`
}

func signAgreement(q *writing, b *Signing) (*intent, error) {
	id := q.agreement()
	return &intent{
		command: domain.SignAgreement{ID: id, Signatory: b.Signatory, SignedOn: b.SignedOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

// Terminating is the body that calls an agreement's end or gives notice.
type Terminating struct {
	Mode        domain.TerminationMode `json:"mode" enum:"mutual,notice" doc:"mutual takes every party's call of the same day. notice ends the agreement of two; with three or more parties it withdraws only its giver."`
	Reason      string                 `json:"reason,omitempty" maxLength:"2000" doc:"A notice needs one."`
	EffectiveOn domain.Date            `json:"effective_on" doc:"The last day, in UTC."`
}

func terminateAgreement(q *writing, b *Terminating) (*intent, error) {
	id := q.agreement()
	return &intent{
		command: domain.TerminateAgreement{ID: id, Mode: b.Mode, Reason: b.Reason, EffectiveOn: b.EffectiveOn},
		status:  http.StatusOK, path: agreementPath(id), read: readAgreement(id),
	}, nil
}

func instrumentRoutes() []*route {
	const all = "/v1/agreements/{agreement}/instruments"
	return []*route{
		read("listInstruments", all, "The agreement's legal parts", anyParty, seesAgreement, projections.Instruments{}, listInstruments, lists()...),
		create("addInstrument", all, "Add a legal part to a draft; this voids the signatures", partyManager, seesAgreement,
			projections.Instrument{}, writes(addInstrument)),
		read("getInstrument", all+"/{instrument}", "One legal part", anyParty, seesInstrument, projections.Instrument{}, getInstrument),
		change(http.MethodPatch, "noteInstrument", all+"/{instrument}", "Keep a private note on it, which only one's own partner sees",
			partyManager, seesInstrument, projections.Instrument{}, writes(noteInstrument)),
		read("getScheduleItem", all+"/{instrument}/schedule/{item}", "One line of its annex", anyParty, seesItem,
			projections.ScheduleItem{}, getScheduleItem),
		change(http.MethodPatch, "moveScheduleItem", all+"/{instrument}/schedule/{item}",
			"Say that an item is delivered, or recorded at the patent office, once the milestones that name it are accepted", roleManager,
			seesItem, projections.ScheduleItem{}, writes(moveItem)),
	}
}

func listInstruments(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	agreement, _ := v.Agreement(q.agreement())
	list, next := part(a, v.Instruments(q.agreement()), func(i projections.Instrument) string { return string(i.ID) })
	return projections.Answer{
		Version: agreement.Version, Agreement: q.agreement(),
		Body: projections.Instruments{Agreement: q.agreement(), Instruments: list, NextCursor: next},
	}, a.err()
}

func getInstrument(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readInstrument(q.agreement(), q.instrument())(v)
}

func readInstrument(a domain.AgreementID, id domain.InstrumentID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		i, ok := v.Instrument(a, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		agreement, _ := v.Agreement(a)
		return projections.Answer{Version: agreement.Version, Body: i, Agreement: a}, nil
	}
}

// InstrumentChange is the body that changes what one's own partner notes on a legal part; its terms change with
// the agreement.
type InstrumentChange struct {
	PrivateNote string `json:"private_note" maxLength:"10000" doc:"An empty one removes it."`
}

func noteInstrument(q *writing, b *InstrumentChange) (*intent, error) {
	a, i := q.agreement(), q.instrument()
	return &intent{
		command: domain.NoteInstrument{Agreement: a, Instrument: i, Note: b.PrivateNote},
		status:  http.StatusOK, path: path(agreementPath(a)+"/instruments", i), read: readInstrument(a, i),
	}, nil
}

func getScheduleItem(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readItem(q.agreement(), q.instrument(), domain.ItemID(q.c.Param("item")))(v)
}

func readItem(a domain.AgreementID, i domain.InstrumentID, id domain.ItemID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		item, ok := itemOf(v, a, i, id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		agreement, _ := v.Agreement(a)
		return projections.Answer{Version: agreement.Version, Body: item, Agreement: a}, nil
	}
}

// ItemChange is the body that moves a schedule item.
type ItemChange struct {
	State domain.ItemState `json:"state" enum:"delivered,recorded" doc:"recorded is for a patent_assignment; nothing goes back."`
}

func moveItem(q *writing, b *ItemChange) (*intent, error) {
	a, i, item := q.agreement(), q.instrument(), domain.ItemID(q.c.Param("item"))
	return &intent{
		command: domain.MoveItem{Agreement: a, Instrument: i, Item: item, State: b.State},
		status:  http.StatusOK, path: path(path(agreementPath(a)+"/instruments", i)+"/schedule", item), read: readItem(a, i, item),
	}, nil
}

func itemOf(v *projections.View, a domain.AgreementID, id domain.InstrumentID, item domain.ItemID) (projections.ScheduleItem, bool) {
	instrument, _ := v.Instrument(a, id)
	i := slices.IndexFunc(instrument.Schedule, func(s projections.ScheduleItem) bool { return s.ID == item })
	if i < 0 {
		return projections.ScheduleItem{}, false
	}
	return instrument.Schedule[i], true
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

func addInstrument(q *writing, b *NewInstrument) (*intent, error) {
	a := q.agreement()
	id := domain.InstrumentID(q.keys.given(string(b.ID), b.Title, "instrument", q.id))
	return &intent{
		command: domain.AddInstrument{Agreement: a, Instrument: domain.Instrument{
			ID: id, Kind: b.Kind, Title: b.Title, Roles: b.Roles, EffectiveOn: b.EffectiveOn, ExpiresOn: b.ExpiresOn,
			Disclosure: b.Disclosure, Schedule: b.Schedule, Obligations: b.Obligations,
		}},
		status: http.StatusCreated, path: path(agreementPath(a)+"/instruments", id), read: readInstrument(a, id),
	}, nil
}
