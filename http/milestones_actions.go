package http

import (
	"net/http"
	"strconv"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func actionRoutes() []*route {
	action := func(path, summary, callers string, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, lastSegment(path)+"Milestone", path, summary, callers, milestoneVisible, api.Milestone{}, handler)
	}
	return []*route{
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/agree", "Agree to own a milestone that another partner has planned", owner, command(agreeMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/decline", "Decline to own a milestone that another partner has planned, with a reason; this cancels it", owner, command(declineMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/start", "Begin the work", owner, command(startMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/progress", "Report progress and health; with audience private, a participant's own assessment", reporter, command(reportProgress)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/forecast", "Move the own partner's forecast", participants, command(moveForecast)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/deliver", "Deliver the milestone", owner, command(deliverMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/complete", "Complete a private milestone", owner, command(completeMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/withdraw", "Withdraw an undecided delivery", owner, command(withdrawDelivery)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/accept", "Accept the delivery, unconditionally or with conditions; the last acceptor's unconditional acceptance finishes the milestone", acceptor, command(acceptMilestone)),
		changeRoute(http.MethodPost, "closeCondition", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/close-condition",
			"Close a condition as met; closing the last one makes the acceptance unconditional", conditionAuthor, milestoneVisible,
			api.Milestone{}, command(closeCondition)),
		changeRoute(http.MethodPost, "meetCondition", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/conditions/{condition}/met",
			"Report a condition as met; its author then closes or refuses it", owner, milestoneVisible, api.Milestone{}, command(meetCondition)),
		changeRoute(http.MethodPost, "refuseCondition", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/conditions/{condition}/refuse",
			"Answer, with a reason, that a reported condition is not met", conditionAuthor, milestoneVisible, api.Milestone{}, command(refuseCondition)),
		changeRoute(http.MethodPost, "checkCriterion", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/criteria/{criterion}/check",
			"Record the own partner's result for one criterion; this never replaces an acceptance", checker, milestoneVisible, api.Milestone{}, command(checkCriterion)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/reject", "Reject the delivery, with reasons", acceptor, command(rejectMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/dispute", "Object to the rejection of the last delivery, or to the refusal of a condition, within the acceptance period", owner, command(disputeMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/settle", "Name an outcome for a dispute; it is settled when the owner and all acceptors name the same outcome", settler, command(settleMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/cancel", "Cancel a milestone that is not delivered", owner, command(cancelMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/waive", "Waive the milestone; requires every acceptor", acceptor, command(waiveMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/share", "Share a private milestone with all participants; cannot be undone", owner, command(shareMilestone)),
		action("/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/comment", "Comment for all readers of the milestone or for the own partner", participants, command(commentMilestone)),
		changeRoute(http.MethodPost, "nameResponsible", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/responsible",
			"Name the responsible member of the own partner, or none", participants, milestoneVisible, api.Milestone{}, command(nameResponsible)),
	}
}

func agreeMilestone(req *writeCall, _ *api.Nothing) (*intent, error) {
	return req.milestoneIntent(domain.AgreeOwnership{MilestoneRef: req.milestone()}), nil
}

func declineMilestone(req *writeCall, body *api.Declining) (*intent, error) {
	return req.milestoneIntent(domain.DeclineOwnership{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

func startMilestone(req *writeCall, _ *api.Nothing) (*intent, error) {
	return req.milestoneIntent(domain.StartMilestone{MilestoneRef: req.milestone()}), nil
}

func reportProgress(req *writeCall, body *api.Progress) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.ReportProgress{
		MilestoneRef: req.milestone(), Percent: body.Percent, Health: body.Health, Note: body.Note, Private: private,
	}), nil
}

func moveForecast(req *writeCall, body *api.Forecast) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.MoveForecast{MilestoneRef: req.milestone(), On: body.On, Reason: body.Reason, Private: private}), nil
}

func deliverMilestone(req *writeCall, body *api.Delivery) (*intent, error) {
	command := domain.DeliverMilestone{MilestoneRef: req.milestone(), On: body.On, Reason: body.Reason}
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

func completeMilestone(req *writeCall, body *api.Completion) (*intent, error) {
	return req.milestoneIntent(domain.CompleteMilestone{MilestoneRef: req.milestone(), On: body.On, Reason: body.Reason}), nil
}

func withdrawDelivery(req *writeCall, body *api.Withdrawing) (*intent, error) {
	return req.milestoneIntent(domain.WithdrawDelivery{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

func acceptMilestone(req *writeCall, body *api.AcceptanceInput) (*intent, error) {
	command := domain.AcceptMilestone{MilestoneRef: req.milestone(), Note: body.Note}
	for _, wanted := range body.Conditions {
		command.Conditions = append(command.Conditions, domain.Requirement{Text: wanted.Text, DueOn: wanted.DueOn, Evidence: sharedEvidence(wanted.Evidence)})
	}
	return req.milestoneIntent(command), nil
}

func sharedEvidence(list []api.SharedEvidence) (evidence []domain.Evidence) {
	for _, input := range list {
		evidence = append(evidence, domain.Evidence(input))
	}
	return evidence
}

func closeCondition(req *writeCall, body *api.Closing) (*intent, error) {
	return req.milestoneIntent(domain.CloseCondition{MilestoneRef: req.milestone(), Number: body.Number}), nil
}

// number returns the number in the path, or 0, which the domain refuses.
func (c *call) number(name string) int {
	n, err := strconv.Atoi(c.echoCtx.Param(name))
	if err != nil {
		return 0
	}
	return n
}

func meetCondition(req *writeCall, body *api.ConditionReportInput) (*intent, error) {
	return req.milestoneIntent(domain.MeetCondition{MilestoneRef: req.milestone(), Number: req.number("condition"), Note: body.Note, Evidence: sharedEvidence(body.Evidence)}), nil
}

func refuseCondition(req *writeCall, body *api.ConditionRefusalInput) (*intent, error) {
	return req.milestoneIntent(domain.RefuseCondition{MilestoneRef: req.milestone(), Number: req.number("condition"), Reason: body.Reason, Evidence: sharedEvidence(body.Evidence)}), nil
}

func checkCriterion(req *writeCall, body *api.Check) (*intent, error) {
	return req.milestoneIntent(domain.CheckCriterion{
		MilestoneRef: req.milestone(), Number: req.number("criterion"), Result: body.Result, Note: body.Note, Evidence: sharedEvidence(body.Evidence),
	}), nil
}

func rejectMilestone(req *writeCall, body *api.RejectionInput) (*intent, error) {
	return req.milestoneIntent(domain.RejectMilestone{MilestoneRef: req.milestone(), Reasons: body.Reasons, Evidence: sharedEvidence(body.Evidence)}), nil
}

func disputeMilestone(req *writeCall, body *api.Objection) (*intent, error) {
	return req.milestoneIntent(domain.DisputeMilestone{MilestoneRef: req.milestone(), Reason: body.Reason, Condition: body.Condition}), nil
}

func settleMilestone(req *writeCall, body *api.Settlement) (*intent, error) {
	return req.milestoneIntent(domain.SettleMilestone{MilestoneRef: req.milestone(), Settlement: body.Outcome, Note: body.Note}), nil
}

func cancelMilestone(req *writeCall, body *api.Cancellation) (*intent, error) {
	return req.milestoneIntent(domain.CancelMilestone{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

func waiveMilestone(req *writeCall, body *api.Waiver) (*intent, error) {
	return req.milestoneIntent(domain.WaiveMilestone{MilestoneRef: req.milestone(), Reason: body.Reason}), nil
}

func shareMilestone(req *writeCall, body *api.Sharing) (*intent, error) {
	acceptors, err := chosenAcceptors(body.Acceptors, false)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.ShareMilestone{MilestoneRef: req.milestone(), Acceptors: acceptors}), nil
}

func commentMilestone(req *writeCall, body *api.Comment) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	return req.milestoneIntent(domain.CommentMilestone{MilestoneRef: req.milestone(), Text: body.Text, Private: private}), nil
}

// nameResponsible checks the member, because the directory is another partition than the milestone.
func nameResponsible(req *writeCall, body *api.ResponsibleInput) (*intent, error) {
	if body.Member != "" && !req.ownMember(body.Member) {
		return nil, invalid(domain.FieldError{Field: "member", Message: "is no present member of your partner"})
	}
	return req.milestoneIntent(domain.NameResponsible{MilestoneRef: req.milestone(), Member: body.Member}), nil
}

// ownMember reports whether the id is that of a present member of the caller's partner.
func (c *writeCall) ownMember(id domain.MemberID) bool {
	ref := domain.MemberRef{Partner: c.caller.Partner, Member: id}
	member := c.cfg.ReadModel.State(projections.DirectoryOf(ref.Partner)).Member(ref)
	return member != nil && !member.Removed
}
