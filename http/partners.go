package http

import (
	"net/http"
	"time"

	"tandem/domain"
	"tandem/projections"
)

func partnerRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, name: "getMe", path: "/v1/me", summary: "Who the token belongs to", callers: anyMember,
			answer: Me{}, handle: computes(getMe), success: []int{http.StatusOK, http.StatusNotModified},
		},
		read("listPartners", "/v1/partners", "Oneself and the counterparties; for the operator all partners", anyMember,
			nil, projections.Partners{}, listPartners, lists()...).over((*projections.View).IntactPartners),
		create("createPartner", "/v1/partners", "Create a partner", "the operator", nil, projections.Partner{}, writes(createPartner)),
		read("getPartner", "/v1/partners/{partner}", "One partner", anyMember, seesPartner, projections.Partner{}, getPartner),
		change(http.MethodPatch, "editPartner", "/v1/partners/{partner}", "Change what a partner says of itself",
			directoryWrite, seesPartner, projections.Partner{}, writes(editPartner)),
		read("listPartnerMilestones", "/v1/partners/{partner}/milestones",
			"All milestones that the partner may see, by due date, agreement, project and id", anyOfPartner,
			seesOwn, projections.Milestones{}, listPartnerMilestones, lists(milestoneFilters()...)...).over((*projections.View).Intact),
		read("getPartnerStatus", "/v1/partners/{partner}/status", "Counts over all that the partner may see",
			anyOfPartner, seesOwn, projections.Status{}, getPartnerStatus).over((*projections.View).Intact),
		read("getInbox", "/v1/partners/{partner}/inbox", "What waits for the partner, oldest first", anyOfPartner,
			seesOwn, projections.Inbox{}, getInbox, lists()...).over((*projections.View).Intact),
		{
			method: http.MethodPost, name: "dismissNotice", path: "/v1/partners/{partner}/notices/{notice}/dismiss",
			summary: "Take a notice out of the inbox before its cause has gone", callers: "managers of the partner", sees: seesNotice,
			write: writes(dismissNotice), success: []int{http.StatusNoContent},
		},
		{
			method: http.MethodGet, name: "listPartnerEvents", path: "/v1/partners/{partner}/events",
			summary: "The feed over all of the partner's agreements, oldest first", callers: anyOfPartner, sees: seesOwn,
			whole: (*projections.View).Intact, answer: projections.Events{}, query: feeds(), feed: true, handle: computes(listPartnerEvents),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

// Me is who the caller is.
type Me struct {
	Partner     *domain.PartnerID    `json:"partner" doc:"Null for the operator."`
	Role        domain.Role          `json:"role" enum:"manager,viewer,operator"`
	Member      domain.MemberID      `json:"member"`
	Token       *domain.TokenID      `json:"token" doc:"The token's id; null for the operator."`
	Agreements  []domain.AgreementID `json:"agreements" doc:"Those that the token is limited to; empty: all of the partner's."`
	ViaOperator bool                 `json:"via_operator" doc:"The operator issued the token."`
}

// getMe differs between the members of a partner, so it cannot be a page: they share pages.
func getMe(q *call) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	me := Me{Role: q.who.Role, Member: q.who.Member, Agreements: q.scope(), ViaOperator: q.who.ViaOperator}
	if !q.who.Operator {
		me.Partner, me.Token = &q.who.Partner, &q.who.Token
	}
	return projections.Answer{Body: me}, nil
}

func listPartners(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Partners(), func(p projections.Partner) string { return string(p.ID) })
	return projections.Answer{Version: v.Version(), Body: projections.Partners{Partners: list, NextCursor: next}}, a.err()
}

func getPartner(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readPartner(q.partner())(v)
}

func readPartner(id domain.PartnerID) reader {
	return func(v *projections.View) (projections.Answer, error) {
		p, ok := v.Partner(id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: p.Version, Body: p}, nil
	}
}

// NewPartner is the body that creates a partner.
type NewPartner struct {
	ID       domain.PartnerID `json:"id"`
	Name     string           `json:"name" maxLength:"200"`
	Country  string           `json:"country" doc:"ISO 3166-1 alpha-2, such as FI."`
	TimeZone string           `json:"time_zone" doc:"IANA name, such as Europe/Helsinki."`
	Holidays []domain.Date    `json:"holidays,omitempty" doc:"Own days off, beside the country's."`
}

func createPartner(q *writing, b *NewPartner) (*intent, error) {
	if err := q.identify(domain.Stream{Partner: b.ID}.Root()); err != nil {
		return nil, err
	}
	if err := timeZone(b.TimeZone); err != nil {
		return nil, err
	}
	if err := q.acceptNew(); err != nil {
		return nil, err
	}
	return &intent{
		command: domain.CreatePartner{ID: b.ID, Profile: domain.PartnerProfile{
			Name: b.Name, Country: b.Country, TimeZone: b.TimeZone, Holidays: b.Holidays,
		}},
		status: http.StatusCreated, path: partnerPath(b.ID), read: readPartner(b.ID),
	}, nil
}

// timeZone refuses names that no date can be computed in. Local would be this machine's.
func timeZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return invalid(domain.FieldError{Field: "time_zone", Message: "is not an IANA time zone such as Europe/Helsinki"})
	}
	return nil
}

// PartnerChange is the body that changes a partner; what is absent stays.
type PartnerChange struct {
	Name     *string        `json:"name,omitempty" maxLength:"200"`
	Country  *string        `json:"country,omitempty"`
	TimeZone *string        `json:"time_zone,omitempty"`
	Holidays *[]domain.Date `json:"holidays,omitempty"`
}

func editPartner(q *writing, b *PartnerChange) (*intent, error) {
	if *b == (PartnerChange{}) {
		return nil, errNothingToChange
	}
	if b.TimeZone != nil {
		if err := timeZone(*b.TimeZone); err != nil {
			return nil, err
		}
	}
	id := q.partner()
	return &intent{
		command: domain.EditPartner{ID: id, Name: b.Name, Country: b.Country, TimeZone: b.TimeZone, Holidays: b.Holidays},
		status:  http.StatusOK, path: partnerPath(id), read: readPartner(id),
		refused: func(e *domain.Error) error {
			if e.Kind == domain.NotFound { // the directory is another's; that the partner exists is no secret
				return refuse(http.StatusForbidden, "not_your_partner", "Only a manager of %s can do this.", id)
			}
			return q.limited(e)
		},
	}, nil
}

// limited says so when it was the token's limit that made the caller a viewer.
func (q *writing) limited(e *domain.Error) error {
	if e.Code == "manager_only" && q.who.Scope != "" && q.who.Role == domain.Manager {
		return refuse(http.StatusForbidden, "token_limited", "This token is limited to the agreements %s.", names(q.scope()))
	}
	return e
}

var errNothingToChange = refuse(http.StatusUnprocessableEntity, "nothing_to_change", "Give at least one field to change.")

func getPartnerStatus(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return projections.Answer{Version: v.Version(), Body: v.Status()}, nil
}

func getInbox(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	items, next := part(a, v.Inbox(), projections.InboxItem.Key)
	return projections.Answer{
		Version: v.Version(), Body: projections.Inbox{Partner: q.partner(), Items: items, NextCursor: next},
	}, a.err()
}

func dismissNotice(q *writing, _ *Nothing) (*intent, error) {
	return &intent{
		command: domain.DismissNotice{Partner: q.partner(), Notice: q.notice()},
		status:  http.StatusNoContent, path: partnerPath(q.partner()) + "/inbox", refused: q.limited,
	}, nil
}

func (q *call) notice() domain.NoticeID { return domain.NoticeID(q.c.Param("notice")) }
