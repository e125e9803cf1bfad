package api

import (
	"time"

	"tandem/domain"
)

// Project is joint work under an agreement.
type Project struct {
	Agreement    domain.AgreementID                      `json:"agreement"`
	ID           domain.ProjectID                        `json:"id"`
	Title        string                                  `json:"title"`
	Description  string                                  `json:"description"`
	Area         string                                  `json:"area"`
	Stage        domain.Stage                            `json:"stage" enum:"exploring,committed,active,paused,completed,stopped"`
	Lead         domain.PartnerID                        `json:"lead"`
	Participants []domain.PartnerID                      `json:"participants"`
	Instrument   *domain.InstrumentID                    `json:"instrument"`
	DecideBy     *domain.Date                            `json:"decide_by"`
	Pending      map[domain.StageMove][]domain.PartnerID `json:"pending" doc:"Open calls by move and partner, for moves that require every participant."`
	Version      uint64                                  `json:"version"`
	UpdatedAt    time.Time                               `json:"updated_at"`
	URL          string                                  `json:"url" format:"uri"`
}

// Projects is one page of an agreement's projects, sorted by id.
type Projects struct {
	Agreement  domain.AgreementID `json:"agreement"`
	AsOf       *time.Time         `json:"as_of"`
	Projects   []Project          `json:"projects"`
	NextCursor *string            `json:"next_cursor"`
}

// ProjectStatus is the state of one project.
type ProjectStatus struct {
	Agreement          domain.AgreementID `json:"agreement"`
	Project            domain.ProjectID   `json:"project"`
	Title              string             `json:"title"`
	Stage              domain.Stage       `json:"stage"`
	Counts             Counts             `json:"counts"`
	Overdue            int                `json:"overdue"`
	AwaitingMyDecision int                `json:"awaiting_my_decision" doc:"The number of inbox items that wait for the partner's decision: all but notices and conditions that it has to meet."`
	NextDue            *MilestoneRef      `json:"next_due"`
}

// NewProject is the body that creates a project.
type NewProject struct {
	ID           domain.ProjectID    `json:"id,omitempty" doc:"Default: derived from the title."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Area         string              `json:"area,omitempty" maxLength:"200"`
	Stage        domain.Stage        `json:"stage" enum:"exploring,committed"`
	Lead         domain.PartnerID    `json:"lead"`
	Participants []domain.PartnerID  `json:"participants" minItems:"2"`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     domain.Date         `json:"decide_by,omitzero" nullable:"true" doc:"Required for an exploration."`
}

// ProjectChange is the body that edits a project; absent fields stay.
type ProjectChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Area         *string              `json:"area,omitempty" maxLength:"200"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     *domain.Date         `json:"decide_by,omitempty" doc:"Requires every participant's call; excludes other fields."`
	Participants *[]domain.PartnerID  `json:"participants,omitempty" minItems:"2" doc:"The current participants and those that join. Requires every participant's call; excludes other fields."`
}

// Moving is the body that calls a stage move of a project.
type Moving struct {
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"Required to pause and to stop."`
	Withdraw bool   `json:"withdraw,omitempty" doc:"Withdraws the caller's own open call of this move."`
}
