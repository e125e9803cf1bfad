package http

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// write is a request that changes state, and the events that the sender's partner and its counterparty then find in
// the agreement's feed.
type write struct {
	who, method, path string
	body              any
	status            int
	events            string // visible to both
	whispers          string // visible to the sender's partner only
}

// TestEveryWrite sends every kind of write, in the order of a collaboration.
func TestEveryWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	member := "/v1/partners/nokia/members/" + w.members["nokia"]
	terms := object{"id": "pact-ten", "title": "Ten", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2017-01-01", "acceptance_days": 5, "deemed_acceptance": true, "forecast_tolerance_days": 3}
	eleven := maps.Clone(terms)
	eleven["id"] = "pact-eleven"
	pact := "/v1/agreements/pact-ten"
	project := pact + "/projects/lab"
	one := project + "/milestones/one"
	hooks := "/v1/partners/nokia/webhooks"
	w.disable("nokia", "nokia-ops", "The endpoint answers 410: it is gone.")
	w.play([]write{
		{"operator", "POST", "/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}, 201, "", ""},
		{"nokia", "PATCH", "/v1/partners/nokia", object{"holidays": []string{"2017-12-06"}}, 200, "", ""},
		{"nokia", "POST", "/v1/partners/nokia/invitations", object{"note": "for acme", "expires_in_days": 3}, 201, "", ""},
		{"nokia", "DELETE", w.openInvitation("nokia"), nil, 204, "", ""},
		{"acme", "POST", "/v1/partners/acme/contacts", object{"code": w.invite("nokia")}, 201, "", ""},
		{"nokia", "POST", "/v1/partners/nokia/members", object{"name": "A", "email": "a@nokia.example", "role": "viewer"}, 201, "", ""},
		{"nokia", "PATCH", member, object{"role": "viewer"}, 200, "", ""},
		{"nokia", "DELETE", member, nil, 204, "", ""},
		{"nokia", "POST", "/v1/partners/nokia/tokens", object{"id": "robot", "name": "Robot", "role": "viewer"}, 201, "", ""},
		{"nokia-office", "POST", "/v1/partners/nokia/tokens/robot/confirm", nil, 200, "", ""},
		{"nokia", "DELETE", "/v1/partners/nokia/tokens/robot", nil, 204, "", ""},
		{"nokia", "POST", hooks, object{"title": "Room", "url": "https://hooks.slack.com/services/T/B/x", "format": "slack", "events": []string{"milestone.*"}}, 201, "", ""},
		{"nokia", "PATCH", hooks + "/room", object{"language": "zh", "digest": "daily"}, 200, "", ""},
		{"nokia", "POST", hooks + "/room/test", nil, 200, "", ""},
		{"nokia", "POST", hooks + "/nokia-ops/rotate-secret", nil, 200, "", ""},
		{"nokia", "POST", hooks + "/nokia-ops/enable", nil, 200, "", ""},
		{"nokia", "POST", hooks + "/nokia-ops/replay", object{"since": "2017-07-05T00:00:00Z"}, 200, "", ""},
		{"nokia", "POST", hooks + "/nokia-ops/deliveries/nokia-first/redeliver", nil, 200, "", ""},
		{"nokia", "DELETE", hooks + "/room", nil, 204, "", ""},
		{"nokia", "POST", "/v1/partners/nokia/notices/token-nokia-manager/dismiss", nil, 204, "", ""},
		{"operator", "POST", "/v1/agreements", terms, 201, "agreement.drafted", ""},
		{"xiaomi", "PATCH", pact, object{"title": "Ten, edited"}, 200, "agreement.edited", ""},
		{"nokia", "POST", pact + "/instruments", object{"id": "part", "kind": "supply", "title": "Part", "roles": object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}}, "effective_on": "2017-01-01", "disclosure": "disclosed", "schedule": []object{{"id": "lot", "title": "Lot"}}}, 201, "instrument.added", ""},
		{"nokia", "PATCH", pact + "/instruments/part", object{"title": "Parts", "schedule": []object{{"id": "lot", "title": "First lot"}}}, 200, "instrument.edited", ""},
		{"nokia", "POST", pact + "/instruments", object{"id": "extra", "kind": "exploration", "title": "Extra", "effective_on": "2017-01-01", "disclosure": "disclosed"}, 201, "instrument.added", ""},
		{"xiaomi", "DELETE", pact + "/instruments/extra", nil, 204, "instrument.removed", ""},
		{"operator", "POST", "/v1/agreements", eleven, 201, "", ""},
		{"xiaomi", "POST", "/v1/agreements/pact-eleven/decline", object{"reason": "too early"}, 200, "", ""},
		{"nokia", "POST", w.at(w.next) + "/withdraw", nil, 200, "", ""},
		{"nokia", "POST", pact + "/sign", object{"signatory": "Chief executive", "signed_on": "2017-09-01"}, 200, "agreement.signed", ""},
		{"xiaomi", "POST", pact + "/contact-persons", object{"members": []string{w.members["xiaomi"]}}, 200, "agreement.contact_persons_named", ""},
		{"xiaomi", "POST", pact + "/sign", nil, 200, "agreement.signed agreement.activated", ""},
		{"xiaomi", "POST", pact + "/contact-persons", object{"members": []string{}}, 200, "agreement.contact_persons_named", ""},
		{"nokia", "POST", pact + "/amendments", object{"title": "Shorter", "changes": object{"acceptance_days": 3}}, 201, "amendment.proposed", ""},
		{"xiaomi", "POST", pact + "/amendments", object{"title": "Longer", "changes": object{"acceptance_days": 9}}, 201, "amendment.proposed", ""},
		{"nokia", "POST", pact + "/amendments/1/sign", object{"signatory": "Chief executive"}, 200, "amendment.signed", ""},
		{"xiaomi", "POST", pact + "/amendments/1/sign", nil, 200, "amendment.signed agreement.amended amendment.voided", ""},
		{"xiaomi", "POST", pact + "/amendments", object{"title": "Longer", "changes": object{"expires_on": "2022-07-04"}}, 201, "amendment.proposed", ""},
		{"nokia", "POST", pact + "/amendments/3/reject", object{"reason": "long enough"}, 200, "amendment.rejected", ""},
		{"xiaomi", "POST", pact + "/amendments", object{"title": "Longer", "changes": object{"expires_on": "2021-07-04"}}, 201, "amendment.proposed", ""},
		{"xiaomi", "POST", pact + "/amendments/4/withdraw", nil, 200, "amendment.withdrawn", ""},
		{"nokia", "PATCH", pact + "/instruments/part", object{"private_note": "in the safe"}, 200, "", "instrument.noted"},
		{"nokia", "POST", pact + "/projects", object{"id": "lab", "title": "Lab", "stage": "exploring", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}, "decide_by": "2018-01-01"}, 201, "project.created", ""},
		{"nokia", "PATCH", project, object{"area": "IoT"}, 200, "project.edited", ""},
		{"nokia", "PATCH", project, object{"decide_by": "2018-02-01"}, 200, "project.stage_called", ""},
		{"xiaomi", "PATCH", project, object{"decide_by": "2018-02-01"}, 200, "project.stage_called project.decide_by_moved", ""},
		{"xiaomi", "POST", project + "/change-lead", object{"lead": "xiaomi", "reason": "we have the lab"}, 200, "project.stage_called", ""},
		{"nokia", "PATCH", project, object{"lead": "xiaomi"}, 200, "project.stage_called project.lead_changed", ""},
		{"xiaomi", "PATCH", project, object{"lead": "nokia"}, 200, "project.stage_called", ""},
		{"nokia", "PATCH", project, object{"lead": "nokia"}, 200, "project.stage_called project.lead_changed", ""},
		{"nokia", "POST", w.at(w.three) + "/projects", object{"id": "trio", "title": "Trio", "stage": "proposed", "lead": "nokia", "participants": []string{"nokia", "xiaomi", "zte"}}, 201, "", ""},
		{"xiaomi", "POST", w.at(w.three, "trio") + "/leave", object{"reason": "no budget"}, 200, "", ""},
		{"zte", "POST", w.at(w.three, "trio") + "/decline", object{"reason": "no budget"}, 200, "", ""},
		{"xiaomi", "POST", project + "/commit", nil, 200, "project.stage_called", ""},
		{"nokia", "POST", project + "/commit", nil, 200, "project.stage_called project.stage_changed", ""},
		{"nokia", "POST", project + "/start", nil, 200, "project.stage_changed", ""},
		{"nokia", "POST", project + "/pause", object{"reason": "holidays"}, 200, "project.stage_changed", ""},
		{"nokia", "POST", project + "/resume", nil, 200, "project.stage_changed", ""},
		{"nokia", "POST", project + "/milestones", object{"id": "one", "title": "One", "owner": "nokia", "due_on": "2018-01-01", "instrument": "part", "schedule_item": "lot"}, 201, "milestone.planned", ""},
		{"nokia", "POST", project + "/milestones", object{"title": "Own", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}, 201, "", "milestone.planned"},
		{"nokia", "PATCH", one, object{"criteria": []string{"it works"}}, 200, "milestone.edited", ""},
		{"nokia", "POST", one + "/start", nil, 200, "milestone.started", ""},
		{"nokia", "POST", one + "/progress", object{"health": "amber", "note": "slow"}, 200, "milestone.progressed", ""},
		{"xiaomi", "POST", one + "/forecast", object{"on": "2018-02-01"}, 200, "milestone.forecast_moved", ""},
		{"xiaomi", "POST", one + "/forecast", object{"on": "2018-03-01", "audience": "private"}, 200, "", "milestone.forecast_moved"},
		{"xiaomi", "POST", one + "/comment", object{"text": "hm", "audience": "private"}, 200, "", "milestone.commented"},
		{"xiaomi", "POST", one + "/comment", object{"text": "hm"}, 200, "milestone.commented", ""},
		{"nokia", "POST", one + "/deliver", nil, 200, "milestone.delivered", ""},
		{"nokia", "POST", one + "/withdraw", nil, 200, "milestone.delivery_withdrawn", ""},
		{"nokia", "POST", one + "/deliver", object{"on": "2017-09-04", "reason": "late", "evidence": []object{{"title": "Log", "url": "https://proof.example", "sha256": strings.Repeat("0f", 32)}}}, 200, "milestone.delivered", ""},
		{"xiaomi", "POST", one + "/reject", object{"reasons": []string{"too slow"}}, 200, "milestone.rejected", ""},
		{"nokia", "POST", one + "/dispute", object{"reason": "it is fast"}, 200, "milestone.disputed", ""},
		{"nokia", "POST", one + "/settle", object{"outcome": "accepted", "note": "see the log"}, 200, "milestone.outcome_named", ""},
		{"xiaomi", "POST", one + "/settle", object{"outcome": "rejected"}, 200, "milestone.outcome_named", ""},
		{"nokia", "POST", one + "/settle", object{"outcome": "rejected"}, 200, "milestone.outcome_named milestone.settled", ""},
		{"nokia", "POST", one + "/deliver", nil, 200, "milestone.delivered", ""},
		{"xiaomi", "POST", one + "/accept", object{"note": "well done", "conditions": []object{{"text": "a report", "due_on": "2017-12-24"}, {"text": "spares", "due_on": "2017-12-31"}}}, 200, "milestone.conditionally_accepted", ""},
		{"nokia", "POST", one + "/conditions/1/met", object{"note": "attached", "evidence": []object{{"title": "Report", "url": "https://proof.example"}}}, 200, "milestone.condition_met", ""},
		{"xiaomi", "POST", one + "/conditions/1/refuse", object{"reason": "page 3 is missing"}, 200, "milestone.condition_refused", ""},
		{"nokia", "POST", one + "/dispute", object{"reason": "there is none", "condition": 1}, 200, "milestone.disputed", ""},
		{"nokia", "POST", one + "/settle", object{"outcome": "rejected"}, 200, "milestone.outcome_named", ""},
		{"xiaomi", "POST", one + "/settle", object{"outcome": "rejected"}, 200, "milestone.outcome_named milestone.settled", ""},
		{"xiaomi", "POST", one + "/criteria/1/check", object{"result": "met"}, 200, "milestone.criterion_checked", ""},
		{"xiaomi", "POST", one + "/close-condition", object{"number": 1}, 200, "milestone.condition_closed", ""},
		{"xiaomi", "POST", one + "/accept", object{"note": "no spares needed"}, 200, "milestone.condition_closed milestone.accepted", ""},
		{"nokia", "PATCH", pact + "/instruments/part/schedule/lot", object{"state": "delivered"}, 200, "instrument.item_moved", ""},
		{"nokia", "POST", project + "/milestones", object{"id": "two", "title": "Two", "owner": "xiaomi", "due_on": "2018-01-01"}, 201, "milestone.planned", ""},
		{"xiaomi", "POST", project + "/milestones/two/agree", nil, 200, "milestone.ownership_agreed", ""},
		{"nokia", "POST", project + "/milestones", object{"id": "unwanted", "title": "Unwanted", "owner": "xiaomi", "due_on": "2018-01-01"}, 201, "milestone.planned", ""},
		{"xiaomi", "POST", project + "/milestones/two/responsible", object{"member": w.members["xiaomi"]}, 200, "milestone.responsible_named", ""},
		{"xiaomi", "POST", project + "/milestones/two/responsible", object{"member": nil}, 200, "milestone.responsible_named", ""},
		{"xiaomi", "POST", project + "/milestones/unwanted/decline", object{"reason": "no capacity"}, 200, "milestone.declined", ""},
		{"nokia", "POST", project + "/milestones/two/waive", nil, 200, "milestone.waived", ""},
		{"nokia", "POST", project + "/milestones", object{"id": "three", "title": "Three", "owner": "nokia", "due_on": "2018-01-01"}, 201, "milestone.planned", ""},
		{"nokia", "POST", project + "/milestones/three/cancel", object{"reason": "no need"}, 200, "milestone.cancelled", ""},
		{"nokia", "POST", project + "/milestones", object{"id": "four", "title": "Four", "owner": "nokia", "due_on": "2018-01-01"}, 201, "milestone.planned", ""},
		{"xiaomi", "POST", project + "/changes", object{"reason": "our plan", "milestones": []object{{"id": "four"}}}, 201, "change.proposed", ""},
		{"xiaomi", "POST", project + "/changes/1/withdraw", nil, 200, "change.withdrawn", ""},
		{"nokia", "POST", project + "/changes", object{"reason": "our plan", "milestones": []object{{"id": "four", "due_on": "2018-02-01"}}}, 201, "change.proposed", ""},
		{"xiaomi", "POST", project + "/changes/2/reject", object{"reason": "too late"}, 200, "change.rejected", ""},
		{"nokia", "POST", project + "/changes", object{"reason": "our plan", "milestones": []object{{"id": "four"}}}, 201, "change.proposed", ""},
		{"nokia", "POST", project + "/changes", object{"reason": "another plan", "milestones": []object{{"id": "four", "cancel": true}}}, 201, "change.proposed", ""},
		{"xiaomi", "POST", project + "/changes/3/approve", nil, 200, "change.approved milestone.agreed", ""},
		{"nokia", "POST", project + "/changes", object{"reason": "later", "milestones": []object{{"id": "four", "due_on": "2018-03-01"}}}, 201, "change.proposed", ""},
		{"xiaomi", "POST", project + "/changes/4/approve", nil, 200, "change.approved milestone.cancelled change.voided", ""},
		{"nokia", "POST", project + "/complete", nil, 200, "project.stage_called", ""},
		{"nokia", "POST", project + "/stop", object{"reason": "enough"}, 200, "project.stage_called", ""},
		{"xiaomi", "POST", project + "/stop", object{"reason": "enough"}, 200, "project.stage_called project.stage_changed", ""},
		{"nokia", "POST", pact + "/terminate", object{"mode": "mutual", "effective_on": "2018-12-31"}, 200, "agreement.termination_called", ""},
		{"xiaomi", "POST", pact + "/terminate", object{"mode": "mutual", "effective_on": "2018-12-31", "reason": "done"}, 200, "agreement.termination_called agreement.terminated", ""},
		{"xiaomi", "POST", pact + "/terminate", object{"mode": "notice", "effective_on": "2018-06-30", "reason": "sooner"}, 200, "agreement.notice_given agreement.terminated", ""},
		{"nokia", "POST", w.routing(w.secret["nokia"]) + "/share", nil, 200, "", ""},
		{"xiaomi", "POST", w.routing(w.secret["xiaomi"]) + "/start", nil, 200, "", ""},
		{"xiaomi", "POST", w.routing(w.secret["xiaomi"]) + "/complete", nil, 200, "", ""},
	}, pact)
}

// play sends the writes and compares the feed of pact after each. It requires every writing route.
func (w *world) play(writes []write, pact string) {
	t := w.t
	t.Helper()
	called := map[string]bool{}
	after := map[string]string{}
	for _, x := range writes {
		a := w.As(x.who).do(x.method, x.path, x.body).Want(x.status)
		called[contractOf(t).routeOf(x.method, x.path).operationID] = true
		w.checkCreated(a)
		for _, reader := range []string{"nokia", "xiaomi"} {
			feed := w.As(reader).GET(pact + "/events?after=" + after[reader])
			if feed.status == http.StatusNotFound {
				continue // not drafted yet
			}
			after[reader] = feed.text("next_cursor")
			wanted := strings.Fields(x.events)
			if reader == x.who {
				wanted = append(wanted, strings.Fields(x.whispers)...)
			}
			types := []string{}
			for _, e := range feed.list("events") {
				types = append(types, e["type"].(string))
			}
			require.ElementsMatch(t, wanted, types, "%s reads after %s", reader, a)
		}
	}
	for _, rt := range routes() {
		commands := rt.body != nil && rt.body.run == nil
		require.True(t, !commands || called[rt.operationID], "%s is not among the writes", rt.operationID)
	}
}

// checkCreated reads the created resource at its Location.
func (w *world) checkCreated(a *answer) {
	w.t.Helper()
	if a.status != http.StatusCreated {
		require.Empty(w.t, a.location(), a)
		return
	}
	if a.who == "operator" && strings.HasPrefix(a.path, "/v1/agreements") {
		a.who = "nokia" // the operator cannot see its draft
	}
	read := w.As(a.who).GET(a.location()).Want(200)
	if strings.HasSuffix(a.path, "/contacts") { // whose resource is the contact itself
		require.Equal(w.t, a.text("contact"), read.text("id"))
		return
	}
	if !slices.Contains([]string{"tokens", "webhooks", "invitations"}, path.Base(a.path)) { // which show a secret once
		require.Equal(w.t, string(a.body), string(read.body))
		require.Equal(w.t, a.etag(), read.etag())
	}
}
