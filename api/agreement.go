package api

import (
	"time"

	"tandem/domain"
)

// Agreement is the signed umbrella contract between partners.
type Agreement struct {
	ID                    domain.AgreementID                 `json:"id"`
	Title                 string                             `json:"title"`
	State                 domain.AgreementState              `json:"state" enum:"draft,declined,withdrawn,pending,active,expired,terminated" doc:"pending: signed, before effective_on."`
	Parties               []domain.PartnerID                 `json:"parties"`
	EffectiveOn           domain.Date                        `json:"effective_on"`
	ExpiresOn             *domain.Date                       `json:"expires_on" doc:"The last day, in UTC; null unless the term is fixed."`
	Term                  domain.TermKind                    `json:"term" enum:"fixed,open_ended,undisclosed" doc:"undisclosed: it has a last day that Tandem does not hold."`
	AcceptanceDays        int                                `json:"acceptance_days"`
	DeemedAcceptance      bool                               `json:"deemed_acceptance"`
	ForecastToleranceDays int                                `json:"forecast_tolerance_days"`
	Announced             bool                               `json:"announced" doc:"The title, the parties, the signatories with their dates, and the kinds of instruments are public."`
	NoticeDays            int                                `json:"notice_days" doc:"Least number of calendar days from a termination notice to its last day."`
	Documents             []Document                         `json:"documents" doc:"The documents on paper; part of the terms."`
	TermsSHA256           string                             `json:"terms_sha256" doc:"SHA-256 of GET /v1/agreements/{agreement}/terms."`
	Signatures            map[domain.PartnerID]*Signature    `json:"signatures" doc:"Every party; null for a party that has not signed."`
	Termination           *Termination                       `json:"termination" doc:"A termination that is set, or called but not yet by all parties; null if there is none."`
	Closed                *ClosedDraft                       `json:"closed" doc:"Who declined or withdrew the draft; null otherwise."`
	TerminationCalls      []TerminationCall                  `json:"termination_calls" doc:"The open calls for a mutual termination, oldest first; it is set when all parties have called the same day."`
	Notices               map[domain.PartnerID]GivenNotice   `json:"notices" doc:"Parties that have given notice, or have left."`
	ContactPersons        map[domain.PartnerID][]NamedMember `json:"contact_persons" doc:"The members whom each present party has named for the others to address; no part of the terms. Only parties see them: the map is empty for an invited partner, and has only its own for a party that has left."`
	Version               uint64                             `json:"version"`
	UpdatedAt             time.Time                          `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Agreements is one page of a partner's agreements, sorted by id.
type Agreements struct {
	AsOf       *time.Time  `json:"as_of"`
	Agreements []Agreement `json:"agreements"`
	NextCursor *string     `json:"next_cursor"`
}

// Termination is an agreement's end before its last day.
type Termination struct {
	Mode        domain.TerminationMode `json:"mode" enum:"mutual,notice"`
	EffectiveOn domain.Date            `json:"effective_on" doc:"The agreement's last day, in UTC."`
	Reason      string                 `json:"reason"`
	CalledBy    []domain.PartnerID     `json:"called_by" doc:"Mutual termination: the parties that have called this date; every party must."`
	Settled     bool                   `json:"settled" doc:"Whether the termination is set, not only called."`
}

// ClosedDraft says how a draft was declined or withdrawn.
type ClosedDraft struct {
	By     domain.PartnerID `json:"by"`
	Reason string           `json:"reason"`
	At     time.Time        `json:"at"`
}

// TerminationCall is a party's open call for a mutual termination.
type TerminationCall struct {
	Partner     domain.PartnerID `json:"partner"`
	Member      domain.MemberID  `json:"member" doc:"Who made the call."`
	EffectiveOn domain.Date      `json:"effective_on" doc:"The last day that it proposes, in UTC."`
	Reason      string           `json:"reason"`
	Since       time.Time        `json:"since"`
}

// GivenNotice is a party's termination notice.
type GivenNotice struct {
	EffectiveOn domain.Date `json:"effective_on" doc:"Its last day as a party, in UTC."`
	Reason      string      `json:"reason"`
}

// Signature is one party's signature.
type Signature struct {
	Signatory    string      `json:"signatory"`
	SignedOn     domain.Date `json:"signed_on" doc:"On paper."`
	RecordedAt   *time.Time  `json:"recorded_at" doc:"null if an earlier version has not recorded it."`
	TermsSHA256  *string     `json:"terms_sha256" doc:"SHA-256 of the canonical document that was signed, see GET …/terms; null for a signature of an earlier version."`
	ResultSHA256 *string     `json:"result_sha256" doc:"Amendments: SHA-256 of the canonical terms of the agreement that it results in; otherwise null."`
}

// Document identifies a document of signed terms.
type Document struct {
	Title  string  `json:"title"`
	URL    string  `json:"url"`
	SHA256 *string `json:"sha256" doc:"Lower-case hexadecimal."`
}

// DocumentInput identifies a document of signed terms.
type DocumentInput struct {
	Title  string `json:"title" maxLength:"200"`
	URL    string `json:"url" maxLength:"2000" doc:"An http or https address."`
	SHA256 string `json:"sha256,omitempty" doc:"Lower-case hexadecimal."`
}

// NewAgreement is the body that drafts an agreement.
type NewAgreement struct {
	ID                    domain.AgreementID `json:"id,omitempty" doc:"Default: derived from the title, with a suffix if letters would be lost or the id is taken."`
	Title                 string             `json:"title" maxLength:"200"`
	Parties               []domain.PartnerID `json:"parties" minItems:"2"`
	EffectiveOn           domain.Date        `json:"effective_on"`
	ExpiresOn             domain.Date        `json:"expires_on,omitzero" nullable:"true" doc:"The last day of a fixed term."`
	Term                  domain.TermKind    `json:"term,omitempty" enum:"fixed,open_ended,undisclosed" doc:"Default: fixed with expires_on, otherwise open_ended."`
	AcceptanceDays        int                `json:"acceptance_days" minimum:"0" maximum:"365" doc:"Working days for the decision on a delivery; 0: no limit."`
	DeemedAcceptance      bool               `json:"deemed_acceptance" doc:"Whether a delivery is deemed accepted when the acceptance period ends without a decision."`
	ForecastToleranceDays int                `json:"forecast_tolerance_days" minimum:"0" maximum:"3650"`
	Announced             bool               `json:"announced,omitempty" doc:"The title, the parties, the signatories with their dates, and the kinds of instruments are public."`
	NoticeDays            int                `json:"notice_days,omitempty" minimum:"0" maximum:"3650" doc:"Least number of calendar days from a termination notice to its last day; 0: none."`
	Documents             []DocumentInput    `json:"documents,omitempty" maxItems:"50" doc:"The documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
}

// AgreementChange is the body that edits a draft; absent fields stay.
type AgreementChange struct {
	Title                 *string             `json:"title,omitempty" maxLength:"200"`
	Parties               *[]domain.PartnerID `json:"parties,omitempty" minItems:"2"`
	EffectiveOn           *domain.Date        `json:"effective_on,omitempty"`
	ExpiresOn             *domain.Date        `json:"expires_on,omitempty" nullable:"true"`
	Term                  *domain.TermKind    `json:"term,omitempty" enum:"fixed,open_ended,undisclosed"`
	AcceptanceDays        *int                `json:"acceptance_days,omitempty" minimum:"0" maximum:"365"`
	DeemedAcceptance      *bool               `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int                `json:"forecast_tolerance_days,omitempty" minimum:"0" maximum:"3650"`
	Announced             *bool               `json:"announced,omitempty"`
	NoticeDays            *int                `json:"notice_days,omitempty" minimum:"0" maximum:"3650"`
	Documents             *[]DocumentInput    `json:"documents,omitempty" maxItems:"50" doc:"All. The documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
}

// ContactPersonsInput is the body that names contact persons.
type ContactPersonsInput struct {
	Members []domain.MemberID `json:"members" maxItems:"20" doc:"All. Present members of the caller's partner, in the order of importance; empty: none."`
}

// Signing is the body that signs.
type Signing struct {
	Signatory string      `json:"signatory,omitempty" maxLength:"200" doc:"Name of the person who signed. Default: the name of the member. It is stored in the event and not erased."`
	SignedOn  domain.Date `json:"signed_on,omitzero" doc:"Default: today in the partner's time zone."`
}

// Declining is the body that declines a draft.
type Declining struct {
	Reason string `json:"reason" maxLength:"2000"`
}

// Withdrawing is the body that withdraws what the own partner proposed.
type Withdrawing struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

// Terminating is the body that calls a mutual termination or gives notice.
type Terminating struct {
	Mode        domain.TerminationMode `json:"mode" enum:"mutual,notice" doc:"mutual requires every party's call of the same date. notice ends an agreement of two parties; with three or more it withdraws only the party that gives it."`
	Reason      string                 `json:"reason,omitempty" maxLength:"2000" doc:"Required for a notice."`
	EffectiveOn domain.Date            `json:"effective_on" doc:"The last day, in UTC."`
}
