package http

import (
	"net/http"

	"tandem/domain"
	"tandem/projections"
)

func actionRoutes() []*route {
	action := func(name, summary, callers string, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, name+"Milestone", milestonePathTemplate+"/"+name, summary, callers, milestoneVisible, projections.Milestone{}, handler)
	}
	return []*route{
		action("start", "Begin the work", owner, command(startMilestone)),
		action("progress", "Report progress and health; privately, any participant's own assessment", reporter, command(reportProgress)),
		action("forecast", "Move one's own forecast", participants, command(moveForecast)),
		action("deliver", "Claim that it is done", owner, command(deliverMilestone)),
		action("withdraw", "Take the delivery back while nobody has decided it", owner, command(withdrawDelivery)),
		action("accept", "Accept the delivery, fully or on conditions; the last acceptor's full yes finishes the milestone", acceptor, command(acceptMilestone)),
		changeRoute(http.MethodPost, "closeCondition", milestonePathTemplate+"/close-condition",
			"Say that a condition is met; the last closing makes the acceptance a full one", conditionAuthor, milestoneVisible,
			projections.Milestone{}, command(closeCondition)),
		action("reject", "Reject the delivery, with reasons", acceptor, command(rejectMilestone)),
		action("dispute", "Object to the rejection of the last delivery, within the acceptance period", owner, command(disputeMilestone)),
		action("settle", "Name the outcome of a dispute; it is settled when the owner and all acceptors name the same", settler, command(settleMilestone)),
		action("cancel", "Cancel a milestone that is not delivered", owner, command(cancelMilestone)),
		action("waive", "Give up the claim to the result; it takes every acceptor", acceptor, command(waiveMilestone)),
		action("share", "Show a private milestone to all participants; nothing goes back", owner, command(shareMilestone)),
		action("comment", "Say something, to all who see the milestone or to one's own partner", participants, command(commentMilestone)),
	}
}

// Nothing is the body of an action that needs none.
type Nothing struct{}

func startMilestone(req *writeCall, _ *Nothing) (*intent, error) {
	return req.milestoneIntent(domain.StartMilestone{MilestoneRef: req.milestone()}), nil
}

// Progress is the body that reports progress; at least one field is given.
type Progress struct {
	Percent  *int            `json:"percent,omitempty" minimum:"0" maximum:"100"`
	Health   *domain.Health  `json:"health,omitempty" enum:"green,amber,red"`
	Note     *string         `json:"note,omitempty" maxLength:"2000" doc:"Belongs to the health; a new health without one has none."`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given; a private assessment has no percent and stands beside the owner's report."`
}

func reportProgress(req *writeCall, body *Progress) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.ReportProgress{
		MilestoneRef: req.milestone(), Percent: body.Percent, Health: body.Health, Note: body.Note, Private: private,
	}), nil
}

// Forecast is the body that moves a forecast.
type Forecast struct {
	On       domain.Date     `json:"on"`
	Reason   string          `json:"reason,omitempty" maxLength:"2000" doc:"Needed to move one that is there."`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given; a private one stands beside it."`
}

func moveForecast(req *writeCall, body *Forecast) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.MoveForecast{MilestoneRef: req.milestone(), On: body.On, Reason: body.Reason, Private: private}), nil
}

// Delivery is the body that delivers.
type Delivery struct {
	On       domain.Date `json:"on,omitzero" doc:"Not in the future; today in the partner's zone unless given."`
	Evidence []Evidence  `json:"evidence,omitempty" maxItems:"50"`
}

// Evidence supports a delivery.
type Evidence struct {
	Title    string          `json:"title" maxLength:"200"`
	URL      string          `json:"url" maxLength:"2000" doc:"An http or https address."`
	SHA256   string          `json:"sha256,omitempty" doc:"Lower-case hexadecimal."`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given; what is private stays with the owner's partner."`
}

func deliverMilestone(req *writeCall, body *Delivery) (*intent, error) {
	command := domain.DeliverMilestone{MilestoneRef: req.milestone(), On: body.On}
	for _, evidence := range body.Evidence {
		private, err := req.isPrivate(evidence.Audience)
		if err != nil {
			return nil, err
		}
		to := &command.Evidence
		if private {
			to = &command.PrivateEvidence
		}
		*to = append(*to, domain.Evidence{Title: evidence.Title, URL: evidence.URL, SHA256: evidence.SHA256})
	}
	return req.milestoneIntent(command), nil
}

func withdrawDelivery(req *writeCall, _ *Nothing) (*intent, error) {
	return req.milestoneIntent(domain.WithdrawDelivery{MilestoneRef: req.milestone()}), nil
}

// Acceptance is the body that accepts.
type Acceptance struct {
	Note       string               `json:"note,omitempty" maxLength:"2000"`
	Conditions []domain.Requirement `json:"conditions,omitempty" maxItems:"50" doc:"What must be done, and by when, not before the delivery; none: a full yes, which closes one's open conditions."`
}

func acceptMilestone(req *writeCall, body *Acceptance) (*intent, error) {
	return req.milestoneIntent(domain.AcceptMilestone{MilestoneRef: req.milestone(), Note: body.Note, Conditions: body.Conditions}), nil
}

// Closing is the body that closes a condition.
type Closing struct {
	Number int `json:"number" minimum:"1" doc:"As acceptance.conditions tells it."`
}

func closeCondition(req *writeCall, body *Closing) (*intent, error) {
	return req.milestoneIntent(domain.CloseCondition{MilestoneRef: req.milestone(), Number: body.Number}), nil
}

// Rejection is the body that rejects.
type Rejection struct {
	Reasons []string `json:"reasons" minItems:"1" maxItems:"50"`
}

func rejectMilestone(req *writeCall, body *Rejection) (*intent, error) {
	return req.milestoneIntent(domain.RejectMilestone{MilestoneRef: req.milestone(), Reasons: body.Reasons}), nil
}

// Objection is the body that disputes.
type Objection struct {
	Reason string `json:"reason" maxLength:"2000"`
}

func disputeMilestone(req *writeCall, body *Objection) (*intent, error) {
	return req.milestoneIntent(domain.DisputeMilestone{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

// Settlement is the body that names the outcome of a dispute.
type Settlement struct {
	Outcome domain.Settlement `json:"outcome" enum:"accepted,rejected" doc:"accepted: the delivery is; rejected: the rejection stands. A later one replaces an earlier one."`
	Note    string            `json:"note,omitempty" maxLength:"2000"`
}

func settleMilestone(req *writeCall, body *Settlement) (*intent, error) {
	return req.milestoneIntent(domain.SettleMilestone{MilestoneRef: req.milestone(), Settlement: body.Outcome, Note: body.Note}), nil
}

// Cancellation is the body that cancels.
type Cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

func cancelMilestone(req *writeCall, body *Cancellation) (*intent, error) {
	return req.milestoneIntent(domain.CancelMilestone{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

func waiveMilestone(req *writeCall, _ *Nothing) (*intent, error) {
	return req.milestoneIntent(domain.WaiveMilestone{MilestoneRef: req.milestone()}), nil
}

// Sharing is the body that shares.
type Sharing struct {
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1" doc:"All other participants unless given."`
}

func shareMilestone(req *writeCall, body *Sharing) (*intent, error) {
	acceptors, err := chosenAcceptors(body.Acceptors, false)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.ShareMilestone{MilestoneRef: req.milestone(), Acceptors: acceptors}), nil
}

// Comment is the body that comments.
type Comment struct {
	Text     string          `json:"text" maxLength:"10000"`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given, or private for one's own partner."`
}

func commentMilestone(req *writeCall, body *Comment) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.CommentMilestone{MilestoneRef: req.milestone(), Text: body.Text, Private: private}), nil
}
