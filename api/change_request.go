package api

import (
	"time"

	"tandem/domain"
)

// Change is a change request: what is to be agreed of milestones, all of it or nothing.
type Change struct {
	Agreement  domain.AgreementID          `json:"agreement"`
	Project    domain.ProjectID            `json:"project"`
	Number     int                         `json:"number" doc:"Counts the project's requests, from 1."`
	Reason     string                      `json:"reason"`
	State      domain.ChangeState          `json:"state" enum:"open,approved,rejected,withdrawn,void"`
	ProposedBy domain.PartnerID            `json:"proposed_by"`
	ProposedAt time.Time                   `json:"proposed_at"`
	Milestones []ChangedMilestone          `json:"milestones"`
	Publish    []domain.MilestoneID        `json:"publish" doc:"Milestones that become public with it, which takes every participant: from then on everybody sees their title, owner, acceptors, state and dates as they are."`
	Approvals  map[domain.PartnerID]string `json:"approvals" doc:"Every party: approved, pending, rejected, or none when it was closed without its word."`
	Rejection  *ChangeRejection            `json:"rejection" doc:"Who rejected it and why; null if nobody did."`
	Void       *ChangeVoid                 `json:"void" doc:"What changed since it was proposed and so made it void; null if nothing did."`
	DecidedAt  *time.Time                  `json:"decided_at" doc:"When it was approved, rejected, withdrawn or void; null while it is open."`
	Version    uint64                      `json:"version"`
	UpdatedAt  time.Time                   `json:"updated_at"`
	URL        string                      `json:"url" format:"uri"`
}

// Changes is one page of a project's change requests, by number.
type Changes struct {
	Agreement  domain.AgreementID `json:"agreement"`
	Project    domain.ProjectID   `json:"project"`
	AsOf       *time.Time         `json:"as_of"`
	Changes    []Change           `json:"changes"`
	NextCursor *string            `json:"next_cursor"`
}

// ChangedMilestone is what a request wants of one milestone.
type ChangedMilestone struct {
	ID     domain.MilestoneID `json:"id"`
	From   ChangeFields       `json:"from" doc:"As it was when it was proposed; only fields that are in to."`
	To     ChangeFields       `json:"to" doc:"What is to be agreed: of a milestone without a baseline its whole plan, else what changes."`
	Cancel bool               `json:"cancel"`
}

// ChangeFields is a choice of what is agreed of a milestone.
type ChangeFields struct {
	DueOn     *domain.Date        `json:"due_on,omitempty"`
	Owner     *domain.PartnerID   `json:"owner,omitempty"`
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty"`
	Criteria  *[]string           `json:"criteria,omitempty"`
}

// ChangeRejection is a party's no.
type ChangeRejection struct {
	Partner domain.PartnerID `json:"partner"`
	Reason  string           `json:"reason"`
}

// ChangeVoid is what made a request void.
type ChangeVoid struct {
	Milestone domain.MilestoneID    `json:"milestone"`
	Field     string                `json:"field" enum:"due_on,owner,acceptors,criteria,state" doc:"state: the milestone is final."`
	State     domain.MilestoneState `json:"state" doc:"Of the milestone at that moment."`
}

// NewChange is the body that proposes a change.
type NewChange struct {
	Reason     string               `json:"reason" maxLength:"2000"`
	Milestones []MilestoneWanted    `json:"milestones,omitempty" maxItems:"100" doc:"Can be absent when something is published."`
	Publish    []domain.MilestoneID `json:"publish,omitempty" maxItems:"100" doc:"Milestones that become public. It takes every participant, and nothing takes it back: from then on everybody sees their title, owner, acceptors, state and dates as they are and become."`
}

// MilestoneWanted says what a change request wants of one milestone; what is absent stays. With nothing
// but an id the milestone's present plan is to be agreed.
type MilestoneWanted struct {
	ID        domain.MilestoneID  `json:"id"`
	DueOn     domain.Date         `json:"due_on,omitzero"`
	Owner     domain.PartnerID    `json:"owner,omitempty"`
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1"`
	Criteria  *[]string           `json:"criteria,omitempty" maxItems:"100"`
	Cancel    bool                `json:"cancel,omitempty" doc:"Goes without other fields."`
}

// ChangeRefusal is the body that rejects a change request.
type ChangeRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}
