package api

import (
	"time"

	"tandem/domain"
)

// Member is a person of a partner.
type Member struct {
	Partner   domain.PartnerID `json:"partner"`
	ID        domain.MemberID  `json:"id"`
	Name      string           `json:"name"`
	Email     string           `json:"email"`
	Role      domain.Role      `json:"role" enum:"manager,viewer"`
	MaySign   bool             `json:"may_sign" doc:"May sign agreements and amendments for the partner, with a manager token."`
	Version   uint64           `json:"version"`
	UpdatedAt time.Time        `json:"updated_at"`
	Creation
}

// Members is one page of a partner's members, sorted by id.
type Members struct {
	Partner    domain.PartnerID `json:"partner"`
	Members    []Member         `json:"members"`
	NextCursor *string          `json:"next_cursor"`
}

// Token is a bearer token; its secret is shown only once, when it is issued.
type Token struct {
	Partner     domain.PartnerID     `json:"partner"`
	ID          domain.TokenID       `json:"id"`
	Name        string               `json:"name"`
	Member      domain.MemberID      `json:"member"`
	Role        domain.Role          `json:"role" enum:"manager,viewer"`
	ExpiresAt   *time.Time           `json:"expires_at"`
	Agreements  []domain.AgreementID `json:"agreements" doc:"Empty: all agreements of the partner."`
	ViaOperator bool                 `json:"via_operator" doc:"Its actions are marked in history: the operator issued it, or it was issued with such a token before that was confirmed, and is not confirmed itself."`
	Confirmed   bool                 `json:"confirmed" doc:"A manager of the partner has confirmed a token that was marked. Tokens issued with it are the partner's own."`
	Revoked     bool                 `json:"revoked"`
	Version     uint64               `json:"version"`
	UpdatedAt   time.Time            `json:"updated_at"`
	Creation
}

// Tokens is one page of a partner's tokens, sorted by id.
type Tokens struct {
	Partner    domain.PartnerID `json:"partner"`
	Tokens     []Token          `json:"tokens"`
	NextCursor *string          `json:"next_cursor"`
}

// IssuedToken is a token with its secret.
type IssuedToken struct {
	Token
	Secret string `json:"token" doc:"Shown only in this response."`
}

// NewMember is the body that adds a member.
type NewMember struct {
	Name  string      `json:"name" maxLength:"100"`
	Email string      `json:"email" format:"email" maxLength:"320"`
	Role  domain.Role `json:"role" enum:"manager,viewer"`

	MaySign bool `json:"may_sign,omitempty" doc:"May sign for the partner. Only managers of the partner set it."`
}

// MemberChange is the body that changes a member; absent fields stay.
type MemberChange struct {
	Name  *string      `json:"name,omitempty" maxLength:"100"`
	Email *string      `json:"email,omitempty" format:"email" maxLength:"320"`
	Role  *domain.Role `json:"role,omitempty" enum:"manager,viewer"`

	MaySign *bool `json:"may_sign,omitempty" doc:"Only managers of the partner change it."`
}

// NewToken is the body that issues a token.
type NewToken struct {
	ID         domain.TokenID       `json:"id,omitempty" doc:"Default: derived from the name, with a suffix if letters would be lost or the id is taken."`
	Name       string               `json:"name" maxLength:"200" doc:"Stored in the history for ever: name the device or the program, not a person."`
	Member     domain.MemberID      `json:"member,omitempty" doc:"The member for whom the token acts; without one it represents a program."`
	Role       domain.Role          `json:"role" enum:"manager,viewer"`
	ExpiresAt  time.Time            `json:"expires_at,omitzero" doc:"Default: never."`
	Agreements []domain.AgreementID `json:"agreements,omitempty" doc:"Agreements to which the token is limited. Default: all agreements of the partner."`
}
