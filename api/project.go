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
	Pending      map[domain.StageMove][]domain.PartnerID `json:"pending" doc:"Who has called what, of the moves that take every participant."`
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
	AwaitingMyDecision int                `json:"awaiting_my_decision" doc:"Items of the inbox that wait for a decision of the partner's: all but notices, and conditions that it has to meet."`
	NextDue            *MilestoneRef      `json:"next_due"`
}

// NewProject is the body that begins a project.
type NewProject struct {
	ID           domain.ProjectID    `json:"id,omitempty" doc:"Derived from the title unless given."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Area         string              `json:"area,omitempty" maxLength:"200"`
	Stage        domain.Stage        `json:"stage" enum:"exploring,committed"`
	Lead         domain.PartnerID    `json:"lead"`
	Participants []domain.PartnerID  `json:"participants" minItems:"2"`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     domain.Date         `json:"decide_by,omitzero" nullable:"true" doc:"An exploration needs one."`
}

// ProjectChange is the body that edits a project; what is absent stays.
type ProjectChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Area         *string              `json:"area,omitempty" maxLength:"200"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     *domain.Date         `json:"decide_by,omitempty" doc:"Takes every participant's call, and goes alone."`
	Participants *[]domain.PartnerID  `json:"participants,omitempty" minItems:"2" doc:"The present ones and who joins. Takes every participant's call, and goes alone."`
}

// Moving is the body that calls a move of a project.
type Moving struct {
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"Needed to pause and to stop."`
	Withdraw bool   `json:"withdraw,omitempty" doc:"Takes one's own open call of this back."`
}
