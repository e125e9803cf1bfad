package http

import (
	"net/http"
	"slices"
)

// actor is somebody who tries everything.
type actor struct {
	name    string // whose token it holds
	partner string // empty: none of the partners
	role    string // manager, viewer or operator; empty: the token is good for nothing
	limit   string // the only agreement that its token is good for; empty: all
}

func (w *world) actors() []actor {
	return []actor{
		{name: "nobody"},
		{name: "stranger"},
		{name: "nokia-revoked"},
		{name: "nokia-expired"},
		{name: "operator", role: "operator"},
		{name: "nokia-viewer", partner: "nokia", role: "viewer"},
		{name: "xiaomi-viewer", partner: "xiaomi", role: "viewer"},
		{name: "nokia-limited", partner: "nokia", role: "manager", limit: w.three},
		{name: "nokia", partner: "nokia", role: "manager"},
		{name: "xiaomi", partner: "xiaomi", role: "manager"},
		{name: "acme", partner: "acme", role: "manager"},
		{name: "zte", partner: "zte", role: "manager"},
	}
}

func (a actor) manages() bool { return a.role == "manager" }

// reaches reports whether the actor's token is good for the agreement.
func (a actor) reaches(agreement string) bool {
	return a.limit == "" || agreement == "" || a.limit == agreement
}

// may reports whether the actor may see a canary.
func (c canary) may(a actor) bool {
	who := a.partner
	if a.role == "operator" {
		who = "operator"
	}
	return a.role != "" && slices.Contains(c.seers, who) && a.reaches(c.agreement)
}

// row is what one route promises: who gets past its 404, who past its 403, and with what body.
type row struct {
	sees func(a actor, p place) bool
	does func(a actor, p place) bool // nil: it changes nothing
	body any
}

// Who gets past the 404.
func anybody(actor, place) bool { return true }

func noOne(actor, place) bool { return false }

func inIt(a actor, p place) bool {
	return slices.Contains(p.seers, a.partner) && a.reaches(p.agreement)
}

func itself(a actor, p place) bool { return a.partner != "" && inIt(a, p) }

func keepers(a actor, p place) bool {
	return itself(a, p) || (a.role == "operator" && len(p.seers) > 0)
}

// confidants see what is the partner's own and no agreement's.
func confidants(a actor, p place) bool { return itself(a, p) && a.limit == "" }

// acquaintances may know that a partner exists.
func (w *world) acquaintances(a actor, p place) bool {
	if keepers(a, p) {
		return true
	}
	return len(p.seers) > 0 && slices.ContainsFunc(w.places, func(shared place) bool {
		return len(shared.params) == 1 && shared.agreement != "" && inIt(a, shared) && slices.Contains(shared.seers, p.seers[0])
	})
}

func sender(a actor, p place) bool { return p.member != "" && a.name == p.member }

func exists(_ actor, p place) bool { return len(p.seers) > 0 }

// Who gets past the 403, of those who can see it.
func operators(a actor, _ place) bool { return a.role == "operator" }

func managers(a actor, _ place) bool { return a.manages() }

func directors(a actor, p place) bool {
	return a.role == "operator" || (a.manages() && a.limit == "" && inIt(a, p))
}

// drafters begin agreements; a limited token cannot.
func drafters(a actor, _ place) bool { return a.role == "operator" || (a.manages() && a.limit == "") }

func owners(a actor, p place) bool { return a.manages() && a.partner == p.owner }

func acceptors(a actor, p place) bool { return a.manages() && slices.Contains(p.acceptors, a.partner) }

// settlers name the outcome of a dispute.
func settlers(a actor, p place) bool { return owners(a, p) || acceptors(a, p) }

// stoppers stop a project: an exploration is the lead's alone.
func stoppers(a actor, p place) bool { return owners(a, p) || (managers(a, p) && !p.exploring) }

// rows says for every route what it promises. $me and $other in a body stand for the actor's
// partner and one that it works with there.
func (w *world) rows() map[string]row {
	all := map[string]row{
		"getMe":        {sees: anybody},
		"listPartners": {sees: anybody},
		"createPartner": {sees: anybody, does: operators, body: object{
			"id": "newcomer", "name": "Newcomer", "country": "SE", "time_zone": "Europe/Stockholm",
		}},
		"getPartner":            {sees: w.acquaintances},
		"editPartner":           {sees: w.acquaintances, does: directors, body: object{"country": "SE"}},
		"listPartnerMilestones": {sees: itself},
		"getPartnerStatus":      {sees: itself},
		"getInbox":              {sees: itself},
		"dismissNotice":         {sees: confidants, does: managers},
		"listPartnerEvents":     {sees: itself},
		"listMembers":           {sees: keepers},
		"addMember":             {sees: keepers, does: directors, body: object{"name": "New", "email": "new@partner.example", "role": "viewer"}},
		"getMember":             {sees: keepers},
		"editMember":            {sees: keepers, does: directors, body: object{"email": "other@partner.example"}},
		"removeMember":          {sees: keepers, does: directors},
		"listTokens":            {sees: keepers},
		"issueToken":            {sees: keepers, does: directors, body: object{"name": "New", "role": "viewer"}},
		"getToken":              {sees: keepers},
		"revokeToken":           {sees: keepers, does: directors},
		"getCommand":            {sees: sender},
		"getDescription":        {sees: anybody},
		"getDocs":               {sees: anybody},
		"getDocsFile":           {sees: exists},
		"isLive":                {sees: anybody},
		"isReady":               {sees: anybody},
		"getMetrics":            {sees: anybody},
	}
	for _, more := range []map[string]row{w.agreementRows(), projectRows(), changeRows(), milestoneRows(), publicRows(), webhookRows(), logRows()} {
		for name, r := range more {
			all[name] = r
		}
	}
	return all
}

func (w *world) agreementRows() map[string]row {
	return map[string]row{
		"listAgreements": {sees: anybody},
		"draftAgreement": {sees: anybody, does: drafters, body: object{
			"title": "New", "parties": []string{"$me", "$other"}, "effective_on": "2018-01-01",
			"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
		}},
		"getAgreement":  {sees: itself},
		"editAgreement": {sees: itself, does: managers, body: object{"acceptance_days": 7}},
		"signAgreement": {sees: itself, does: managers, body: object{}},
		"terminateAgreement": {sees: itself, does: managers, body: object{
			"mode": "mutual", "effective_on": "2041-06-30", "reason": "try",
		}},
		"listAmendments": {sees: itself},
		"proposeAmendment": {sees: itself, does: managers, body: object{
			"title": "New", "changes": object{"acceptance_days": 8},
		}},
		"getAmendment":        {sees: itself},
		"signAmendment":       {sees: itself, does: managers, body: object{}},
		"rejectAmendment":     {sees: itself, does: managers, body: object{"reason": "try"}},
		"withdrawAmendment":   {sees: itself, does: owners},
		"listAgreementEvents": {sees: itself},
		"listInstruments":     {sees: itself},
		"addInstrument": {sees: itself, does: managers, body: object{
			"kind": "exploration", "title": "New", "effective_on": "2018-01-01", "disclosure": "disclosed",
		}},
		"getInstrument":    {sees: itself},
		"getScheduleItem":  {sees: itself},
		"noteInstrument":   {sees: itself, does: managers, body: object{"private_note": "try"}},
		"moveScheduleItem": {sees: itself, does: managers, body: object{"state": "delivered"}},
	}
}

func projectRows() map[string]row {
	move := func(does func(actor, place) bool) row {
		return row{sees: itself, does: does, body: object{"reason": "try"}}
	}
	return map[string]row{
		"listProjects": {sees: itself},
		"createProject": {sees: itself, does: managers, body: object{
			"title": "New", "stage": "committed", "lead": "$me", "participants": []string{"$me", "$other"},
		}},
		"getProject":       {sees: itself},
		"editProject":      {sees: itself, does: owners, body: object{"area": "optics"}},
		"getProjectStatus": {sees: itself},
		"getTrend":         {sees: itself},
		"commitProject":    move(managers),
		"startProject":     move(owners),
		"pauseProject":     move(owners),
		"resumeProject":    move(owners),
		"completeProject":  move(managers),
		"stopProject":      move(stoppers),
	}
}

func changeRows() map[string]row {
	return map[string]row{
		"listChanges": {sees: itself},
		"proposeChange": {sees: itself, does: managers, body: object{
			"reason": "try", "milestones": []object{{"id": "$milestone"}},
		}},
		"getChange":      {sees: itself},
		"approveChange":  {sees: itself, does: acceptors},
		"rejectChange":   {sees: itself, does: acceptors, body: object{"reason": "try"}},
		"withdrawChange": {sees: itself, does: owners},
	}
}

func milestoneRows() map[string]row {
	act := func(does func(actor, place) bool, body any) row { return row{sees: itself, does: does, body: body} }
	return map[string]row{
		"listMilestones":      {sees: itself},
		"planMilestone":       act(managers, object{"title": "New", "owner": "$me", "due_on": "2018-01-01"}),
		"getMilestone":        {sees: itself},
		"editMilestone":       act(owners, object{"description": "try"}),
		"getMilestoneHistory": {sees: itself},
		"getMilestoneDates":   {sees: itself},
		"startMilestone":      act(owners, nil),
		"progressMilestone":   act(owners, object{"percent": 50}),
		"forecastMilestone":   act(managers, object{"on": "2018-01-01", "reason": "try"}),
		"deliverMilestone":    act(owners, object{}),
		"withdrawMilestone":   act(owners, object{}),
		"acceptMilestone":     act(acceptors, object{}),
		"closeCondition":      act(acceptors, object{"number": 1}),
		"rejectMilestone":     act(acceptors, object{"reasons": []string{"try"}}),
		"disputeMilestone":    act(owners, object{"reason": "try"}),
		"settleMilestone":     act(settlers, object{"outcome": "accepted", "note": "try"}),
		"cancelMilestone":     act(owners, object{}),
		"waiveMilestone":      act(acceptors, object{}),
		"shareMilestone":      act(owners, object{}),
		"commentMilestone":    act(managers, object{"text": "try"}),
	}
}

// publicRows: nothing in the world is public, so all of it is what does not exist, to its own parties too.
func publicRows() map[string]row {
	return map[string]row{"getPublicPage": {sees: noOne}, "getPublicStatus": {sees: noOne}, "getPublicBadge": {sees: noOne}}
}

// webhookRows are for tokens that every agreement is open to; the operator sees none of it.
func webhookRows() map[string]row {
	sees := func(a actor, p place) bool { return itself(a, p) && a.limit == "" }
	act := func(body any) row { return row{sees: sees, does: managers, body: body} }
	return map[string]row{
		"listWebhooks":        {sees: sees},
		"addWebhook":          act(object{"url": "https://new.example/hook", "format": "standard", "events": []string{"*"}}),
		"getWebhook":          {sees: sees},
		"editWebhook":         act(object{"language": "fi"}),
		"removeWebhook":       act(nil),
		"testWebhook":         act(nil),
		"rotateWebhookSecret": act(object{}),
		"enableWebhook":       act(nil),
		"replayWebhook":       act(object{"since": "2017-07-05T00:00:00Z"}),
		"previewWebhook":      {sees: sees},
		"listDeliveries":      {sees: sees},
		"getDelivery":         {sees: sees},
		"redeliver":           act(nil),
	}
}

func logRows() map[string]row {
	letter := func(a actor, p place) bool { return operators(a, p) && exists(a, p) }
	return map[string]row{
		"getLog":           {sees: operators},
		"acceptLoss":       {sees: operators, does: operators, body: object{"partitions": []int{0}}},
		"listDeadLetters":  {sees: operators},
		"getDeadLetter":    {sees: letter},
		"replayDeadLetter": {sees: letter, does: operators},
	}
}

// wanted returns the statuses that the row allows. Whoever may do it can still meet a state that
// forbids it.
func (r row) wanted(rt *route, a actor, p place) []int {
	switch {
	case a.role == "" && !rt.open:
		return []int{http.StatusUnauthorized}
	case !r.sees(a, p):
		return []int{http.StatusNotFound}
	case r.does == nil:
		return []int{http.StatusOK}
	case !r.does(a, p):
		return []int{http.StatusForbidden}
	case rt.method == http.MethodDelete:
		return append(slices.Clone(rt.success), http.StatusNotFound) // somebody else has just done it
	}
	return append(slices.Clone(rt.success), http.StatusConflict)
}
