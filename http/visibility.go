package http

import (
	"strings"

	"tandem/domain"
	"tandem/projections"
)

// visibility reports whether the caller may see the resources in the path. It is checked before any other part of the
// request.
type visibility func(req *call, view *projections.View) bool

// checkVisible refuses requests for invisible resources, then those whose history is lost.
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

// isVisible reports whether the caller may see the resources in the path.
func (rt *route) isVisible(req *call, view *projections.View) bool {
	return rt.visibleTo == nil || rt.visibleTo(req, view)
}

func partnerVisible(req *call, view *projections.View) bool {
	return view.PartnerVisible(req.partner())
}

// directoryVisible admits the partner itself and the operator.
func directoryVisible(req *call, view *projections.View) bool {
	return view.PartnerVisible(req.partner()) && (req.caller.Operator || req.caller.Partner == req.partner())
}

// ownPartner admits the partner itself.
func ownPartner(req *call, _ *projections.View) bool {
	return !req.caller.Operator && req.caller.Partner == req.partner()
}

func memberVisible(req *call, view *projections.View) bool {
	_, ok := view.Member(req.partner(), domain.MemberID(req.echoCtx.Param("member")))
	return ok && directoryVisible(req, view)
}

// memberVisibleOrRepeat also admits the repeat of a removal, although the member no longer exists.
func memberVisibleOrRepeat(req *call, view *projections.View) bool {
	return memberVisible(req, view) || (req.header("Idempotency-Key") != "" && directoryVisible(req, view))
}

// noticeVisible also admits the repeat of a dismissal; see memberVisibleOrRepeat.
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

// instrumentVisibleOrRepeat also admits the repeat of a removal; see memberVisibleOrRepeat.
func instrumentVisibleOrRepeat(req *call, view *projections.View) bool {
	return instrumentVisible(req, view) || (req.header("Idempotency-Key") != "" && agreementVisible(req, view))
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

// joinPath appends a segment to the path of a resource.
func joinPath[S ~string](prefix string, last S) string { return prefix + "/" + string(last) }

func partnerPath(id domain.PartnerID) string { return joinPath("/v1/partners", id) }

func agreementPath(id domain.AgreementID) string { return joinPath("/v1/agreements", id) }

func projectPath(ref domain.ProjectRef) string {
	return joinPath(agreementPath(ref.Agreement)+"/projects", ref.Project)
}

func milestonePath(ref domain.MilestoneRef) string {
	return joinPath(projectPath(ref.ProjectRef())+"/milestones", ref.Milestone)
}

// isPrivate parses the audience in a request: shared, or private to the caller's partner.
func (c *call) isPrivate(audience domain.Audience) (private bool, err error) {
	switch only, prefixed := audience.Private(); {
	case audience == "" || audience == domain.Shared:
		return false, nil
	case audience == "private" || (prefixed && only == c.caller.Partner):
		return true, nil
	}
	return false, invalid(domain.FieldError{
		Field: "audience", Message: "must be shared, or private for your own partner",
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
