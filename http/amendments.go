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
	action := func(name, summary, callers string, w *writer) *route {
		return change(http.MethodPost, name+"Amendment", oneAmendmentPath+"/"+name, summary, callers, seesAmendment, projections.Amendment{}, w)
	}
	return []*route{
		read("listAmendments", amendmentsPath, "The agreement's amendments, by number", anyParty, seesAgreement,
			projections.Amendments{}, listAmendments, lists()...),
		create("proposeAmendment", amendmentsPath, "Propose to change signed terms, to add or end legal parts, or that partners join; it takes every party's signature",
			partyManager, seesAgreement, projections.Amendment{}, writes(proposeAmendment)),
		read("getAmendment", oneAmendmentPath, "One amendment; signatures shows who has signed", anyParty, seesAmendment,
			projections.Amendment{}, getAmendment),
		action("sign", "Sign for one's partner; with the last signature all of it is in force", signer, writes(signAmendment)),
		action("reject", "Reject, with a reason; this closes the amendment. Who was invited by it gets 204: it sees nothing any more", signer,
			writes(rejectAmendment)).vanishing(),
		action("withdraw", "Take back one's own amendment", proposer, writes(withdrawAmendment)),
	}
}

// amendment returns the number of the amendment in the path, which names it by its number, or by its
// key before the number was known; 0: there is none.
func (q *call) amendment(v *projections.View) int {
	name := q.c.Param("amendment")
	if n, err := strconv.Atoi(name); err == nil {
		if strconv.Itoa(n) != name {
			return 0
		}
		return n
	}
	return v.AmendmentNumber(q.agreement(), name)
}

func seesAmendment(q *call, v *projections.View) bool {
	_, ok := v.Amendment(q.agreement(), q.amendment(v))
	return ok
}

func amendmentPath(a domain.AgreementID, number int) string {
	return path(agreementPath(a)+"/amendments", strconv.Itoa(number))
}

func listAmendments(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Amendments(q.agreement()), func(x projections.Amendment) string { return fmt.Sprintf("%09d", x.Number) })
	return projections.Answer{
		Version: v.AgreementVersion(q.agreement()), Agreement: q.agreement(),
		Body: projections.Amendments{Agreement: q.agreement(), Amendments: list, NextCursor: next},
	}, a.err()
}

func getAmendment(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readAmendment(q.agreement(), q.amendment)(v)
}

// readAmendment reads an amendment whose number is found in the view.
func readAmendment(a domain.AgreementID, number func(*projections.View) int) reader {
	return func(v *projections.View) (projections.Answer, error) {
		x, ok := v.Amendment(a, number(v))
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: x.Version, Body: x, Agreement: a}, nil
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
	c := domain.AmendmentChanges{Terms: domain.TermsChange{
		Title: p.Title, ExpiresOn: p.ExpiresOn, NoEnd: p.NoEnd, AcceptanceDays: p.AcceptanceDays,
		DeemedAcceptance: p.DeemedAcceptance, ForecastToleranceDays: p.ForecastToleranceDays,
	}}
	for _, j := range p.Join {
		c.Join = append(c.Join, domain.Joining{Partner: j.Partner})
	}
	for _, i := range p.AddInstruments {
		c.AddInstruments = append(c.AddInstruments, domain.Instrument{
			ID: i.ID, Kind: i.Kind, Title: i.Title, Roles: i.Roles, EffectiveOn: i.EffectiveOn, ExpiresOn: i.ExpiresOn,
			Disclosure: i.Disclosure, Schedule: i.Schedule, Obligations: i.Obligations,
		})
	}
	for _, e := range p.EndInstruments {
		c.EndInstruments = append(c.EndInstruments, domain.InstrumentEnd{ID: e.ID, ExpiresOn: e.ExpiresOn})
	}
	return c
}

func proposeAmendment(q *writing, b *NewAmendment) (*intent, error) {
	a, key := q.agreement(), "a-"+q.keys.suffix("amendment", q.id, 0)
	changes := b.Changes.changes()
	var joiners []domain.PartnerID
	for _, j := range changes.Join {
		joiners = append(joiners, j.Partner)
	}
	if slices.ContainsFunc(b.Changes.Join, func(j JoiningProposal) bool { return j.SharePast }) {
		return nil, invalid(domain.FieldError{Field: "changes", Message: "share_past is not possible: a partner that joins sees from its invitation on"})
	}
	if err := q.knows("changes", joiners); err != nil {
		return nil, err
	}
	number := func(v *projections.View) int { return v.AmendmentNumber(a, key) }
	return &intent{
		command: domain.ProposeAmendment{ID: a, Key: key, Title: b.Title, Changes: changes},
		status:  http.StatusCreated, path: path(agreementPath(a)+"/amendments", key), read: readAmendment(a, number),
		place: func(v *projections.View) string { return amendmentPath(a, number(v)) },
	}, nil
}

// onAmendment is the intent of a command on the amendment in the path, which there is.
func (q *writing) onAmendment(c func(number int) domain.Command) *intent {
	var number int
	_ = q.Image.View(q.who.Viewer, func(v *projections.View) error { // never an error
		number = q.amendment(v)
		return nil
	})
	a := q.agreement()
	return &intent{
		command: c(number), status: http.StatusOK, path: amendmentPath(a, number),
		read: readAmendment(a, func(*projections.View) int { return number }),
	}
}

func signAmendment(q *writing, b *Signing) (*intent, error) {
	return q.onAmendment(func(n int) domain.Command {
		return domain.SignAmendment{ID: q.agreement(), Number: n, Signatory: b.Signatory, SignedOn: b.SignedOn}
	}), nil
}

// AmendmentRefusal is the body that rejects an amendment.
type AmendmentRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}

func rejectAmendment(q *writing, b *AmendmentRefusal) (*intent, error) {
	return q.onAmendment(func(n int) domain.Command {
		return domain.RejectAmendment{ID: q.agreement(), Number: n, Reason: b.Reason}
	}), nil
}

func withdrawAmendment(q *writing, _ *Nothing) (*intent, error) {
	return q.onAmendment(func(n int) domain.Command { return domain.WithdrawAmendment{ID: q.agreement(), Number: n} }), nil
}
