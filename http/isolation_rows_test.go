package http

import (
	"net/http"
	"slices"
)

// actor is a caller of the isolation test.
type actor struct {
	name    string // the name of its token
	partner string // empty: none of the partners
	role    string // manager, viewer or operator; empty: the token is invalid
	limit   string // the only agreement of its token; empty: all
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
	return a.role != "" && slices.Contains(c.readers, who) && a.reaches(c.agreement)
}

// row states the promise of one route: which actors pass its 404, which its 403, and a valid body.
type row struct {
	sees func(a actor, p place) bool
	does func(a actor, p place) bool // nil: the route is read-only
	body any
	also []int // further statuses of a permitted request
}

// Actors that pass the 404.
func anyActor(actor, place) bool { return true }

func noActor(actor, place) bool { return false }

func isReader(a actor, p place) bool {
	return slices.Contains(p.readers, a.partner) && a.reaches(p.agreement)
}

func readerPartner(a actor, p place) bool { return a.partner != "" && isReader(a, p) }

func readerOrOperator(a actor, p place) bool {
	return readerPartner(a, p) || (a.role == "operator" && len(p.readers) > 0)
}

// unlimitedReader can see the partner's own data with a token for all agreements.
func unlimitedReader(a actor, p place) bool { return readerPartner(a, p) && a.limit == "" }

// knowsPartner reports whether an actor may know that a partner exists.
func (w *world) knowsPartner(a actor, p place) bool {
	if readerOrOperator(a, p) {
		return true
	}
	return len(p.readers) > 0 && slices.ContainsFunc(w.places, func(shared place) bool {
		return len(shared.params) == 1 && shared.agreement != "" && isReader(a, shared) && slices.Contains(shared.readers, p.readers[0])
	})
}

func sender(a actor, p place) bool { return p.member != "" && a.name == p.member }

func exists(_ actor, p place) bool { return len(p.readers) > 0 }

// Who gets past the 403, of those who can see it.
func operators(a actor, _ place) bool { return a.role == "operator" }

func managers(a actor, _ place) bool { return a.manages() }

// signers have a token of a member that may sign; the limited tokens are those of programs.
func signers(a actor, _ place) bool { return a.manages() && a.limit == "" }

func unlimitedManagers(a actor, _ place) bool { return a.manages() && a.limit == "" }

func directors(a actor, p place) bool {
	return a.role == "operator" || (a.manages() && a.limit == "" && isReader(a, p))
}

// drafters begin agreements; a limited token cannot.
func drafters(a actor, _ place) bool { return a.role == "operator" || (a.manages() && a.limit == "") }

func owners(a actor, p place) bool { return a.manages() && a.partner == p.owner }

// deliverers state the delivery of a schedule item: its owner, or any party.
func deliverers(a actor, p place) bool { return a.manages() && (p.owner == "" || a.partner == p.owner) }

func acceptors(a actor, p place) bool { return a.manages() && slices.Contains(p.acceptors, a.partner) }

// settlers name the outcome of a dispute.
func settlers(a actor, p place) bool { return owners(a, p) || acceptors(a, p) }

// stoppers stop a project: an exploration is the lead's alone.
func stoppers(a actor, p place) bool { return owners(a, p) || (managers(a, p) && !p.exploring) }

// rows states the promise of every route. $me and $other in a body are replaced by the actor's partner and a
// counterparty.
func (w *world) rows() map[string]row {
	all := map[string]row{
		"getMe":        {sees: anyActor},
		"listPartners": {sees: anyActor},
		"createPartner": {sees: anyActor, does: operators, body: object{
			"id": "newcomer", "name": "Newcomer", "country": "SE", "time_zone": "Europe/Stockholm",
		}},
		"getPartner":            {sees: w.knowsPartner},
		"editPartner":           {sees: w.knowsPartner, does: directors, body: object{"country": "SE"}},
		"listPartnerMilestones": {sees: readerPartner},
		"getPartnerStatus":      {sees: readerPartner},
		"getInbox":              {sees: readerPartner},
		"dismissNotice":         {sees: unlimitedReader, does: managers},
		"listPartnerEvents":     {sees: readerPartner},
		"listInvitations":       {sees: unlimitedReader},
		"createInvitation":      {sees: unlimitedReader, does: managers, body: object{"note": "try"}},
		"getInvitation":         {sees: unlimitedReader},
		"revokeInvitation":      {sees: unlimitedReader, does: managers},
		"listContacts":          {sees: unlimitedReader},
		"redeemInvitation":      {sees: unlimitedReader, does: managers, body: object{"code": "tdi_unknown"}, also: []int{http.StatusUnprocessableEntity}},
		"listMembers":           {sees: readerOrOperator},
		"addMember":             {sees: readerOrOperator, does: directors, body: object{"name": "New", "email": "new@partner.example", "role": "viewer"}},
		"getMember":             {sees: readerOrOperator},
		"editMember":            {sees: readerOrOperator, does: directors, body: object{"email": "other@partner.example"}},
		"removeMember":          {sees: readerOrOperator, does: directors},
		"listTokens":            {sees: readerOrOperator},
		"issueToken":            {sees: readerOrOperator, does: directors, body: object{"name": "New", "role": "viewer"}},
		"getToken":              {sees: readerOrOperator},
		"confirmToken":          {sees: readerOrOperator, does: unlimitedManagers, also: []int{http.StatusForbidden}},
		"revokeToken":           {sees: readerOrOperator, does: directors},
		"getCommand":            {sees: sender},
		"getDescription":        {sees: anyActor},
		"getStart":              {sees: anyActor},
		"getDocs":               {sees: anyActor},
		"getDocsFile":           {sees: exists},
		"isLive":                {sees: anyActor},
		"isReady":               {sees: anyActor},
		"getMetrics":            {sees: anyActor},
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
		"listAgreements": {sees: anyActor},
		"draftAgreement": {sees: anyActor, does: drafters, body: object{
			"title": "New", "parties": []string{"$me", "$other"}, "effective_on": "2018-01-01",
			"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
		}},
		"getAgreement":  {sees: readerPartner},
		"editAgreement": {sees: readerPartner, does: managers, body: object{"acceptance_days": 7}},
		"signAgreement": {sees: readerPartner, does: signers, body: object{"signatory": "Chief executive"}},
		"terminateAgreement": {sees: readerPartner, does: signers, body: object{
			"mode": "mutual", "effective_on": "2041-06-30", "reason": "try",
		}},
		"nameContactPersons": {sees: readerPartner, does: managers, body: object{"members": []string{}}},
		"listAmendments":     {sees: readerPartner},
		"proposeAmendment": {sees: readerPartner, does: managers, body: object{
			"title": "New", "changes": object{"acceptance_days": 8},
		}},
		"getAmendment":        {sees: readerPartner},
		"signAmendment":       {sees: readerPartner, does: signers, body: object{"signatory": "Chief executive"}},
		"rejectAmendment":     {sees: readerPartner, does: managers, body: object{"reason": "try"}},
		"withdrawAmendment":   {sees: readerPartner, does: owners},
		"listAgreementEvents": {sees: readerPartner},
		"listInstruments":     {sees: readerPartner},
		"addInstrument": {sees: readerPartner, does: managers, body: object{
			"kind": "exploration", "title": "New", "effective_on": "2018-01-01", "disclosure": "disclosed",
		}},
		"getInstrument":   {sees: readerPartner},
		"getScheduleItem": {sees: readerPartner},
		"getTerms":        {sees: readerPartner}, "getAmendmentTerms": {sees: readerPartner},
		"declineAgreement":  {sees: readerPartner, does: managers, body: object{"reason": "try"}},
		"withdrawAgreement": {sees: readerPartner, does: managers, body: object{"reason": "try"}},
		"removeInstrument":  {sees: readerPartner, does: managers},
		"editInstrument":    {sees: readerPartner, does: managers, body: object{"private_note": "try"}},
		"moveScheduleItem":  {sees: readerPartner, does: deliverers, body: object{"state": "delivered"}},
	}
}

func projectRows() map[string]row {
	move := func(does func(actor, place) bool) row {
		return row{sees: readerPartner, does: does, body: object{"reason": "try"}}
	}
	return map[string]row{
		"listProjects": {sees: readerPartner},
		"createProject": {sees: readerPartner, does: managers, body: object{
			"title": "New", "stage": "committed", "lead": "$me", "participants": []string{"$me", "$other"},
		}},
		"getProject":        {sees: readerPartner},
		"editProject":       {sees: readerPartner, does: stoppers, body: object{"area": "optics"}},
		"getProjectStatus":  {sees: readerPartner},
		"getTrend":          {sees: readerPartner},
		"commitProject":     move(managers),
		"declineProject":    move(managers),
		"changeProjectLead": {sees: readerPartner, does: managers, body: object{"lead": "$me"}},
		"leaveProject":      move(managers),
		"startProject":      move(owners),
		"pauseProject":      move(owners),
		"resumeProject":     move(owners),
		"completeProject":   move(managers),
		"stopProject":       move(stoppers),
	}
}

func changeRows() map[string]row {
	return map[string]row{
		"listChanges": {sees: readerPartner},
		"proposeChange": {sees: readerPartner, does: managers, body: object{
			"reason": "try", "milestones": []object{{"id": "$milestone"}},
		}},
		"getChange":      {sees: readerPartner},
		"approveChange":  {sees: readerPartner, does: acceptors},
		"rejectChange":   {sees: readerPartner, does: acceptors, body: object{"reason": "try"}},
		"withdrawChange": {sees: readerPartner, does: owners},
	}
}

func milestoneRows() map[string]row {
	act := func(does func(actor, place) bool, body any) row {
		return row{sees: readerPartner, does: does, body: body}
	}
	return map[string]row{
		"listMilestones":      {sees: readerPartner},
		"planMilestone":       act(managers, object{"title": "New", "owner": "$me", "due_on": "2018-01-01"}),
		"getMilestone":        {sees: readerPartner},
		"editMilestone":       act(owners, object{"description": "try"}),
		"getMilestoneHistory": {sees: readerPartner},
		"getMilestoneDates":   {sees: readerPartner},
		"agreeMilestone":      act(owners, nil),
		"declineMilestone":    act(owners, object{"reason": "try"}),
		"startMilestone":      act(owners, nil),
		"progressMilestone":   act(owners, object{"percent": 50}),
		"forecastMilestone":   act(managers, object{"on": "2018-01-01", "reason": "try"}),
		"deliverMilestone":    act(owners, object{}),
		"completeMilestone":   act(owners, object{}),
		"withdrawMilestone":   act(owners, object{}),
		"acceptMilestone":     act(acceptors, object{}),
		"closeCondition":      act(acceptors, object{"number": 1}),
		"meetCondition":       act(owners, object{"note": "try"}),
		"refuseCondition":     act(acceptors, object{"reason": "try"}),
		"checkCriterion":      act(settlers, object{"result": "met"}),
		"rejectMilestone":     act(acceptors, object{"reasons": []string{"try"}}),
		"disputeMilestone":    act(owners, object{"reason": "try"}),
		"settleMilestone":     act(settlers, object{"outcome": "accepted", "note": "try"}),
		"cancelMilestone":     act(owners, object{}),
		"waiveMilestone":      act(acceptors, object{}),
		"shareMilestone":      act(owners, object{}),
		"nameResponsible":     act(managers, object{"member": nil}),
		"commentMilestone":    act(managers, object{"text": "try"}),
	}
}

// publicRows: the world has no published data, so every public path is a 404, also for the parties.
func publicRows() map[string]row {
	return map[string]row{"getPublicPage": {sees: noActor}, "getPublicStatus": {sees: noActor}, "getPublicBadge": {sees: noActor}}
}

// webhookRows: webhooks are visible with tokens for all agreements, and invisible to the operator.
func webhookRows() map[string]row {
	sees := func(a actor, p place) bool { return readerPartner(a, p) && a.limit == "" }
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

// wanted returns the statuses that the row allows. A permitted request can still meet a state that forbids it.
func (r row) wanted(rt *route, a actor, p place) []int {
	switch {
	case a.role == "" && !rt.anonymous:
		return []int{http.StatusUnauthorized}
	case !r.sees(a, p):
		return []int{http.StatusNotFound}
	case r.does == nil:
		return []int{http.StatusOK}
	case !r.does(a, p):
		return []int{http.StatusForbidden}
	case rt.method == http.MethodDelete:
		return append(slices.Clone(rt.success), http.StatusNotFound, http.StatusConflict) // another actor has removed it, or it is signed
	}
	return append(append(slices.Clone(rt.success), http.StatusConflict), r.also...)
}
