package http

import (
	"strings"

	"tandem/domain"
	"tandem/projections"
)

// sight says whether the caller may see what a path names. It is asked before anything else of
// the request is looked at.
type sight func(q *call, v *projections.View) bool

// visible refuses what the caller may not see, and then what is made of lost history.
func (q *call) visible() error {
	return q.Image.View(q.who.Viewer, func(v *projections.View) error {
		switch {
		case !q.rt.seenBy(q, v):
			return errNotFound
		case !q.intact(v):
			return errHistoryLost
		}
		return nil
	})
}

// seenBy reports whether the caller may see what the path names.
func (rt *route) seenBy(q *call, v *projections.View) bool { return rt.sees == nil || rt.sees(q, v) }

func seesPartner(q *call, v *projections.View) bool { return v.SeesPartner(q.partner()) }

// seesDirectory is for the partner itself and the operator.
func seesDirectory(q *call, v *projections.View) bool {
	return v.SeesPartner(q.partner()) && (q.who.Operator || q.who.Partner == q.partner())
}

// seesOwn is for the partner itself: what its programs poll.
func seesOwn(q *call, _ *projections.View) bool {
	return !q.who.Operator && q.who.Partner == q.partner()
}

func seesMember(q *call, v *projections.View) bool {
	_, ok := v.Member(q.partner(), domain.MemberID(q.c.Param("member")))
	return ok && seesDirectory(q, v)
}

// seesRemovable lets the repeat of a removal through to its first answer, though the member is gone.
func seesRemovable(q *call, v *projections.View) bool {
	return seesMember(q, v) || (q.header("Idempotency-Key") != "" && seesDirectory(q, v))
}

// seesNotice lets the repeat of a dismissal through, as seesRemovable does.
func seesNotice(q *call, v *projections.View) bool {
	return seesOwn(q, v) && (v.SeesNotice(q.partner(), q.notice()) || (q.header("Idempotency-Key") != "" && v.SeesWebhooks(q.partner())))
}

func seesToken(q *call, v *projections.View) bool {
	_, ok := v.Token(q.partner(), domain.TokenID(q.c.Param("token")))
	return ok && seesDirectory(q, v)
}

func seesAgreement(q *call, v *projections.View) bool { return v.SeesAgreement(q.agreement()) }

func seesInstrument(q *call, v *projections.View) bool {
	return v.SeesInstrument(q.agreement(), q.instrument())
}

func seesItem(q *call, v *projections.View) bool {
	return v.SeesItem(q.agreement(), q.instrument(), domain.ItemID(q.c.Param("item")))
}

func seesProject(q *call, v *projections.View) bool {
	ref := q.project()
	return v.SeesProject(ref.Agreement, ref.Project)
}

func seesMilestone(q *call, v *projections.View) bool {
	return v.SeesMilestone(q.milestone())
}

// path joins segments to the path of a resource.
func path[S ~string](prefix string, last S) string { return prefix + "/" + string(last) }

func partnerPath(id domain.PartnerID) string { return path("/v1/partners", id) }

func agreementPath(id domain.AgreementID) string { return path("/v1/agreements", id) }

func projectPath(ref domain.ProjectRef) string {
	return path(agreementPath(ref.Agreement)+"/projects", ref.Project)
}

func milestonePath(ref domain.MilestoneRef) string {
	return path(projectPath(ref.ProjectRef())+"/milestones", ref.Milestone)
}

// audience reads the audience that a client names: shared, or private for its own partner.
func (q *call) audience(a domain.Audience) (private bool, err error) {
	switch only, prefixed := a.Private(); {
	case a == "" || a == domain.Shared:
		return false, nil
	case a == "private" || (prefixed && only == q.who.Partner):
		return true, nil
	}
	return false, invalid(domain.FieldError{
		Field: "audience", Message: "is neither shared nor private; only your own partner can be meant by private",
	})
}

// names joins ids for a message.
func names[S ~string](ids []S) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return strings.Join(list, ", ")
}
