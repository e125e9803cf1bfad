package api

import (
	"encoding/json"
	"time"

	"tandem/domain"
)

// Event is one fact of the history.
type Event struct {
	ID          string              `json:"id" doc:"Stable; the same in feeds, history and webhooks."`
	Position    string              `json:"position" doc:"Dense for its reader within one agreement."`
	RecordedAt  time.Time           `json:"recorded_at"`
	Partner     *domain.PartnerID   `json:"partner" doc:"Who acted; null for the system and the operator."`
	Member      string              `json:"member"`
	ViaOperator bool                `json:"via_operator" doc:"Done with a token that the operator issued."`
	Type        string              `json:"type"`
	Audience    domain.Audience     `json:"audience"`
	Agreement   domain.AgreementID  `json:"agreement"`
	Project     *domain.ProjectID   `json:"project"`
	Milestone   *domain.MilestoneID `json:"milestone"`
	Data        json.RawMessage     `json:"data"`
	Sentence    string              `json:"sentence"`
}

// Events is one page of a feed or of a history, oldest first. NextCursor is the next after, never
// null in a feed.
type Events struct {
	Events     []Event `json:"events"`
	NextCursor *string `json:"next_cursor"`
}
