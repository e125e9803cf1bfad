package api

import (
	"time"

	"tandem/domain"
)

// Me identifies the caller.
type Me struct {
	Partner     *domain.PartnerID    `json:"partner" doc:"Null for the operator."`
	Role        domain.Role          `json:"role" enum:"manager,viewer,operator"`
	Member      domain.MemberID      `json:"member"`
	Token       *domain.TokenID      `json:"token" doc:"The token's id; null for the operator."`
	Agreements  []domain.AgreementID `json:"agreements" doc:"Agreements to which the token is limited; empty: all agreements of the partner."`
	ViaOperator bool                 `json:"via_operator" doc:"The token's actions are marked in history: the operator issued it, or it was issued with such a token and is not confirmed."`
	MaySign     bool                 `json:"may_sign" doc:"The token acts as a manager for a member who may sign for the partner."`
}

// Partner is an organisation that is party to agreements.
type Partner struct {
	ID        domain.PartnerID `json:"id"`
	Name      string           `json:"name"`
	Country   string           `json:"country"`
	TimeZone  string           `json:"time_zone"`
	Holidays  []domain.Date    `json:"holidays" doc:"The partner's own days off; visible to the partner and the operator."`
	Contact   bool             `json:"contact" doc:"An invitation has introduced the partner to the caller's; see the contacts."`
	Version   uint64           `json:"version"`
	UpdatedAt time.Time        `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Partners lists the caller's partner, its counterparties and contacts, sorted by id.
type Partners struct {
	Partners   []Partner `json:"partners"`
	NextCursor *string   `json:"next_cursor"`
}

// Status summarises everything that one partner may see.
type Status struct {
	Partner            domain.PartnerID `json:"partner"`
	AsOf               *time.Time       `json:"as_of"`
	Counts             Counts           `json:"counts"`
	Overdue            int              `json:"overdue"`
	AwaitingMyDecision int              `json:"awaiting_my_decision" doc:"The number of inbox items that wait for the partner's decision: all but notices and conditions that it has to meet."`
	NextDue            *MilestoneRef    `json:"next_due" doc:"The earliest milestone that is neither delivered nor overdue."`
	Projects           []ProjectStatus  `json:"projects"`
}

// Counts counts milestones by state and by declared health.
type Counts struct {
	State  map[domain.MilestoneState]int `json:"state"`
	Health map[domain.Health]int         `json:"health" doc:"Milestones that are not in a final state, by declared health."`
}

// Inbox lists the items that wait for a partner, oldest first.
type Inbox struct {
	Partner    domain.PartnerID `json:"partner"`
	Items      []InboxItem      `json:"items"`
	NextCursor *string          `json:"next_cursor"`
}

// InboxItem is a decision that waits for the partner, or a notice.
type InboxItem struct {
	Kind            string              `json:"kind" enum:"acceptance,change,signature,amendment,stage,lead,ownership,condition,dispute,notice"`
	Agreement       *domain.AgreementID `json:"agreement" doc:"Null for a notice, which concerns the partner's own directory, a counterparty or a contact."`
	Project         *domain.ProjectID   `json:"project"`
	Milestone       *domain.MilestoneID `json:"milestone"`
	Change          *int                `json:"change"`
	Amendment       *int                `json:"amendment" doc:"With kind amendment: its number."`
	Condition       *int                `json:"condition" doc:"With kind condition: its number."`
	Notice          *domain.NoticeID    `json:"notice" doc:"With kind notice: the id by which a manager dismisses it."`
	Title           string              `json:"title"`
	Reason          string              `json:"reason"`
	Since           time.Time           `json:"since"`
	DecideBy        *domain.Date        `json:"decide_by"`
	WorkingDaysLeft *int                `json:"working_days_left"`
	URL             string              `json:"url" format:"uri"`

	MustMeet bool `json:"-"` // the condition is one that the viewer has to meet
}

// NewPartner is the body that creates a partner.
type NewPartner struct {
	ID       domain.PartnerID `json:"id"`
	Name     string           `json:"name" maxLength:"200" doc:"Unique without regard to case, spaces, invisible and look-alike characters; otherwise 409 name_taken."`
	Country  string           `json:"country" doc:"ISO 3166-1 alpha-2, such as FI."`
	TimeZone string           `json:"time_zone" doc:"IANA name, such as Europe/Helsinki."`
	Holidays []domain.Date    `json:"holidays,omitempty" doc:"The partner's own days off, in addition to the country's."`
}

// PartnerChange is the body that changes a partner; absent fields stay.
type PartnerChange struct {
	Name     *string        `json:"name,omitempty" maxLength:"200" doc:"Unique without regard to case, spaces, invisible and look-alike characters; otherwise 409 name_taken."`
	Country  *string        `json:"country,omitempty"`
	TimeZone *string        `json:"time_zone,omitempty"`
	Holidays *[]domain.Date `json:"holidays,omitempty"`
}
