package api

import (
	"time"

	"tandem/domain"
)

// Agreement is the signed umbrella between partners.
type Agreement struct {
	ID                    domain.AgreementID               `json:"id"`
	Title                 string                           `json:"title"`
	State                 domain.AgreementState            `json:"state" enum:"draft,active,expired,terminated"`
	Parties               []domain.PartnerID               `json:"parties"`
	EffectiveOn           domain.Date                      `json:"effective_on"`
	ExpiresOn             *domain.Date                     `json:"expires_on"`
	AcceptanceDays        int                              `json:"acceptance_days"`
	DeemedAcceptance      bool                             `json:"deemed_acceptance"`
	ForecastToleranceDays int                              `json:"forecast_tolerance_days"`
	Signatures            map[domain.PartnerID]*Signature  `json:"signatures" doc:"Every party; null for one that has not signed."`
	Termination           *Termination                     `json:"termination" doc:"An end that is set, or is called and not by all yet; null if there is none."`
	Notices               map[domain.PartnerID]GivenNotice `json:"notices" doc:"The parties that leave, or have left."`
	Version               uint64                           `json:"version"`
	UpdatedAt             time.Time                        `json:"updated_at"`
	URL                   string                           `json:"url" format:"uri"`
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
	CalledBy    []domain.PartnerID     `json:"called_by" doc:"Of a mutual one: who has called this day; it takes every party."`
	Settled     bool                   `json:"settled" doc:"It is set, and not only called."`
}

// GivenNotice is a party's word that it leaves.
type GivenNotice struct {
	EffectiveOn domain.Date `json:"effective_on" doc:"The last day on which it is a party, in UTC."`
	Reason      string      `json:"reason"`
}

// Signature is one party's.
type Signature struct {
	Signatory string      `json:"signatory"`
	SignedOn  domain.Date `json:"signed_on"`
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

// Signing is the body that signs.
type Signing struct {
	Signatory string      `json:"signatory,omitempty" maxLength:"200" doc:"Who signed on paper."`
	SignedOn  domain.Date `json:"signed_on,omitzero" doc:"Today in the partner's zone unless given."`
}

// Terminating is the body that calls an agreement's end or gives notice.
type Terminating struct {
	Mode        domain.TerminationMode `json:"mode" enum:"mutual,notice" doc:"mutual takes every party's call of the same day. notice ends the agreement of two; with three or more parties it withdraws only its giver."`
	Reason      string                 `json:"reason,omitempty" maxLength:"2000" doc:"A notice needs one."`
	EffectiveOn domain.Date            `json:"effective_on" doc:"The last day, in UTC."`
}
