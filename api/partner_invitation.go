package api

import (
	"time"

	"tandem/domain"
)

// Invitation is a code that another partner redeems once, so that both can name each other. The code is shown only once,
// when it is created.
type Invitation struct {
	Partner    domain.PartnerID    `json:"partner"`
	ID         domain.InvitationID `json:"id"`
	Note       string              `json:"note" doc:"Only the own partner sees it."`
	CreatedAt  time.Time           `json:"created_at"`
	ExpiresAt  time.Time           `json:"expires_at"`
	Revoked    bool                `json:"revoked"`
	RedeemedBy *domain.PartnerID   `json:"redeemed_by" doc:"Null until a partner has redeemed it."`
	RedeemedAt *time.Time          `json:"redeemed_at"`
	Version    uint64              `json:"version"`
	UpdatedAt  time.Time           `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Invitations is one page of a partner's invitations, sorted by id.
type Invitations struct {
	Partner     domain.PartnerID `json:"partner"`
	Invitations []Invitation     `json:"invitations"`
	NextCursor  *string          `json:"next_cursor"`
}

// NewInvitation is the body that creates an invitation.
type NewInvitation struct {
	Note          string `json:"note,omitempty" maxLength:"500" doc:"Reminds the own partner of the purpose; the other partner does not see it."`
	ExpiresInDays *int   `json:"expires_in_days,omitempty" minimum:"1" maximum:"90" doc:"Default: 14."`
}

// IssuedInvitation is an invitation with its code.
type IssuedInvitation struct {
	Invitation
	Code string `json:"code" doc:"Shown only in this response. Give it to one partner, over a channel that you trust."`
}

// Redeeming is the body that redeems an invitation.
type Redeeming struct {
	Code string `json:"code" doc:"The code that the other partner has created."`
}

// Contact is another partner that an invitation has introduced. Both partners can name each other in drafts and in
// amendments that add a party.
type Contact struct {
	Partner domain.PartnerID `json:"partner"`
	Contact domain.PartnerID `json:"contact" doc:"The other partner's id."`
	Name    string           `json:"name"`
	Since   time.Time        `json:"since"`
	Invited bool             `json:"invited" doc:"The other partner redeemed the own partner's invitation; otherwise the own partner redeemed the other's."`
	URL     string           `json:"url" format:"uri" doc:"Of the other partner."`
}

// Contacts is one page of a partner's contacts, sorted by id.
type Contacts struct {
	Partner    domain.PartnerID `json:"partner"`
	Contacts   []Contact        `json:"contacts"`
	NextCursor *string          `json:"next_cursor"`
}
