package api

import (
	"time"

	"tandem/domain"
)

// Amendment is a numbered change of signed terms that takes effect as a whole with the last signature.
type Amendment struct {
	Agreement   domain.AgreementID              `json:"agreement"`
	Number      int                             `json:"number" doc:"Numbered per agreement, from 1."`
	Title       string                          `json:"title"`
	State       domain.AmendmentState           `json:"state" enum:"open,in_force,rejected,withdrawn,void"`
	ProposedBy  domain.PartnerID                `json:"proposed_by"`
	ProposedAt  time.Time                       `json:"proposed_at"`
	Changes     TermsChanges                    `json:"changes"`
	From        TermsFields                     `json:"from" doc:"The changed terms as they were at the time of the proposal."`
	TermsSHA256 string                          `json:"terms_sha256" doc:"SHA-256 of GET /v1/agreements/{agreement}/amendments/{amendment}/terms."`
	Withdrawal  *Withdrawal                     `json:"withdrawal" doc:"null if it was not withdrawn."`
	Signatures  map[domain.PartnerID]*Signature `json:"signatures" doc:"Every party that must sign; null for a party that has not signed."`
	Invited     bool                            `json:"invited" doc:"All present parties have signed, so the joining partners are invited."`
	Rejection   *AmendmentRejection             `json:"rejection" doc:"The rejection with its reason; null if it was not rejected."`
	Void        *AmendmentVoid                  `json:"void" doc:"The change that voided it; null if it is not void."`
	DecidedAt   *time.Time                      `json:"decided_at" doc:"When it came into force, was rejected, withdrawn or voided; null while it is open."`
	Version     uint64                          `json:"version"`
	UpdatedAt   time.Time                       `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Amendments is one page of an agreement's amendments, by number.
type Amendments struct {
	Agreement  domain.AgreementID `json:"agreement"`
	AsOf       *time.Time         `json:"as_of"`
	Amendments []Amendment        `json:"amendments"`
	NextCursor *string            `json:"next_cursor"`
}

// TermsFields contains some of an agreement's terms.
type TermsFields struct {
	Title                 *string          `json:"title,omitempty"`
	ExpiresOn             *domain.Date     `json:"expires_on,omitempty"`
	NoEnd                 *bool            `json:"no_end,omitempty" doc:"true: open-ended, instead of expires_on."`
	Term                  *domain.TermKind `json:"term,omitempty" enum:"fixed,open_ended,undisclosed"`
	AcceptanceDays        *int             `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool            `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int             `json:"forecast_tolerance_days,omitempty"`
	NoticeDays            *int             `json:"notice_days,omitempty"`
	Announced             *bool            `json:"announced,omitempty"`
}

// TermsChanges contains the changes of an amendment.
type TermsChanges struct {
	Title                 *string           `json:"title,omitempty"`
	ExpiresOn             *domain.Date      `json:"expires_on,omitempty"`
	NoEnd                 *bool             `json:"no_end,omitempty" doc:"true: open-ended, instead of expires_on."`
	Term                  *domain.TermKind  `json:"term,omitempty" enum:"fixed,open_ended,undisclosed"`
	AcceptanceDays        *int              `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool             `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int              `json:"forecast_tolerance_days,omitempty"`
	Announced             *bool             `json:"announced,omitempty"`
	NoticeDays            *int              `json:"notice_days,omitempty"`
	AddInstruments        []AddedInstrument `json:"add_instruments,omitempty"`
	EndInstruments        []EndedInstrument `json:"end_instruments,omitempty"`
	Join                  []JoiningPartner  `json:"join,omitempty"`
	Documents             []Document        `json:"documents,omitempty" doc:"Added to the agreement's documents."`
}

// AddedInstrument is an instrument that an amendment adds, as far as the caller may see it; see Instrument.
type AddedInstrument struct {
	ID          *domain.InstrumentID                   `json:"id"`
	Detail      domain.Detail                          `json:"detail" enum:"full,summary,kind"`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       *string                                `json:"title"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles"`
	EffectiveOn *domain.Date                           `json:"effective_on"`
	ExpiresOn   *domain.Date                           `json:"expires_on"`
	Term        *domain.TermKind                       `json:"term" enum:"fixed,open_ended,undisclosed" doc:"null: the caller does not see the dates of the instrument."`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []AddedItem                            `json:"schedule"`
	Obligations []AddedObligation                      `json:"obligations"`
	Documents   []Document                             `json:"documents"`
}

// AddedItem is a line of an added instrument's annex.
type AddedItem struct {
	ID        domain.ItemID `json:"id"`
	Title     string        `json:"title"`
	Kind      string        `json:"kind"`
	Count     *int          `json:"count" doc:"The same as quantity."`
	Note      string        `json:"note"`
	Quantity  *int          `json:"quantity" doc:"null: none is agreed."`
	Unit      string        `json:"unit"`
	Office    string        `json:"office"`
	Number    string        `json:"number"`
	OldHolder string        `json:"old_holder"`
	NewHolder string        `json:"new_holder"`
}

// AddedObligation is a duty under a clause of an added instrument.
type AddedObligation struct {
	Clause  string           `json:"clause"`
	Text    string           `json:"text"`
	Partner domain.PartnerID `json:"partner"`
}

// EndedInstrument is an instrument whose last day an amendment moves, as far as the caller may see it; see Instrument.
type EndedInstrument struct {
	ID        *domain.InstrumentID   `json:"id"`
	Kind      *domain.InstrumentKind `json:"kind" doc:"null in amendments of earlier versions."`
	Title     *string                `json:"title" doc:"As at the time of the proposal; null in amendments of earlier versions, or if it is not shown."`
	ExpiresOn *domain.Date           `json:"expires_on" doc:"null unless the term is fixed, and if the caller does not see the dates of the instrument."`
	Term      *domain.TermKind       `json:"term" enum:"fixed,open_ended,undisclosed" doc:"null: the caller does not see the dates of the instrument."`
	FromTerm  *domain.TermKind       `json:"from_term" enum:"fixed,open_ended,undisclosed" doc:"The previous kind of term."`
	From      *domain.Date           `json:"from" doc:"The previous last day; null: open-ended, or not shown."`
}

// JoiningPartner is a partner that becomes a party.
type JoiningPartner struct {
	Partner domain.PartnerID `json:"partner"`
}

// Withdrawal is the withdrawal of an amendment.
type Withdrawal struct {
	Reason string `json:"reason"`
}

// AmendmentRejection is a party's rejection of an amendment.
type AmendmentRejection struct {
	Partner domain.PartnerID `json:"partner"`
	Reason  string           `json:"reason"`
}

// AmendmentVoid names the change that voided an amendment.
type AmendmentVoid struct {
	Field      string               `json:"field" enum:"title,expires_on,acceptance_days,deemed_acceptance,forecast_tolerance_days,announced,notice_days,instrument,parties"`
	Instrument *domain.InstrumentID `json:"instrument"`
}

// NewAmendment is the body that proposes an amendment.
type NewAmendment struct {
	Title   string        `json:"title" maxLength:"200"`
	Changes TermsProposal `json:"changes"`
}

// TermsProposal contains the changes proposed by an amendment; absent fields stay.
type TermsProposal struct {
	Title                 *string              `json:"title,omitempty" maxLength:"200" doc:"The new title of the agreement."`
	ExpiresOn             domain.Date          `json:"expires_on,omitzero"`
	NoEnd                 bool                 `json:"no_end,omitempty" doc:"The agreement becomes open-ended; the same as term open_ended."`
	Term                  domain.TermKind      `json:"term,omitempty" enum:"fixed,open_ended,undisclosed" doc:"fixed needs expires_on."`
	AcceptanceDays        *int                 `json:"acceptance_days,omitempty" minimum:"0" maximum:"365"`
	DeemedAcceptance      *bool                `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int                 `json:"forecast_tolerance_days,omitempty" minimum:"0" maximum:"3650"`
	Announced             *bool                `json:"announced,omitempty" doc:"The title, the parties, the signatories with their dates, and the kinds of instruments are public."`
	NoticeDays            *int                 `json:"notice_days,omitempty" minimum:"0" maximum:"3650"`
	AddInstruments        []InstrumentProposal `json:"add_instruments,omitempty" maxItems:"50"`
	EndInstruments        []InstrumentEnding   `json:"end_instruments,omitempty" maxItems:"50"`
	Documents             []DocumentInput      `json:"documents,omitempty" maxItems:"50" doc:"Added to the agreement: the documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
	Join                  []JoiningProposal    `json:"join,omitempty" maxItems:"20" doc:"Partners that are to become parties. They are invited when all present parties have signed."`
}

// InstrumentProposal is an instrument that an amendment would add.
type InstrumentProposal struct {
	ID          domain.InstrumentID                    `json:"id"`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title" maxLength:"200"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles,omitempty" doc:"licensors; assignor and assignee; supplier and customer."`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   domain.Date                            `json:"expires_on,omitzero" doc:"Not after the agreement's."`
	Term        domain.TermKind                        `json:"term,omitempty" enum:"fixed,open_ended,undisclosed" doc:"Default: fixed with expires_on, otherwise open_ended."`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []domain.ScheduleItem                  `json:"schedule,omitempty"`
	Obligations []domain.Obligation                    `json:"obligations,omitempty" maxItems:"200" doc:"Duties by clause and partner."`
	Documents   []DocumentInput                        `json:"documents,omitempty" maxItems:"50" doc:"The documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
}

// JoiningProposal is a partner that would become a party.
type JoiningProposal struct {
	Partner   domain.PartnerID `json:"partner"`
	SharePast bool             `json:"share_past,omitempty" doc:"Only false is accepted: a joining partner sees events from its invitation on."`
}

// InstrumentEnding moves the last day of an instrument, or removes it.
type InstrumentEnding struct {
	ID        domain.InstrumentID `json:"id"`
	ExpiresOn domain.Date         `json:"expires_on,omitzero" doc:"Required without term."`
	Term      domain.TermKind     `json:"term,omitempty" enum:"fixed,open_ended,undisclosed" doc:"open_ended or undisclosed: without a last day."`
}

// AmendmentRefusal is the body that rejects an amendment.
type AmendmentRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}
