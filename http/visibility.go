package http

import (
	"strings"

	"tandem/domain"
	"tandem/projections"
)

// visibility says whether the caller may see what a path names. It is asked before anything else of
// the request is looked at.
type visibility func(req *call, view *projections.View) bool

// checkVisible refuses what the caller may not see, and then what is made of lost history.
func (c *call) checkVisible() error {
	return c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error {
		switch {
		case !c.route.isVisible(c, view):
			return errNotFound
		case !c.intact(view):
			return errHistoryLost
		}
		return nil
	})
}

// isVisible reports whether the caller may see what the path names.
func (rt *route) isVisible(req *call, view *projections.View) bool {
	return rt.visibleTo == nil || rt.visibleTo(req, view)
}

func partnerVisible(req *call, view *projections.View) bool {
	return view.PartnerVisible(req.partner())
}

// directoryVisible is for the partner itself and the operator.
func directoryVisible(req *call, view *projections.View) bool {
	return view.PartnerVisible(req.partner()) && (req.caller.Operator || req.caller.Partner == req.partner())
}

// ownPartner is for the partner itself: what its programs poll.
func ownPartner(req *call, _ *projections.View) bool {
	return !req.caller.Operator && req.caller.Partner == req.partner()
}

func memberVisible(req *call, view *projections.View) bool {
	_, ok := view.Member(req.partner(), domain.MemberID(req.echoCtx.Param("member")))
	return ok && directoryVisible(req, view)
}

// memberVisibleOrRepeat lets the repeat of a removal through to its first answer, though the member is gone.
func memberVisibleOrRepeat(req *call, view *projections.View) bool {
	return memberVisible(req, view) || (req.header("Idempotency-Key") != "" && directoryVisible(req, view))
}

// noticeVisible lets the repeat of a dismissal through, as seesRemovable does.
func noticeVisible(req *call, view *projections.View) bool {
	return ownPartner(req, view) && (view.NoticeVisible(req.partner(), req.notice()) || (req.header("Idempotency-Key") != "" && view.WebhooksVisible(req.partner())))
}

func tokenVisible(req *call, view *projections.View) bool {
	_, ok := view.Token(req.partner(), domain.TokenID(req.echoCtx.Param("token")))
	return ok && directoryVisible(req, view)
}

func agreementVisible(req *call, view *projections.View) bool {
	return view.AgreementVisible(req.agreement())
}

func instrumentVisible(req *call, view *projections.View) bool {
	return view.InstrumentVisible(req.agreement(), req.instrument())
}

func scheduleItemVisible(req *call, view *projections.View) bool {
	return view.ScheduleItemVisible(req.agreement(), req.instrument(), domain.ItemID(req.echoCtx.Param("item")))
}

func projectVisible(req *call, view *projections.View) bool {
	ref := req.project()
	return view.ProjectVisible(ref.Agreement, ref.Project)
}

func milestoneVisible(req *call, view *projections.View) bool {
	return view.MilestoneVisible(req.milestone())
}

// joinPath joins segments to the path of a resource.
func joinPath[S ~string](prefix string, last S) string { return prefix + "/" + string(last) }

func partnerPath(id domain.PartnerID) string { return joinPath("/v1/partners", id) }

func agreementPath(id domain.AgreementID) string { return joinPath("/v1/agreements", id) }

func projectPath(ref domain.ProjectRef) string {
	return joinPath(agreementPath(ref.Agreement)+"/projects", ref.Project)
}

func milestonePath(ref domain.MilestoneRef) string {
	return joinPath(projectPath(ref.ProjectRef())+"/milestones", ref.Milestone)
}

// isPrivate reads the audience that a client names: shared, or private for its own partner.
func (c *call) isPrivate(audience domain.Audience) (private bool, err error) {
	switch only, prefixed := audience.Private(); {
	case audience == "" || audience == domain.Shared:
		return false, nil
	case audience == "private" || (prefixed && only == c.caller.Partner):
		return true, nil
	}
	return false, invalid(domain.FieldError{
		Field: "audience", Message: "is neither shared nor private; only your own partner can be meant by private",
	})
}

// joinIDs joins ids for a message.
func joinIDs[S ~string](ids []S) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return strings.Join(list, ", ")
}
