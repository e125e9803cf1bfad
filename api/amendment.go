package api

import (
	"time"

	"tandem/domain"
)

// Amendment is a numbered change of signed terms: all of it with the last signature, or nothing of it.
type Amendment struct {
	Agreement  domain.AgreementID              `json:"agreement"`
	Number     int                             `json:"number" doc:"Counts the agreement's amendments, from 1."`
	Title      string                          `json:"title"`
	State      domain.AmendmentState           `json:"state" enum:"open,in_force,rejected,withdrawn,void"`
	ProposedBy domain.PartnerID                `json:"proposed_by"`
	ProposedAt time.Time                       `json:"proposed_at"`
	Changes    TermsChanges                    `json:"changes"`
	From       TermsFields                     `json:"from" doc:"The terms that it changes, as they were when it was proposed."`
	Signatures map[domain.PartnerID]*Signature `json:"signatures" doc:"Everybody whose signature it takes; null for one that has not signed."`
	Invited    bool                            `json:"invited" doc:"All present parties have signed, so those who join were let in."`
	Rejection  *AmendmentRejection             `json:"rejection" doc:"Who rejected it and why; null if nobody did."`
	Void       *AmendmentVoid                  `json:"void" doc:"What changed since it was proposed and so made it void; null if nothing did."`
	DecidedAt  *time.Time                      `json:"decided_at" doc:"When it came into force, was rejected, withdrawn or void; null while it is open."`
	Version    uint64                          `json:"version"`
	UpdatedAt  time.Time                       `json:"updated_at"`
	URL        string                          `json:"url" format:"uri"`
}

// Amendments is one page of an agreement's amendments, by number.
type Amendments struct {
	Agreement  domain.AgreementID `json:"agreement"`
	AsOf       *time.Time         `json:"as_of"`
	Amendments []Amendment        `json:"amendments"`
	NextCursor *string            `json:"next_cursor"`
}

// TermsFields is a choice of an agreement's terms.
type TermsFields struct {
	Title                 *string      `json:"title,omitempty"`
	ExpiresOn             *domain.Date `json:"expires_on,omitempty"`
	NoEnd                 *bool        `json:"no_end,omitempty" doc:"true: no end, instead of expires_on."`
	AcceptanceDays        *int         `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool        `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int         `json:"forecast_tolerance_days,omitempty"`
}

// TermsChanges is what an amendment changes.
type TermsChanges struct {
	Title                 *string           `json:"title,omitempty"`
	ExpiresOn             *domain.Date      `json:"expires_on,omitempty"`
	NoEnd                 *bool             `json:"no_end,omitempty" doc:"true: no end, instead of expires_on."`
	AcceptanceDays        *int              `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool             `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int              `json:"forecast_tolerance_days,omitempty"`
	AddInstruments        []AddedInstrument `json:"add_instruments,omitempty"`
	EndInstruments        []EndedInstrument `json:"end_instruments,omitempty"`
	Join                  []JoiningPartner  `json:"join,omitempty"`
}

// AddedInstrument is a legal part that an amendment adds.
type AddedInstrument struct {
	ID          domain.InstrumentID                    `json:"id"`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles"`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   *domain.Date                           `json:"expires_on"`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []AddedItem                            `json:"schedule"`
	Obligations []AddedObligation                      `json:"obligations"`
}

// AddedItem is a line of its annex.
type AddedItem struct {
	ID    domain.ItemID `json:"id"`
	Title string        `json:"title"`
	Kind  string        `json:"kind"`
	Count *int          `json:"count" doc:"As reported; null if not known."`
	Note  string        `json:"note"`
}

// AddedObligation is what a partner will owe under one of its clauses.
type AddedObligation struct {
	Clause  string           `json:"clause"`
	Text    string           `json:"text"`
	Partner domain.PartnerID `json:"partner"`
}

// EndedInstrument is a legal part whose last day an amendment moves.
type EndedInstrument struct {
	ID        domain.InstrumentID `json:"id"`
	ExpiresOn domain.Date         `json:"expires_on"`
	From      *domain.Date        `json:"from" doc:"The last day before; null: none."`
}

// JoiningPartner is a partner that becomes a party.
type JoiningPartner struct {
	Partner domain.PartnerID `json:"partner"`
}

// AmendmentRejection is a no.
type AmendmentRejection struct {
	Partner domain.PartnerID `json:"partner"`
	Reason  string           `json:"reason"`
}

// AmendmentVoid is what made an amendment void.
type AmendmentVoid struct {
	Field      string               `json:"field" enum:"title,expires_on,acceptance_days,deemed_acceptance,forecast_tolerance_days,instrument,parties"`
	Instrument *domain.InstrumentID `json:"instrument"`
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

// AmendmentRefusal is the body that rejects an amendment.
type AmendmentRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}
