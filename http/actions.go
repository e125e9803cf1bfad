package http

import (
	"net/http"

	"tandem/domain"
	"tandem/projections"
)

func actionRoutes() []*route {
	action := func(name, summary, callers string, w *writer) *route {
		return change(http.MethodPost, name+"Milestone", onePath+"/"+name, summary, callers, seesMilestone, projections.Milestone{}, w)
	}
	return []*route{
		action("start", "Begin the work", owner, writes(startMilestone)),
		action("progress", "Report progress and health; privately, any participant's own assessment", reporter, writes(reportProgress)),
		action("forecast", "Move one's own forecast", participants, writes(moveForecast)),
		action("deliver", "Claim that it is done", owner, writes(deliverMilestone)),
		action("withdraw", "Take the delivery back while nobody has decided it", owner, writes(withdrawDelivery)),
		action("accept", "Accept the delivery, fully or on conditions; the last acceptor's full yes finishes the milestone", acceptor, writes(acceptMilestone)),
		change(http.MethodPost, "closeCondition", onePath+"/close-condition",
			"Say that a condition is met; the last closing makes the acceptance a full one", author, seesMilestone,
			projections.Milestone{}, writes(closeCondition)),
		action("reject", "Reject the delivery, with reasons", acceptor, writes(rejectMilestone)),
		action("dispute", "Object to the rejection of the last delivery, within the acceptance period", owner, writes(disputeMilestone)),
		action("settle", "Name the outcome of a dispute; it is settled when the owner and all acceptors name the same", settler, writes(settleMilestone)),
		action("cancel", "Cancel a milestone that is not delivered", owner, writes(cancelMilestone)),
		action("waive", "Give up the claim to the result; it takes every acceptor", acceptor, writes(waiveMilestone)),
		action("share", "Show a private milestone to all participants; nothing goes back", owner, writes(shareMilestone)),
		action("comment", "Say something, to all who see the milestone or to one's own partner", participants, writes(commentMilestone)),
	}
}

// Nothing is the body of an action that needs none.
type Nothing struct{}

func startMilestone(q *writing, _ *Nothing) (*intent, error) {
	return q.onMilestone(domain.StartMilestone{Ref: q.milestone()}), nil
}

// Progress is the body that reports progress; at least one field is given.
type Progress struct {
	Percent  *int            `json:"percent,omitempty" minimum:"0" maximum:"100"`
	Health   *domain.Health  `json:"health,omitempty" enum:"green,amber,red"`
	Note     *string         `json:"note,omitempty" maxLength:"2000" doc:"Belongs to the health; a new health without one has none."`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given; a private assessment has no percent and stands beside the owner's report."`
}

func reportProgress(q *writing, b *Progress) (*intent, error) {
	private, err := q.audience(b.Audience)
	if err != nil {
		return nil, err
	}
	return q.onMilestone(domain.ReportProgress{
		Ref: q.milestone(), Percent: b.Percent, Health: b.Health, Note: b.Note, Private: private,
	}), nil
}

// Forecast is the body that moves a forecast.
type Forecast struct {
	On       domain.Date     `json:"on"`
	Reason   string          `json:"reason,omitempty" maxLength:"2000" doc:"Needed to move one that is there."`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given; a private one stands beside it."`
}

func moveForecast(q *writing, b *Forecast) (*intent, error) {
	private, err := q.audience(b.Audience)
	if err != nil {
		return nil, err
	}
	return q.onMilestone(domain.MoveForecast{Ref: q.milestone(), On: b.On, Reason: b.Reason, Private: private}), nil
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

func deliverMilestone(q *writing, b *Delivery) (*intent, error) {
	c := domain.DeliverMilestone{Ref: q.milestone(), On: b.On}
	for _, e := range b.Evidence {
		private, err := q.audience(e.Audience)
		if err != nil {
			return nil, err
		}
		to := &c.Evidence
		if private {
			to = &c.Kept
		}
		*to = append(*to, domain.Evidence{Title: e.Title, URL: e.URL, SHA256: e.SHA256})
	}
	return q.onMilestone(c), nil
}

func withdrawDelivery(q *writing, _ *Nothing) (*intent, error) {
	return q.onMilestone(domain.WithdrawDelivery{Ref: q.milestone()}), nil
}

// Acceptance is the body that accepts.
type Acceptance struct {
	Note       string               `json:"note,omitempty" maxLength:"2000"`
	Conditions []domain.Requirement `json:"conditions,omitempty" maxItems:"50" doc:"What must be done, and by when, not before the delivery; none: a full yes, which closes one's open conditions."`
}

func acceptMilestone(q *writing, b *Acceptance) (*intent, error) {
	return q.onMilestone(domain.AcceptMilestone{Ref: q.milestone(), Note: b.Note, Conditions: b.Conditions}), nil
}

// Closing is the body that closes a condition.
type Closing struct {
	Number int `json:"number" minimum:"1" doc:"As acceptance.conditions tells it."`
}

func closeCondition(q *writing, b *Closing) (*intent, error) {
	return q.onMilestone(domain.CloseCondition{Ref: q.milestone(), Number: b.Number}), nil
}

// Rejection is the body that rejects.
type Rejection struct {
	Reasons []string `json:"reasons" minItems:"1" maxItems:"50"`
}

func rejectMilestone(q *writing, b *Rejection) (*intent, error) {
	return q.onMilestone(domain.RejectMilestone{Ref: q.milestone(), Reasons: b.Reasons}), nil
}

// Objection is the body that disputes.
type Objection struct {
	Reason string `json:"reason" maxLength:"2000"`
}

func disputeMilestone(q *writing, b *Objection) (*intent, error) {
	return q.onMilestone(domain.DisputeMilestone{Ref: q.milestone(), Reason: b.Reason}), nil
}

// Settlement is the body that names the outcome of a dispute.
type Settlement struct {
	Outcome domain.Outcome `json:"outcome" enum:"accepted,rejected" doc:"accepted: the delivery is; rejected: the rejection stands. A later one replaces an earlier one."`
	Note    string         `json:"note,omitempty" maxLength:"2000"`
}

func settleMilestone(q *writing, b *Settlement) (*intent, error) {
	return q.onMilestone(domain.SettleMilestone{Ref: q.milestone(), Outcome: b.Outcome, Note: b.Note}), nil
}

// Cancellation is the body that cancels.
type Cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

func cancelMilestone(q *writing, b *Cancellation) (*intent, error) {
	return q.onMilestone(domain.CancelMilestone{Ref: q.milestone(), Reason: b.Reason}), nil
}

func waiveMilestone(q *writing, _ *Nothing) (*intent, error) {
	return q.onMilestone(domain.WaiveMilestone{Ref: q.milestone()}), nil
}

// Sharing is the body that shares.
type Sharing struct {
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1" doc:"All other participants unless given."`
}

func shareMilestone(q *writing, b *Sharing) (*intent, error) {
	acceptors, err := chosen(b.Acceptors, false)
	if err != nil {
		return nil, err
	}
	return q.onMilestone(domain.ShareMilestone{Ref: q.milestone(), Acceptors: acceptors}), nil
}

// Comment is the body that comments.
type Comment struct {
	Text     string          `json:"text" maxLength:"10000"`
	Audience domain.Audience `json:"audience,omitempty" doc:"shared unless given, or private for one's own partner."`
}

func commentMilestone(q *writing, b *Comment) (*intent, error) {
	private, err := q.audience(b.Audience)
	if err != nil {
		return nil, err
	}
	return q.onMilestone(domain.CommentMilestone{Ref: q.milestone(), Text: b.Text, Private: private}), nil
}
