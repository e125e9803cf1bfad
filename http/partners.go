package http

import (
	"net/http"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func partnerRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, operationID: "getMe", path: "/v1/me", summary: "The partner, role and member of the token", callers: anyMember,
			responseBody: api.Me{}, handle: computed(getMe), success: []int{http.StatusOK, http.StatusNotModified},
		},
		readRoute("listPartners", "/v1/partners", "The caller's partner, its counterparties and contacts; for the operator all partners", anyMember,
			nil, api.Partners{}, listPartners, listParameters()...).withDependency((*projections.View).IntactPartners),
		createRoute("createPartner", "/v1/partners", "Create a partner", "the operator", nil, api.Partner{}, command(createPartner)),
		readRoute("getPartner", "/v1/partners/{partner}", "One partner", anyMember, partnerVisible, api.Partner{}, getPartner),
		changeRoute(http.MethodPatch, "editPartner", "/v1/partners/{partner}", "Change a partner's own data",
			directoryWrite, partnerVisible, api.Partner{}, command(editPartner)),
		readRoute("listPartnerMilestones", "/v1/partners/{partner}/milestones",
			"All milestones that the partner may see, sorted by due date, agreement, project and id", anyOfPartner,
			ownPartner, api.Milestones{}, listPartnerMilestones, listParameters(milestoneFilters()...)...).withDependency((*projections.View).Intact),
		readRoute("getPartnerStatus", "/v1/partners/{partner}/status", "Counts over everything that the partner may see",
			anyOfPartner, ownPartner, api.Status{}, getPartnerStatus).withDependency((*projections.View).Intact),
		readRoute("getInbox", "/v1/partners/{partner}/inbox", "The items that wait for the partner, oldest first", anyOfPartner,
			ownPartner, api.Inbox{}, getInbox, listParameters(languageParameter)...).withDependency((*projections.View).Intact),
		{
			method: http.MethodPost, operationID: "dismissNotice", path: "/v1/partners/{partner}/notices/{notice}/dismiss",
			summary: "Dismiss a notice while its cause persists", callers: "managers of the partner", visibleTo: noticeVisible,
			body: command(dismissNotice), success: []int{http.StatusNoContent},
		},
		{
			method: http.MethodGet, operationID: "listPartnerEvents", path: "/v1/partners/{partner}/events",
			summary: "The feed over all of the partner's agreements, oldest first", callers: anyOfPartner, visibleTo: ownPartner,
			dependsOn: (*projections.View).Intact, responseBody: api.Events{}, query: feedParameters(), feed: true, handle: computed(listPartnerEvents),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

// getMe depends on the member, so it is not a cached page: members of a partner share those.
func getMe(req *call) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	me := api.Me{Role: req.caller.Role, Member: req.caller.Member, Agreements: req.scopeAgreements(), ViaOperator: req.caller.ViaOperator, MaySign: req.caller.MaySign}
	if !req.caller.Operator {
		me.Partner, me.Token = &req.caller.Partner, &req.caller.Token
	}
	return projections.Answer{Body: me}, nil
}

func listPartners(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Partners(), func(partner api.Partner) string { return string(partner.ID) })
	return projections.Answer{Version: view.Version(), Body: api.Partners{Partners: list, NextCursor: next}}, query.err()
}

func getPartner(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readPartner(req.partner())(view)
}

func readPartner(id domain.PartnerID) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		partner, ok := view.Partner(id)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: partner.Version, Body: partner}, nil
	}
}

func createPartner(req *writeCall, body *api.NewPartner) (*intent, error) {
	if err := req.setCommandID(domain.Stream{Partner: body.ID}.Root()); err != nil {
		return nil, err
	}
	if err := checkTimeZone(body.TimeZone); err != nil {
		return nil, err
	}
	if err := req.checkAcceptNew(); err != nil {
		return nil, err
	}
	reservation, err := req.reserveName(body.ID, body.Name)
	if err != nil {
		return nil, err
	}
	return &intent{
		command: domain.CreatePartner{PartnerID: body.ID, Reservation: reservation, Profile: domain.PartnerProfile{
			Name: body.Name, Country: body.Country, TimeZone: body.TimeZone, Holidays: body.Holidays,
		}},
		status: http.StatusCreated, path: partnerPath(body.ID), read: readPartner(body.ID),
	}, nil
}

// checkTimeZone refuses unknown time zones, and Local, which depends on the machine.
func checkTimeZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return invalid(domain.FieldError{Field: "time_zone", Message: "must be an IANA time zone such as Europe/Helsinki"})
	}
	return nil
}

func editPartner(req *writeCall, body *api.PartnerChange) (*intent, error) {
	if *body == (api.PartnerChange{}) {
		return nil, errNothingToChange
	}
	if body.TimeZone != nil {
		if err := checkTimeZone(*body.TimeZone); err != nil {
			return nil, err
		}
	}
	id := req.partner()
	var reservation domain.NameReservation
	if body.Name != nil {
		var err error
		if reservation, err = req.reserveName(id, *body.Name); err != nil {
			return nil, err
		}
	}
	return &intent{
		command: domain.EditPartner{PartnerID: id, Reservation: reservation, Name: body.Name, Country: body.Country, TimeZone: body.TimeZone, Holidays: body.Holidays},
		status:  http.StatusOK, path: partnerPath(id), read: readPartner(id),
		mapRejection: func(rejection *domain.Error) error {
			if rejection.Kind == domain.NotFound { // the directory of another partner, whose existence is known
				return refuse(http.StatusForbidden, "not_your_partner", "Only a manager of %s can do this.", id)
			}
			return req.explainTokenLimit(rejection)
		},
	}, nil
}

// explainTokenLimit mentions the token's limit if it made the caller a viewer.
func (c *writeCall) explainTokenLimit(rejection *domain.Error) error {
	if rejection.Code == "manager_only" && c.caller.Scope != "" && c.caller.Role == domain.Manager {
		return refuse(http.StatusForbidden, "token_limited", "The token is limited to these agreements: %s.", joinIDs(c.scopeAgreements()))
	}
	return rejection
}

var errNothingToChange = refuse(http.StatusUnprocessableEntity, "nothing_to_change", "Give at least one field to change.")

func getPartnerStatus(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return projections.Answer{Version: view.Version(), Body: view.Status()}, nil
}

func getInbox(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	items, next := paginate(query, view.Inbox(query.language()), projections.InboxItemKey)
	return projections.Answer{
		Version: view.Version(), Body: api.Inbox{Partner: req.partner(), Items: items, NextCursor: next},
	}, query.err()
}

func dismissNotice(req *writeCall, _ *api.Nothing) (*intent, error) {
	return &intent{
		command: domain.DismissNotice{PartnerID: req.partner(), Notice: req.notice(), Shown: req.noticeShown()},
		status:  http.StatusNoContent, path: partnerPath(req.partner()) + "/inbox", mapRejection: req.explainTokenLimit,
	}, nil
}

// noticeShown reports whether the notice is in the caller's inbox. It may be missing from the repeat of a dismissal.
func (c *writeCall) noticeShown() (shown bool) {
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		shown = view.NoticeVisible(c.partner(), c.notice())
		return nil
	})
	return shown
}

func (c *call) notice() domain.NoticeID { return domain.NoticeID(c.echoCtx.Param("notice")) }
