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
	Stage        domain.Stage                            `json:"stage" enum:"proposed,exploring,committed,active,paused,completed,stopped,declined"`
	Lead         domain.PartnerID                        `json:"lead"`
	LeadAgreed   bool                                    `json:"lead_agreed" doc:"false while another partner has named the lead and it has not called commit."`
	Participants []domain.PartnerID                      `json:"participants"`
	Instrument   *domain.InstrumentID                    `json:"instrument"`
	DecideBy     *domain.Date                            `json:"decide_by"`
	Pending      map[domain.StageMove][]domain.PartnerID `json:"pending" doc:"Open calls by move and partner, for moves that require every participant."`
	PendingCalls []PendingCall                           `json:"pending_calls" doc:"The open calls with their values, oldest first. Calls agree only if their values are equal."`
	Version      uint64                                  `json:"version"`
	UpdatedAt    time.Time                               `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// PendingCall is a participant's open call of a move that requires every participant. The values that do not
// belong to the move are null or empty.
type PendingCall struct {
	Move         domain.StageMove   `json:"move" enum:"commit,complete,stop,move_decide_by,add_participants,change_lead,leave,edit"`
	Partner      domain.PartnerID   `json:"partner"`
	Member       domain.MemberID    `json:"member" doc:"Who made the call."`
	DecideBy     *domain.Date       `json:"decide_by"`
	Participants []domain.PartnerID `json:"participants" doc:"The partners to add."`
	Lead         *domain.PartnerID  `json:"lead"`
	Leaving      *domain.PartnerID  `json:"leaving" doc:"The partner that leaves."`
	Dispositions []Disposition      `json:"dispositions" doc:"How the open milestones end."`
	Edit         *ProjectFields     `json:"edit" doc:"The fields that the project would have."`
	Reason       string             `json:"reason"`
	Since        time.Time          `json:"since"`
}

// ProjectFields are the fields that a call to edit a project proposes.
type ProjectFields struct {
	Title       string               `json:"title"`
	Description string               `json:"description"`
	Area        string               `json:"area"`
	Instrument  *domain.InstrumentID `json:"instrument"`
}

// Disposition says how an open milestone ends with its project.
type Disposition struct {
	Milestone   domain.MilestoneID    `json:"milestone"`
	Disposition domain.MilestoneState `json:"disposition" enum:"cancelled,waived"`
	Reason      string                `json:"reason,omitempty" maxLength:"2000" doc:"Default: the reason of the call."`
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
	ID           domain.ProjectID    `json:"id,omitempty" doc:"Default: derived from the title, with a suffix if letters would be lost or the id is taken."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Area         string              `json:"area,omitempty" maxLength:"200"`
	Stage        domain.Stage        `json:"stage" enum:"proposed,exploring,committed" doc:"committed: proposed, with the creator's call to commit."`
	Lead         domain.PartnerID    `json:"lead"`
	Participants []domain.PartnerID  `json:"participants" minItems:"2"`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     domain.Date         `json:"decide_by,omitzero" nullable:"true" doc:"Required for an exploration."`
}

// ProjectChange is the body that edits a project; absent fields stay. Before the commitment the lead edits; afterwards
// title, description, area and instrument require every participant's call with equal values.
type ProjectChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Area         *string              `json:"area,omitempty" maxLength:"200"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     *domain.Date         `json:"decide_by,omitempty" doc:"Requires every participant's call; excludes other fields."`
	Participants *[]domain.PartnerID  `json:"participants,omitempty" minItems:"2" doc:"The current participants and those that join. Requires every participant's call; excludes other fields."`
	Lead         *domain.PartnerID    `json:"lead,omitempty" doc:"Requires every participant's call; excludes other fields."`
}

// Moving is the body that calls a stage move of a project.
type Moving struct {
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"Required to pause."`
	Withdraw bool   `json:"withdraw,omitempty" doc:"Withdraws the caller's own open call of this move."`
}

// Ending is the body that calls the completion or a stop of a project.
type Ending struct {
	Reason       string        `json:"reason,omitempty" maxLength:"2000" doc:"Required to stop."`
	Dispositions []Disposition `json:"dispositions,omitempty" doc:"Of each open shared milestone; 409 open_milestones lists them. The calls of all participants must state the same ones."`
	Withdraw     bool          `json:"withdraw,omitempty" doc:"Withdraws the caller's own open call of this move."`
}

// LeadChange is the body that calls another lead.
type LeadChange struct {
	Lead     domain.PartnerID `json:"lead,omitempty" doc:"A participant; not needed to withdraw the call."`
	Reason   string           `json:"reason,omitempty" maxLength:"2000"`
	Withdraw bool             `json:"withdraw,omitempty" doc:"Withdraws the caller's own open call."`
}

// Leaving is the body that calls the end of a partner's participation.
type Leaving struct {
	Partner  domain.PartnerID `json:"partner,omitempty" doc:"The partner that leaves. Default: the caller's partner."`
	Reason   string           `json:"reason,omitempty" maxLength:"2000"`
	Withdraw bool             `json:"withdraw,omitempty" doc:"Withdraws the caller's own open call."`
}
