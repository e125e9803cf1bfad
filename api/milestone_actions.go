package api

import (
	"tandem/domain"
)

// Nothing is the body of an action without fields.
type Nothing struct{}

// Progress is the body that reports progress; at least one field is given.
type Progress struct {
	Percent  *int            `json:"percent,omitempty" minimum:"0" maximum:"100"`
	Health   *domain.Health  `json:"health,omitempty" enum:"green,amber,red"`
	Note     *string         `json:"note,omitempty" maxLength:"2000" doc:"Belongs to the health; a new health without a note clears it."`
	Audience domain.Audience `json:"audience,omitempty" doc:"Default: shared. A private assessment has no percent and does not replace the owner's report."`
}

// Forecast is the body that moves a forecast.
type Forecast struct {
	On       domain.Date     `json:"on" doc:"Not in the past, in the owner's time zone."`
	Reason   string          `json:"reason,omitempty" maxLength:"2000" doc:"Required to move an existing forecast."`
	Audience domain.Audience `json:"audience,omitempty" doc:"Default: shared. A private forecast does not replace the shared one."`
}

// Delivery is the body that delivers.
type Delivery struct {
	On       domain.Date     `json:"on,omitzero" doc:"Not in the future, and not before the start, the first baseline or the end of the last round. Default: today in the owner's time zone."`
	Reason   string          `json:"reason,omitempty" maxLength:"2000" doc:"Required for a date more than 5 working days ago."`
	Evidence []EvidenceInput `json:"evidence,omitempty" maxItems:"50"`
}

// Completion is the body that completes a private milestone.
type Completion struct {
	On     domain.Date `json:"on,omitzero" doc:"Not in the future, and not before the start. Default: today in the owner's time zone."`
	Reason string      `json:"reason,omitempty" maxLength:"2000" doc:"Required for a date more than 5 working days ago."`
}

// EvidenceInput supports a delivery.
type EvidenceInput struct {
	Title    string          `json:"title" maxLength:"200"`
	URL      string          `json:"url" maxLength:"2000" doc:"An http or https address."`
	SHA256   string          `json:"sha256,omitempty" doc:"Lower-case hexadecimal."`
	Audience domain.Audience `json:"audience,omitempty" doc:"Default: shared. Private evidence is visible to the owner's partner only."`
}

// SharedEvidence is evidence that all readers of the milestone see.
type SharedEvidence struct {
	Title  string `json:"title" maxLength:"200"`
	URL    string `json:"url" maxLength:"2000" doc:"An http or https address."`
	SHA256 string `json:"sha256,omitempty" doc:"Lower-case hexadecimal."`
}

// Requirement is a condition of an acceptance.
type Requirement struct {
	Text     string           `json:"text" maxLength:"2000"`
	DueOn    domain.Date      `json:"due_on"`
	Evidence []SharedEvidence `json:"evidence,omitempty" maxItems:"50" doc:"Shows why it is needed."`
}

// AcceptanceInput is the body that accepts.
type AcceptanceInput struct {
	Note       string        `json:"note,omitempty" maxLength:"2000"`
	Conditions []Requirement `json:"conditions,omitempty" maxItems:"50" doc:"Requirements with due dates not in the past. None: unconditional acceptance, which closes the acceptor's open conditions."`
}

// Closing is the body that closes a condition.
type Closing struct {
	Number int `json:"number" minimum:"1" doc:"A number of acceptance.conditions."`
}

// RejectionInput is the body that rejects.
type RejectionInput struct {
	Reasons  []string         `json:"reasons" minItems:"1" maxItems:"50"`
	Evidence []SharedEvidence `json:"evidence,omitempty" maxItems:"50"`
}

// ConditionReportInput is the body that reports a condition as met.
type ConditionReportInput struct {
	Note     string           `json:"note,omitempty" maxLength:"2000"`
	Evidence []SharedEvidence `json:"evidence,omitempty" maxItems:"50"`
}

// ConditionRefusalInput is the body that refuses a reported condition.
type ConditionRefusalInput struct {
	Reason   string           `json:"reason" maxLength:"2000"`
	Evidence []SharedEvidence `json:"evidence,omitempty" maxItems:"50"`
}

// Check is the body that checks a criterion.
type Check struct {
	Result   domain.CheckResult `json:"result" enum:"met,not_met" doc:"Of the caller's partner; a later result replaces it."`
	Note     string             `json:"note,omitempty" maxLength:"2000"`
	Evidence []SharedEvidence   `json:"evidence,omitempty" maxItems:"50"`
}

// ResponsibleInput is the body that names the responsible member of a milestone.
type ResponsibleInput struct {
	Member domain.MemberID `json:"member" nullable:"true" doc:"A present member of the caller's partner; null: none."`
}

// Objection is the body that disputes.
type Objection struct {
	Reason    string `json:"reason" maxLength:"2000"`
	Condition int    `json:"condition,omitempty" minimum:"1" doc:"The number of a refused condition. Default: the rejection of the last delivery."`
}

// Settlement is the body that names an outcome for a dispute.
type Settlement struct {
	Outcome domain.Settlement `json:"outcome" enum:"accepted,rejected" doc:"accepted: the delivery is accepted, or the condition closed; rejected: the rejection stands, or the condition stays open. A later choice replaces an earlier one."`
	Note    string            `json:"note,omitempty" maxLength:"2000"`
}

// Cancellation is the body that cancels.
type Cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

// Waiver is the body that waives.
type Waiver struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Required once a baseline is agreed."`
}

// Sharing is the body that shares.
type Sharing struct {
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1" doc:"Default: all other participants."`
}

// Comment is the body that comments.
type Comment struct {
	Text     string          `json:"text" maxLength:"10000"`
	Audience domain.Audience `json:"audience,omitempty" doc:"Default: shared. private: visible to the own partner only."`
}
