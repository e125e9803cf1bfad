package http

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/webhooks"
)

// world is an env in which four partners work together:
//
//   - nokia and xiaomi under agreement a, and under next, which is a draft;
//   - nokia, xiaomi and zte under agreement three, where only nokia and xiaomi take part in project duo and have
//     roles in two instruments;
//   - acme and zte under agreement other. Acme shares no agreement with nokia and xiaomi.
//
// Every confidential text contains a canary.
type world struct {
	*env
	a, three, other, next string // agreements
	duo                   string // the project of three that zte does not take part in
	members               map[string]string
	secret                map[string]string // by partner: its private milestone in a's routing, or wherever it has one
	canaries              []canary
	places                []place
}

// canary is a text with a limited set of readers.
type canary struct {
	text      string
	readers   []string // partners, and "operator"
	agreement string   // invisible to tokens limited to other agreements; empty: visible to any token
	id        bool     // a response may repeat it to a caller that names it
}

// place contains values of path parameters, and their readers.
type place struct {
	params    map[string]string
	readers   []string // partners
	agreement string   // empty: none
	owner     string   // of a milestone; the lead of a project
	acceptors []string // of a milestone; the parties of a change request, whose owner proposed it
	milestone string   // of a project: one of its milestones
	exploring bool
	member    string // visible only to the token with this name
}

// newWorld starts a node on a copy of the world built by the first test.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	original.once.Do(func() { original.save(t) })
	require.NotNil(t, original.world, "the first test could not build the world")
	e := unstartedEnv(t)
	e.store.restore(original.backup)
	e.clock.at.Store(original.clock.at.Load())
	e.tokens = maps.Clone(original.tokens)
	e.history.by = maps.Clone(original.history.by)
	e.start(change...)
	w := *original.world
	w.env, w.members, w.secret = e, maps.Clone(w.members), maps.Clone(w.secret)
	w.canaries, w.places = slices.Clone(w.canaries), slices.Clone(w.places)
	return &w
}

// original is the world whose log is copied for every test; building one takes ten times as long as starting on it.
var original originalWorld

type originalWorld struct {
	*world
	once   sync.Once
	dir    string
	backup string
}

// save builds the world, stops its node and stores its log for all tests of this run.
func (o *originalWorld) save(t testing.TB) {
	t.Helper()
	w := buildWorld(t)
	w.stop()
	dir, err := os.MkdirTemp("", "tandem-http-world-")
	require.NoError(t, err)
	o.dir, o.backup = dir, filepath.Join(dir, "log")
	require.NoError(t, os.Rename(w.store.backup(), o.backup))
	o.world = w
}

func buildWorld(t testing.TB) *world {
	t.Helper()
	w := &world{env: newEnv(t), members: map[string]string{}, secret: map[string]string{}}
	for _, p := range []string{"nokia", "xiaomi", "zte", "acme"} {
		w.addPartner(p)
	}
	w.introduce("nokia", "xiaomi")
	w.a = w.agree("pact-one", "nokia", "xiaomi")
	w.three = w.agree("pact-two", "nokia", "xiaomi", "zte")
	w.other = w.agree("pact-six", "zte", "acme")
	w.draft()
	w.addLimitedTokens()
	w.projects()
	w.milestones()
	w.requests()
	w.amendments()
	w.confidentialInstruments()
	w.addPrivateContent()
	w.addDeadLetters()
	w.addMissingPlaces()
	return w
}

// introduce makes two partners contacts, and dismisses the notices.
func (w *world) introduce(inviting, redeeming string) {
	w.t.Helper()
	invitation := w.As(inviting).POST("/v1/partners/"+inviting+"/invitations", nil).Want(201)
	w.As(redeeming).POST("/v1/partners/"+redeeming+"/contacts", object{"code": invitation.text("code")}).Want(201)
	w.As(inviting).POST("/v1/partners/"+inviting+"/notices/invitation-"+invitation.text("id")+"/dismiss", nil).Want(204)
	w.As(redeeming).POST("/v1/partners/"+redeeming+"/notices/contact-"+inviting+"/dismiss", nil).Want(204)
}

// canary creates a text with the given readers.
func (w *world) canary(agreement string, seers ...string) string {
	text := fmt.Sprintf("canary-%02d-of-%s", len(w.canaries), strings.Join(seers, "-"))
	w.canaries = append(w.canaries, canary{text: text, readers: seers, agreement: agreement})
	return text
}

func (w *world) canaryID(agreement, id string, seers ...string) string {
	w.canaries = append(w.canaries, canary{text: id, readers: seers, agreement: agreement, id: true})
	return id
}

func (w *world) place(p place) { w.places = append(w.places, p) }

// addPartner creates a partner with a member and its tokens.
func (w *world) addPartner(p string) {
	w.t.Helper()
	knowing := map[string][]string{"nokia": {"xiaomi", "zte"}, "xiaomi": {"nokia", "zte"}, "zte": {"nokia", "xiaomi", "acme"}, "acme": {"zte"}}
	operator := w.As("operator")
	operator.POST("/v1/partners", object{
		"id": p, "name": w.canary("", append(knowing[p], p, "operator")...), "country": "FI", "time_zone": "Europe/Helsinki",
		"holidays": []string{w.holiday(p)},
	}).Want(201)
	directory := "/v1/partners/" + p
	w.tokens[p] = operator.POST(directory+"/tokens", object{"id": p + "-manager", "name": w.canary("", p, "operator"), "role": "manager"}).
		Want(201).text("token")
	w.members[p] = w.As(p).POST(directory+"/members", object{
		"name": w.canary("", p, "operator"), "email": w.canary("", p, "operator") + "@partner.example", "role": "manager",
	}).Want(201).text("id")
	w.issue(p, p+"-viewer", object{"role": "viewer", "member": w.members[p]})
	w.issue(p, p+"-spare", object{"role": "viewer"})
	w.canaryID("", w.members[p], p, "operator")
	w.subscribe(p)
	w.place(place{params: map[string]string{"partner": p}, readers: []string{p}})
	w.place(place{params: map[string]string{"partner": p, "member": w.members[p]}, readers: []string{p}})
	w.place(place{params: map[string]string{"partner": p, "token": p + "-spare"}, readers: []string{p}})
	w.place(place{params: map[string]string{"partner": p, "notice": "token-" + p + "-manager"}, readers: []string{p}})
	invitation := w.As(p).POST(directory+"/invitations", object{"note": w.canary("", p)}).Want(201).text("id")
	w.place(place{params: map[string]string{"partner": p, "invitation": w.canaryID("", invitation, p)}, readers: []string{p}})
}

// allAgreements marks a canary that limited tokens do not see.
const allAgreements = "all agreements"

// subscribe adds a webhook with a failed attempt. Its address is not shown, and its secret only here.
func (w *world) subscribe(p string) {
	w.t.Helper()
	id, hidden := p+"-ops", fmt.Sprintf("canary-%02d-address-of-%s", len(w.canaries), p)
	w.canaries = append(w.canaries, canary{text: hidden})
	secret := w.As(p).POST("/v1/partners/"+p+"/webhooks", object{
		"id": w.canaryID(allAgreements, id, p), "title": w.canary(allAgreements, p), "url": "https://ops.example/" + hidden,
		"format": "standard", "events": []string{"*"},
	}).Want(201).text("secret")
	w.canaries = append(w.canaries, canary{text: secret})
	said := func() string { return w.canary(allAgreements, p) }
	delivery := w.canaryID(allAgreements, p+"-first", p)
	w.history.add(domain.WebhookRef{Partner: domain.PartnerID(p), Webhook: domain.WebhookID(id)}, webhooks.Attempt{
		MessageID: delivery, Type: "milestone.delivered", Number: 1, StartedAt: w.clock.Now(), Duration: time.Second, Status: 500, Reason: said(),
		Method: "POST", URL: "https://ops.example/…", RequestHeaders: map[string]string{"Webhook-Id": delivery}, RequestBody: said(),
		ResponseHeaders: map[string]string{"Server": said()}, ResponseBody: said(),
	})
	w.place(place{params: map[string]string{"partner": p, "webhook": id}, readers: []string{p}})
	w.place(place{params: map[string]string{"partner": p, "webhook": id, "delivery": delivery}, readers: []string{p}})
}

// holiday is a canary too: a date that no other partner uses.
func (w *world) holiday(p string) string {
	day := fmt.Sprintf("2041-03-%02d", 10+len(p))
	w.canaries = append(w.canaries, canary{text: day, readers: []string{p, "operator"}})
	return day
}

// issue issues a token named by its id.
func (w *world) issue(p, id string, more object) *answer {
	w.t.Helper()
	body := object{"id": id, "name": id, "role": "manager"}
	for k, v := range more {
		body[k] = v
	}
	a := w.As(p).POST("/v1/partners/"+p+"/tokens", body).Want(201)
	w.tokens[id] = a.text("token")
	w.canaries = append(w.canaries, canary{text: w.tokens[id]})
	return a
}

// addLimitedTokens issues Nokia's tokens with fewer rights, or none.
func (w *world) addLimitedTokens() {
	w.t.Helper()
	w.issue("nokia", "nokia-limited", object{"agreements": []string{w.three}})
	w.issue("nokia", "nokia-revoked", nil)
	w.As("nokia").DELETE("/v1/partners/nokia/tokens/nokia-revoked").Want(204)
	w.issue("nokia", "nokia-expired", object{"expires_at": w.clock.Now().Add(time.Minute).Format(time.RFC3339)})
	w.clock.advance(time.Hour)
}

// agree creates an active agreement with an instrument that has one schedule item.
func (w *world) agree(id string, parties ...string) string {
	w.t.Helper()
	knowing := append(slices.Clone(parties), "operator")
	w.As("operator").POST("/v1/agreements", object{
		"id": w.canaryID(id, id, knowing...), "title": w.canary(id, parties...), "parties": parties, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": true, "forecast_tolerance_days": 14,
	}).Want(201)
	w.annex(id, parties...)
	if len(parties) == 3 {
		w.annexOfTwo(id, "supply", "undisclosed", "supplier", "customer")
		w.annexOfTwo(id, "patent_assignment", "disclosed", "assignor", "assignee")
	}
	for _, p := range parties {
		w.As(p).POST("/v1/agreements/"+id+"/sign", object{"signatory": w.canary(id, parties...)}).Want(200)
	}
	w.underAgreement(id, parties...)
	return id
}

func (w *world) annex(id string, parties ...string) {
	w.t.Helper()
	w.As(parties[0]).POST("/v1/agreements/"+id+"/instruments", object{
		"id": "joint", "kind": "joint_development", "title": w.canary(id, parties...), "effective_on": "2017-07-05", "disclosure": "undisclosed",
		"schedule": []object{{"id": "lot", "title": w.canary(id, parties...), "note": w.canary(id, parties...)}},
	}).Want(201)
}

// annexOfTwo adds an instrument in which nokia and xiaomi have roles and zte has none. Zte sees the id and the title if it
// is disclosed.
func (w *world) annexOfTwo(agreement, kind, disclosure, giver, taker string) {
	w.t.Helper()
	all, two := []string{"nokia", "xiaomi", "zte"}, []string{"nokia", "xiaomi"}
	if disclosure == "undisclosed" {
		all = two
	}
	id, item, clause := namesOf(kind)
	said := func() string { return w.canary(agreement, two...) }
	line := object{"id": w.canaryID(agreement, item, two...), "title": said(), "note": said(), "quantity": 40, "unit": said()}
	if kind == "patent_assignment" {
		line["office"], line["number"], line["old_holder"], line["new_holder"] = said(), said(), said(), said()
	}
	w.As("nokia").POST("/v1/agreements/"+agreement+"/instruments", object{
		"id": w.canaryID(agreement, id, all...), "kind": kind, "title": w.canary(agreement, all...), "disclosure": disclosure,
		"roles": object{giver: []string{"nokia"}, taker: []string{"xiaomi"}}, "effective_on": "2017-07-05",
		"expires_on": w.dayOf(agreement, two...), "schedule": []object{line},
		"obligations": []object{{"clause": w.canaryID(agreement, clause, two...), "text": said(), "partner": "nokia"}},
	}).Want(201)
	w.place(place{params: map[string]string{"agreement": agreement, "instrument": id}, readers: all, agreement: agreement})
	w.place(place{params: map[string]string{"agreement": agreement, "instrument": id, "item": item}, readers: two, agreement: agreement, owner: "nokia"})
}

// namesOf returns the ids of an instrument of two parties, of its item, and its clause.
func namesOf(kind string) (instrument, item, clause string) {
	kind = strings.ReplaceAll(kind, "_", "-")
	return "canary-of-" + kind, "canary-item-of-" + kind, "canary-clause-of-" + kind
}

// confidentialInstruments lets shared projects, milestones, change requests and amendments refer to the instruments in
// which zte has no role.
func (w *world) confidentialInstruments() {
	w.t.Helper()
	nokia, radio := w.As("nokia"), w.at(w.three, "radio")
	for n, kind := range []string{"supply", "patent_assignment"} {
		instrument, line, clause := namesOf(kind)
		refs, id := object{"instrument": instrument, "schedule_item": line, "clause": clause}, fmt.Sprint("lot-", n)
		body := object{"id": id, "title": w.canary(w.three, "nokia", "xiaomi", "zte"), "owner": "nokia", "due_on": fmt.Sprintf("2017-11-1%d", n)}
		maps.Copy(body, refs)
		nokia.POST(radio+"/milestones", body).Want(201)
		nokia.PATCH(radio+"/milestones/"+id, object{"instrument": nil, "schedule_item": nil, "clause": nil}).Want(200)
		nokia.PATCH(radio+"/milestones/"+id, refs).Want(200)
		for _, step := range []struct{ who, action string }{{"nokia", "start"}, {"nokia", "deliver"}, {"xiaomi", "accept"}, {"zte", "accept"}} {
			w.As(step.who).POST(radio+"/milestones/"+id+"/"+step.action, nil).Want(200)
		}
		item := w.at(w.three) + "/instruments/" + instrument + "/schedule/" + line
		nokia.PATCH(item, object{"state": "delivered", "quantity": 4}).Want(200)
		w.place(place{
			params: map[string]string{"agreement": w.three, "project": "radio", "milestone": id}, readers: []string{"nokia", "xiaomi", "zte"},
			agreement: w.three, owner: "nokia", acceptors: []string{"xiaomi", "zte"},
		})
	}
	patents, family, _ := namesOf("patent_assignment")
	w.As("xiaomi").PATCH(w.at(w.three)+"/instruments/"+patents+"/schedule/"+family, object{
		"state": "recorded", "office": w.canary(w.three, "nokia", "xiaomi"),
	}).Want(200)
	nokia.PATCH(w.at(w.three)+"/instruments/canary-of-supply", object{"private_note": w.canary(w.three, "nokia")}).Want(200)
	nokia.POST(w.at(w.three)+"/amendments", object{"title": "Annexes", "changes": object{
		"end_instruments": []object{{"id": "canary-of-supply", "expires_on": w.dayOf(w.three, "nokia", "xiaomi")}},
		"add_instruments": []object{{
			"id": w.canaryID(w.three, "canary-of-more", "nokia", "xiaomi"), "kind": "supply", "title": w.canary(w.three, "nokia", "xiaomi"),
			"disclosure": "undisclosed", "roles": object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}}, "effective_on": "2018-01-01",
		}},
	}}).Want(201)
	w.place(place{
		params: map[string]string{"agreement": w.three, "amendment": "2"}, readers: []string{"nokia", "xiaomi", "zte"}, agreement: w.three, owner: "nokia",
	})
}

func (w *world) underAgreement(id string, parties ...string) {
	for _, more := range []map[string]string{{}, {"instrument": "joint"}, {"instrument": "joint", "item": "lot"}} {
		more["agreement"] = id
		w.place(place{params: more, readers: parties, agreement: id})
	}
}

// draft creates the unsigned agreement.
func (w *world) draft() {
	w.t.Helper()
	parties := []string{"nokia", "xiaomi"}
	title := fmt.Sprintf("canary-%02d-of-the-draft", len(w.canaries))
	a := w.As("nokia").POST("/v1/agreements", object{
		"id": "next", "title": title, "parties": parties, "effective_on": "2017-07-05",
		"acceptance_days": 0, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201)
	w.next = w.canaryID(a.text("id"), a.text("id"), parties...)
	w.canaries = append(w.canaries, canary{text: title, readers: parties, agreement: w.next})
	w.annex(w.next, parties...)
	w.underAgreement(w.next, parties...)
}

// projects creates one project per agreement, and the special ones.
func (w *world) projects() {
	w.t.Helper()
	w.project(w.a, "routing", "committed", "nokia", "xiaomi")
	w.project(w.a, "things", "exploring", "xiaomi", "nokia")
	w.project(w.three, "radio", "committed", "zte", "nokia", "xiaomi")
	w.duo = w.project(w.three, "duo", "committed", "nokia", "xiaomi")
	w.project(w.other, "cloud", "committed", "acme", "zte")
}

func (w *world) project(agreement, id, stage, lead string, others ...string) string {
	w.t.Helper()
	participants := append([]string{lead}, others...)
	body := object{
		"id": id, "title": w.canary(agreement, participants...), "description": w.canary(agreement, participants...),
		"area": w.canary(agreement, participants...), "stage": stage, "lead": lead, "participants": participants, "instrument": "joint",
	}
	if stage == "exploring" {
		body["decide_by"] = "2018-06-30"
	}
	name := id
	id = w.As(lead).POST("/v1/agreements/"+agreement+"/projects", body).Want(201).text("id")
	if len(id) > len("routing") {
		w.canaryID(agreement, id, participants...)
	}
	if stage == "committed" {
		for _, participant := range others {
			w.As(participant).POST(w.at(agreement, id)+"/commit", nil).Want(200)
		}
		w.As(lead).POST(w.at(agreement, id)+"/start", nil).Want(200)
	}
	w.place(place{
		params: map[string]string{"agreement": agreement, "project": id}, readers: participants, agreement: agreement,
		owner: lead, exploring: stage == "exploring",
		milestone: map[string]string{"routing": "planned", "things": "sketch", "radio": "field", "cloud": "move", "duo": "pair"}[name],
	})
	return id
}

// at returns a path under an agreement.
func (w *world) at(agreement string, rest ...string) string {
	path := "/v1/agreements/" + agreement
	for i, id := range rest {
		path += []string{"/projects/", "/milestones/"}[i] + id
	}
	return path
}

// routing returns the path of a milestone of the project that most tests use.
func (w *world) routing(milestone string) string { return w.at(w.a, "routing", milestone) }

// milestones creates one in every state in routing, and one in each other project.
func (w *world) milestones() {
	w.t.Helper()
	for n, state := range []string{"planned", "going", "delivered", "rejected", "accepted", "waived", "cancelled"} {
		w.milestone(w.a, "routing", state, fmt.Sprintf("2017-10-%02d", n+1), "nokia", "xiaomi")
	}
	present := w.clock.at.Swap(time.Date(2017, 8, 1, 8, 0, 0, 0, time.UTC).UnixMicro()) // planned in time
	w.milestone(w.a, "routing", "overdue", "2017-08-01", "xiaomi", "nokia")
	w.clock.at.Store(present)
	for _, state := range []string{"going", "delivered", "rejected", "accepted", "overdue"} {
		owner := map[bool]string{true: "xiaomi", false: "nokia"}[state == "overdue"]
		w.As(owner).POST(w.routing(state)+"/start", nil).Want(200)
	}
	for _, state := range []string{"delivered", "rejected", "accepted"} {
		w.As("nokia").POST(w.routing(state)+"/deliver", object{
			"on": "2017-09-04", "evidence": []object{
				{"title": w.canary(w.a, "nokia", "xiaomi"), "url": "https://proof.example/" + state},
				{"title": w.canary(w.a, "nokia"), "url": "https://secret.example/" + w.canary(w.a, "nokia"), "audience": "private"},
			},
		}).Want(200)
	}
	w.As("xiaomi").POST(w.routing("rejected")+"/reject", object{"reasons": []string{w.canary(w.a, "nokia", "xiaomi")}}).Want(200)
	w.As("xiaomi").POST(w.routing("accepted")+"/accept", object{"note": w.canary(w.a, "nokia", "xiaomi")}).Want(200)
	w.As("xiaomi").POST(w.routing("waived")+"/waive", nil).Want(200)
	w.As("nokia").POST(w.routing("cancelled")+"/cancel", object{"reason": w.canary(w.a, "nokia", "xiaomi")}).Want(200)
	w.rounds()
	w.milestone(w.a, "things", "sketch", "2018-06-01", "xiaomi", "nokia")
	w.milestone(w.three, "radio", "field", "2017-11-01", "zte", "nokia", "xiaomi")
	w.milestone(w.three, w.duo, "pair", "2017-11-02", "nokia", "xiaomi")
	w.milestone(w.other, "cloud", "move", "2017-11-03", "acme", "zte")
}

// rounds creates one that is conditionally accepted and one that is disputed.
func (w *world) rounds() {
	w.t.Helper()
	for n, state := range []string{"conditional", "disputed"} {
		w.milestone(w.a, "routing", state, fmt.Sprintf("2017-12-%02d", n+1), "nokia", "xiaomi")
		w.As("nokia").POST(w.routing(state)+"/start", nil).Want(200)
		w.As("nokia").POST(w.routing(state)+"/deliver", nil).Want(200)
	}
	said := func() string { return w.canary(w.a, "nokia", "xiaomi") }
	w.As("xiaomi").POST(w.routing("conditional")+"/accept", object{
		"note": said(), "conditions": []object{{"text": said(), "due_on": "2017-12-24"}, {"text": said(), "due_on": "2017-12-31"}},
	}).Want(200)
	proof := func() []object { return []object{{"title": said(), "url": "https://proof.example/" + said()}} }
	w.As("nokia").POST(w.routing("conditional")+"/conditions/1/met", object{"note": said(), "evidence": proof()}).Want(200)
	w.As("xiaomi").POST(w.routing("conditional")+"/conditions/1/refuse", object{"reason": said(), "evidence": proof()}).Want(200)
	w.As("xiaomi").POST(w.routing("conditional")+"/criteria/1/check", object{"result": "met", "note": said(), "evidence": proof()}).Want(200)
	for _, part := range []string{"condition", "criterion"} {
		for milestone, owner := range map[string]string{"conditional": "nokia", "overdue": "xiaomi"} {
			w.place(place{
				params: map[string]string{"agreement": w.a, "project": "routing", "milestone": milestone, part: "1"}, readers: []string{"nokia", "xiaomi"},
				agreement: w.a, owner: owner, acceptors: []string{map[string]string{"nokia": "xiaomi", "xiaomi": "nokia"}[owner]},
			})
		}
	}
	w.As("xiaomi").POST(w.routing("disputed")+"/reject", object{"reasons": []string{said()}, "evidence": proof()}).Want(200)
	w.As("nokia").POST(w.routing("disputed")+"/dispute", object{"reason": said()}).Want(200)
	w.As("xiaomi").POST(w.routing("disputed")+"/settle", object{"outcome": "rejected", "note": said()}).Want(200)
}

// requests creates an open change request in two projects.
func (w *world) requests() {
	w.t.Helper()
	for _, at := range []struct {
		agreement, project, milestone, by string
		parties, seers                    []string
	}{
		{w.a, "routing", "planned", "nokia", []string{"nokia", "xiaomi"}, []string{"nokia", "xiaomi"}},
		{w.three, w.duo, "pair", "xiaomi", []string{"nokia", "xiaomi"}, []string{"nokia", "xiaomi"}},
	} {
		w.As(at.by).POST(w.at(at.agreement, at.project)+"/changes", object{
			"reason": w.canary(at.agreement, at.seers...), "milestones": []object{{"id": at.milestone, "due_on": "2017-12-31"}},
		}).Want(201)
		w.place(place{
			params: map[string]string{"agreement": at.agreement, "project": at.project, "change": "1"}, readers: at.seers,
			agreement: at.agreement, owner: at.by, acceptors: at.parties,
		})
	}
}

// amendments proposes one in two agreements.
func (w *world) amendments() {
	w.t.Helper()
	for _, at := range []struct {
		agreement, by string
		parties       []string
	}{
		{w.a, "nokia", []string{"nokia", "xiaomi"}},
		{w.three, "zte", []string{"nokia", "xiaomi", "zte"}},
	} {
		w.As(at.by).POST(w.at(at.agreement)+"/amendments", object{
			"title": w.canary(at.agreement, at.parties...), "changes": object{"title": w.canary(at.agreement, at.parties...)},
		}).Want(201)
		w.place(place{
			params: map[string]string{"agreement": at.agreement, "amendment": "1"}, readers: at.parties, agreement: at.agreement, owner: at.by,
		})
	}
}

func (w *world) milestone(agreement, project, id, due, owner string, acceptors ...string) {
	w.t.Helper()
	all := append([]string{owner}, acceptors...)
	w.As(owner).POST(w.at(agreement, project)+"/milestones", object{
		"id": id, "title": w.canary(agreement, all...), "description": w.canary(agreement, all...), "owner": owner, "due_on": due,
		"criteria": []string{w.canary(agreement, all...)}, "instrument": "joint", "schedule_item": "lot",
	}).Want(201)
	w.place(place{
		params: map[string]string{"agreement": agreement, "project": project, "milestone": id}, readers: all, agreement: agreement,
		owner: owner, acceptors: acceptors,
	})
}

// addPrivateContent adds private data within the shared projects.
func (w *world) addPrivateContent() {
	w.t.Helper()
	for _, at := range []struct{ agreement, project, milestone, partner string }{
		{w.a, "routing", "going", "nokia"},
		{w.a, "routing", "going", "xiaomi"},
		{w.three, "radio", "field", "zte"},
		{w.other, "cloud", "move", "acme"},
	} {
		p := at.partner
		shared := w.at(at.agreement, at.project, at.milestone)
		w.As(p).POST(shared+"/progress", object{"health": "red", "note": w.canary(at.agreement, p), "audience": "private"}).Want(200)
		w.As(p).PATCH("/v1/agreements/"+at.agreement+"/instruments/joint", object{"private_note": w.canary(at.agreement, p)}).Want(200)
		w.As(p).POST(shared+"/forecast", object{"on": w.secretDay(at.agreement, p), "reason": w.canary(at.agreement, p), "audience": "private"}).Want(200)
		w.As(p).POST(shared+"/comment", object{"text": w.canary(at.agreement, p), "audience": "private:" + p}).Want(200)
		id := w.As(p).POST(w.at(at.agreement, at.project)+"/milestones", object{
			"id": "hidden", "title": w.canary(at.agreement, p), "owner": p, "due_on": w.secretDay(at.agreement, p), "audience": "private",
		}).Want(201).text("id")
		require.Regexp(w.t, `^hidden-[a-z2-7]{8}$`, id)
		w.secret[p] = w.canaryID(at.agreement, id, p)
		w.place(place{
			params: map[string]string{"agreement": at.agreement, "project": at.project, "milestone": id, "criterion": "1"}, readers: []string{p},
			agreement: at.agreement, owner: p,
		})
		w.As(p).POST(w.at(at.agreement, at.project, id)+"/comment", object{"text": w.canary(at.agreement, p)}).Want(200)
		w.place(place{
			params: map[string]string{"agreement": at.agreement, "project": at.project, "milestone": id}, readers: []string{p},
			agreement: at.agreement, owner: p,
		})
	}
}

// secretDay is a date that occurs nowhere else.
func (w *world) secretDay(agreement, p string) string { return w.dayOf(agreement, p) }

func (w *world) dayOf(agreement string, seers ...string) string {
	day := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, len(w.canaries)).Format(time.DateOnly)
	w.canaries = append(w.canaries, canary{text: day, readers: seers, agreement: agreement})
	return day
}

// addMissingPlaces adds places that do not exist, and a command whose outcome is lost.
func (w *world) addMissingPlaces() {
	w.t.Helper()
	for _, params := range []map[string]string{
		{"partner": "nothing"},
		{"partner": "NOT%20AN%20ID"},
		{"partner": "nokia", "member": "nothing"},
		{"partner": "nothing", "member": "nothing"},
		{"partner": "nokia", "token": "nothing"},
		{"partner": "nokia", "invitation": "nothing"},
		{"partner": "nothing", "invitation": "nothing"},
		{"partner": "nothing", "token": "nothing"},
		{"partner": "nokia", "webhook": "nothing"},
		{"partner": "nothing", "webhook": "nokia-ops"},
		{"partner": "acme", "webhook": "nokia-ops"},
		{"partner": "nokia", "webhook": "nothing", "delivery": "nokia-first"},
		{"partner": "nokia", "webhook": "nokia-ops", "delivery": "nothing"},
		{"agreement": "nothing"},
		{"agreement": strings.Repeat("x", 500)},
		{"agreement": "nothing", "instrument": "joint"},
		{"agreement": w.a, "instrument": "nothing"},
		{"agreement": w.a, "instrument": "joint", "item": "nothing"},
		{"agreement": "nothing", "instrument": "joint", "item": "lot"},
		{"agreement": "nothing", "amendment": "1"},
		{"agreement": w.a, "amendment": "99"},
		{"agreement": w.a, "amendment": "01"},
		{"agreement": w.a, "amendment": "a-aaaaaaaa"},
		{"agreement": w.other, "amendment": "1"},
		{"agreement": "nothing", "project": "routing"},
		{"agreement": w.a, "project": "nothing"},
		{"agreement": "nothing", "project": "routing", "change": "1"},
		{"agreement": w.a, "project": "nothing", "change": "1"},
		{"agreement": w.a, "project": "routing", "change": "99"},
		{"agreement": w.a, "project": "routing", "change": "01"},
		{"agreement": w.a, "project": "routing", "change": "c-aaaaaaaa"},
		{"agreement": "nothing", "project": "routing", "milestone": "going"},
		{"agreement": w.a, "project": "nothing", "milestone": "going"},
		{"agreement": w.a, "project": "routing", "milestone": "nothing"},
		{"agreement": w.a, "project": "routing", "milestone": "nothing", "condition": "1"},
		{"agreement": w.a, "project": "routing", "milestone": "nothing", "criterion": "1"},
		{"agreement": w.a, "project": "routing", "milestone": "hidden-aaaaaaaa"},
		{"id": "nothing"},
		{"id": strings.Repeat("0", 48)},
		{"file": "nothing"},
	} {
		w.place(place{params: params})
	}
	w.place(place{params: map[string]string{}, readers: []string{"nokia", "xiaomi", "zte", "acme"}})
	w.place(place{params: map[string]string{"file": "swagger-ui.css"}, readers: []string{"nokia", "xiaomi", "zte", "acme"}})
	w.commands.lose.Store(true)
	lost := w.As("nokia").POST(w.routing("going")+"/comment", object{"text": w.canary(w.a, "nokia", "xiaomi")})
	require.NotEmpty(w.t, lost.location(), lost)
	w.commands.lose.Store(false)
	w.place(place{params: map[string]string{"id": strings.TrimPrefix(lost.location(), "/v1/commands/")}, member: "nokia"})
}
