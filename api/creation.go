package api

import (
	"time"

	"tandem/domain"
)

// Creation says when a resource was created, and by whom.
type Creation struct {
	CreatedAt *time.Time `json:"created_at" doc:"When the resource was created, or shared if it was private before; null if the reader does not see that event."`
	CreatedBy *Author    `json:"created_by" doc:"Null for the operator and the system, and if the reader does not see that event."`
}

// Author is a member who acted for a partner, or a program.
type Author struct {
	Partner    domain.PartnerID `json:"partner"`
	Member     domain.MemberID  `json:"member"`
	MemberName *string          `json:"member_name" doc:"The present display name; null for a program."`
}
