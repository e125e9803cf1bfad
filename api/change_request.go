package api

import (
	"time"

	"tandem/domain"
)

// Change is a change request: proposed changes of milestones, which take effect together or not at all.
type Change struct {
	Agreement  domain.AgreementID          `json:"agreement"`
	Project    domain.ProjectID            `json:"project"`
	Number     int                         `json:"number" doc:"Numbered per project, from 1."`
	Reason     string                      `json:"reason"`
	State      domain.ChangeState          `json:"state" enum:"open,approved,rejected,withdrawn,void"`
	ProposedBy domain.PartnerID            `json:"proposed_by"`
	ProposedAt time.Time                   `json:"proposed_at"`
	Milestones []ChangedMilestone          `json:"milestones"`
	Publish    []domain.MilestoneID        `json:"publish" doc:"Milestones that become public, which requires every participant's approval: title, owner, acceptors, state and dates are public from then on."`
	Approvals  map[domain.PartnerID]string `json:"approvals" doc:"Every partner concerned: approved, pending, rejected, or none if the request was closed without its decision."`
	Rejection  *ChangeRejection            `json:"rejection" doc:"The rejection with its reason; null if it was not rejected."`
	Void       *ChangeVoid                 `json:"void" doc:"The change that voided it; null if it is not void."`
	DecidedAt  *time.Time                  `json:"decided_at" doc:"When it was approved, rejected, withdrawn or voided; null while it is open."`
	Version    uint64                      `json:"version"`
	UpdatedAt  time.Time                   `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Changes is one page of a project's change requests, by number.
type Changes struct {
	Agreement  domain.AgreementID `json:"agreement"`
	Project    domain.ProjectID   `json:"project"`
	AsOf       *time.Time         `json:"as_of"`
	Changes    []Change           `json:"changes"`
	NextCursor *string            `json:"next_cursor"`
}

// ChangedMilestone contains the changes that a request proposes for one milestone.
type ChangedMilestone struct {
	ID     domain.MilestoneID `json:"id"`
	From   ChangeFields       `json:"from" doc:"The values at the time of the proposal, of the fields in to."`
	To     ChangeFields       `json:"to" doc:"The proposed values: the whole plan of a milestone without a baseline, otherwise the changed fields. An edit of one of them voids the request."`
	Cancel bool               `json:"cancel"`
}

// ChangeFields contains fields of a milestone's plan; absent ones are not concerned. An empty value is shown.
type ChangeFields struct {
	Title        *string             `json:"title,omitzero"`
	Description  *string             `json:"description,omitzero"`
	DueOn        *domain.Date        `json:"due_on,omitzero"`
	Owner        *domain.PartnerID   `json:"owner,omitzero"`
	Acceptors    *[]domain.PartnerID `json:"acceptors,omitzero"`
	Criteria     *[]string           `json:"criteria,omitzero"`
	Instrument   *string             `json:"instrument,omitzero" doc:"An id; empty: none. Absent also if the caller may not see it."`
	ScheduleItem *string             `json:"schedule_item,omitzero" doc:"An id; empty: none. Absent also if the caller may not see it."`
	Clause       *string             `json:"clause,omitzero" doc:"Empty: none. Absent also if the caller may not see it."`
}

// ChangeRejection is a partner's rejection of a change request.
type ChangeRejection struct {
	Partner domain.PartnerID `json:"partner"`
	Reason  string           `json:"reason"`
}

// ChangeVoid names the change that voided a request.
type ChangeVoid struct {
	Milestone domain.MilestoneID    `json:"milestone"`
	Field     string                `json:"field" enum:"title,description,due_on,owner,acceptors,criteria,instrument,schedule_item,clause,state" doc:"state: the milestone is final."`
	State     domain.MilestoneState `json:"state" doc:"The milestone's state at that time."`
}

// NewChange is the body that proposes a change.
type NewChange struct {
	Reason     string               `json:"reason" maxLength:"2000"`
	Milestones []MilestoneWanted    `json:"milestones,omitempty" maxItems:"100" doc:"Optional when publish is given."`
	Publish    []domain.MilestoneID `json:"publish,omitempty" maxItems:"100" doc:"Milestones to publish, which requires every participant's approval and cannot be undone: title, owner, acceptors, state and dates are public from then on."`
}

// MilestoneWanted contains the changes proposed for one milestone; absent fields stay. With only an id,
// the milestone's current plan is proposed as its baseline.
type MilestoneWanted struct {
	ID           domain.MilestoneID   `json:"id"`
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	DueOn        domain.Date          `json:"due_on,omitzero"`
	Owner        domain.PartnerID     `json:"owner,omitempty"`
	Acceptors    *[]domain.PartnerID  `json:"acceptors,omitempty" minItems:"1"`
	Criteria     *[]string            `json:"criteria,omitempty" maxItems:"100"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	ScheduleItem *domain.ItemID       `json:"schedule_item,omitempty" nullable:"true"`
	Clause       *string              `json:"clause,omitempty" nullable:"true" maxLength:"50"`
	Cancel       bool                 `json:"cancel,omitempty" doc:"Excludes other fields."`
}

// ChangeRefusal is the body that rejects a change request.
type ChangeRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}
