package api

import (
	"encoding/json"
	"time"

	"tandem/domain"
)

// Event is one event of the history.
type Event struct {
	ID          string              `json:"id" doc:"Stable; the same in feeds, history and webhooks."`
	Position    string              `json:"position" doc:"Dense for its reader within one agreement."`
	RecordedAt  time.Time           `json:"recorded_at"`
	Partner     *domain.PartnerID   `json:"partner" doc:"The acting partner; null for the system and the operator."`
	Member      string              `json:"member"`
	MemberName  *string             `json:"member_name" doc:"The present display name of the member; null for a program, the operator and the system."`
	ViaOperator bool                `json:"via_operator" doc:"The operator issued the token of this action, or it was issued with such a token that no manager of the partner had confirmed."`
	Type        string              `json:"type"`
	Audience    domain.Audience     `json:"audience"`
	Agreement   domain.AgreementID  `json:"agreement"`
	Project     *domain.ProjectID   `json:"project"`
	Milestone   *domain.MilestoneID `json:"milestone"`
	Data        json.RawMessage     `json:"data"`
	Sentence    string              `json:"sentence"`
}

// Events is one page of a feed or of a history, oldest first. NextCursor is the value of after for the next
// page; in a feed it is never null.
type Events struct {
	Events     []Event `json:"events"`
	NextCursor *string `json:"next_cursor"`
}
