package http

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// join makes ZTE a party of the agreement of Nokia and Xiaomi.
func (w *world) join() {
	w.t.Helper()
	all := w.at(w.a) + "/amendments"
	at := w.As("nokia").POST(all, object{"title": "ZTE joins", "changes": object{"join": []object{{"partner": "zte"}}}}).Want(201).location()
	for _, p := range []string{"nokia", "xiaomi", "zte"} {
		w.As(p).POST(at+"/sign", nil).Want(200)
	}
}

// R17: a joiner cannot detect earlier projects by creating ones with their ids, which have no suffix because all
// parties of that time take part.
func TestJoinerCannotProbeForProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join()
	w.As("zte").GET(w.at(w.a, "routing")).Refused(404, "not_found")
	for _, participants := range [][]string{{"nokia", "xiaomi", "zte"}, {"zte", "xiaomi"}} {
		for _, id := range []string{"routing", "free"} {
			a := w.As("zte").POST(w.at(w.a)+"/projects", object{
				"id": id, "title": "probe", "stage": "committed", "lead": "zte", "participants": participants,
			}).Want(201)
			require.Regexp(t, "^"+id+"-[a-z2-7]{8}$", a.text("id"))
		}
	}
	a := w.As("nokia").POST(w.at(w.a)+"/projects", object{
		"id": "all", "title": "all of us", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi", "zte"},
	}).Want(201)
	require.Equal(t, "all", a.text("id"))
}

// R17: public pages name only partners that approved the publication, not those that joined later or were named as
// owner or acceptor.
func TestPublicPagesOmitJoiners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := func(p string) string { return w.As(p).GET("/v1/partners/" + p).Want(200).text("name") }
	status := "/public/" + w.three + "/status"
	w.publish(w.three, w.duo, "pair", "nokia", "xiaomi")
	before := w.As("nobody").GET(status).Want(200)
	join := object{"participants": []string{"nokia", "xiaomi", "zte"}}
	w.As("nokia").PATCH(w.at(w.three, w.duo), join).Want(200)
	w.As("xiaomi").PATCH(w.at(w.three, w.duo), join).Want(200)
	require.Equal(t, string(before.body), string(w.As("nobody").GET(status).Want(200).body))
	w.As("nokia").PATCH(w.at(w.three, w.duo, "pair"), object{"acceptors": []string{"xiaomi", "zte"}}).Refused(409, "milestone_public")
	require.NotContains(t, w.As("nobody").GET(status).Want(200).told(), name("zte"))
	require.NotContains(t, w.As("nobody").GET("/public/"+w.three).Want(200).told(), name("zte"))

	w.As("nokia").POST(w.at(w.three, w.duo)+"/changes", object{"reason": "all three", "milestones": []object{{"id": "pair", "acceptors": []string{"xiaomi", "zte"}}}}).Want(201)
	w.As("xiaomi").POST(w.at(w.three, w.duo)+"/changes/3/approve", nil).Want(200)
	w.As("zte").POST(w.at(w.three, w.duo)+"/changes/3/approve", nil).Want(200)
	a := w.As("nobody").GET(status).Want(200)
	require.Contains(t, a.told(), name("zte"), "it agreed to accept what it knew to be public")
}

// A limited token does not see agreements in the limits of its partner's other tokens.
func TestLimitedTokenSeesNoOtherLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("nokia", "nokia-elsewhere", object{"agreements": []string{w.next}})
	w.issue("nokia", "nokia-both", object{"agreements": []string{w.next, w.three}})
	tokens := "/v1/partners/nokia/tokens"
	require.NotContains(t, w.As("nokia-limited").GET(tokens).Want(200).told(), w.next)
	require.Contains(t, w.As("nokia-limited").GET(tokens).Want(200).told(), `"nokia-limited"`)
	for _, hidden := range []string{"nokia-elsewhere", "nokia-both"} {
		w.As("nokia-limited").GET(tokens+"/"+hidden).Refused(404, "not_found")
		w.As("nokia").GET(tokens + "/" + hidden).Want(200)
	}
}

// R4: a withdrawn party does not see later joiners, who see only the terms of it.
func TestWithdrawnPartySeesNoJoiners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join() // adds ZTE to agreement a
	w.As("xiaomi").POST(w.at(w.a)+"/terminate", object{
		"mode": "notice", "reason": "new strategy", "effective_on": w.clock.Now().Format("2006-01-02"),
	}).Want(200)
	w.As("xiaomi").POST(w.at(w.three)+"/terminate", object{
		"mode": "notice", "reason": "new strategy", "effective_on": w.clock.Now().Format("2006-01-02"),
	}).Want(200)
	w.clock.advance(24 * time.Hour)
	look := func() (told []string) {
		for _, path := range []string{"/v1/me", "/v1/partners", w.at(w.a), w.at(w.a) + "/events", w.at(w.a) + "/amendments", "/v1/partners/xiaomi/inbox"} {
			told = append(told, withoutDates(w.As("xiaomi").GET(path).Want(200).told()))
		}
		return told
	}
	w.As("xiaomi").GET("/v1/partners/acme").Refused(404, "not_found")
	before := look()
	at := w.As("zte").POST(w.at(w.a)+"/amendments", object{"title": "Acme joins", "changes": object{"join": []object{{"partner": "acme"}}}}).Want(201).location()
	for _, p := range []string{"nokia", "zte", "acme"} {
		w.As(p).POST(at+"/sign", nil).Want(200)
		w.As("xiaomi").GET("/v1/partners/acme").Refused(404, "not_found")
	}
	require.Equal(t, before, look())
}

// withoutDates removes the times of a response.
func withoutDates(told string) string {
	return regexp.MustCompile(`Date: [^\r]*\r\n`).ReplaceAllString(told, "")
}

// A withdrawn party is asked to end a project only while a started milestone is its own.
func TestWithdrawnPartyEndsOpenProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.As("xiaomi").POST(w.at(w.three)+"/terminate", object{
		"mode": "notice", "reason": "new strategy", "effective_on": w.clock.Now().Format("2006-01-02"),
	}).Want(200)
	w.clock.advance(24 * time.Hour)
	radio := w.at(w.three, "radio")
	end := object{"reason": "it-works", "dispositions": []object{{"milestone": "field", "disposition": "cancelled", "reason": "not-needed"}}}
	w.As("nokia").POST(radio+"/complete", end).Want(200)
	require.Contains(t, w.As("zte").GET("/v1/partners/zte/inbox").Want(200).told(), "it-works")
	require.NotContains(t, w.As("xiaomi").GET("/v1/partners/xiaomi/inbox").Want(200).told(), "it-works")
	w.As("zte").POST(radio+"/milestones/field/start", nil).Want(200)
	require.Contains(t, w.As("xiaomi").GET("/v1/partners/xiaomi/inbox").Want(200).told(), "it-works")
	a := w.As("zte").POST(radio+"/complete", end).Want(200)
	require.Equal(t, "active", a.get("stage"))
	a = w.As("xiaomi").POST(radio+"/complete", end).Want(200)
	require.Equal(t, "completed", a.get("stage"))
}

// R7, R16: a partner that has left a project keeps the events that it has seen, with their wording, and learns of
// nothing later: no answer of any read, no position and no ETag changes.
func TestLeaverSeesNothingLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	project := w.at(w.three, "trio")
	w.As("nokia").POST(w.at(w.three)+"/projects", object{
		"id": "trio", "title": "Trio", "stage": "proposed", "lead": "nokia", "participants": []string{"nokia", "xiaomi", "zte"},
	}).Want(201)
	w.As("nokia").POST(project+"/milestones", object{"id": "mast", "title": "Mast", "owner": "nokia", "acceptors": []string{"xiaomi"}, "due_on": "2018-01-01"}).Want(201)
	w.As("nokia").POST(project+"/leave", object{"partner": "zte"}).Want(200)
	w.As("xiaomi").POST(project+"/leave", object{"partner": "zte"}).Want(200)
	w.As("zte").POST(project+"/leave", object{"reason": "no budget"}).Want(204)
	events := w.As("zte").GET(w.at(w.three) + "/events?limit=200").Want(200).list("events")
	require.Equal(t, "project.participant_left", events[len(events)-1]["type"])
	read := func() (all []string) {
		for _, path := range []string{
			w.at(w.three) + "/events?limit=200", w.at(w.three) + "/projects", "/v1/partners/zte/events?limit=200", "/v1/partners/zte/milestones",
			"/v1/partners/zte/status", "/v1/partners/zte/inbox",
		} {
			a := w.As("zte").GET(path).Want(200)
			all = append(all, path+a.etag()+a.position()+string(a.body))
		}
		return all
	}
	before := read()
	w.As("nokia").PATCH(project, object{"title": "Canary"}).Want(200)
	w.As("nokia").PATCH(project+"/milestones/mast", object{"title": "Canary"}).Want(200)
	w.As("xiaomi").POST(project+"/milestones/mast/comment", object{"text": "Canary"}).Want(200)
	w.As("xiaomi").POST(project+"/commit", nil).Want(200)
	require.Equal(t, before, read())
	for _, path := range []string{project, project + "/status", project + "/milestones/mast", project + "/milestones/mast/history"} {
		w.As("zte").GET(path).Refused(404, "not_found")
	}
}
