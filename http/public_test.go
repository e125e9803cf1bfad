package http

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// publish makes a milestone public by a partner's request and the others' approval.
func (w *world) publish(agreement, project, milestone, by string, others ...string) {
	w.t.Helper()
	at := w.As(by).POST(w.at(agreement, project)+"/changes", object{"reason": "tell everybody", "publish": []string{milestone}}).Want(201).location()
	for _, p := range others {
		w.As(p).POST(at+"/approve", nil).Want(200)
	}
}

// publics returns the public paths of an agreement.
func publics(agreement string) []string {
	at := "/public/" + agreement
	return []string{at, at + "/status", at + "/badge.svg"}
}

// R17: publication requires the approval of every participant, whoever the milestone concerns.
func TestPublishingRequiresEveryParticipant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radio := w.at(w.three, "radio")
	w.milestone(w.three, "radio", "mast", "2017-12-01", "zte", "xiaomi")
	a := w.As("xiaomi").POST(radio+"/changes", object{"reason": "a fair", "publish": []string{"mast"}}).Want(201)
	require.Equal(t, object{"nokia": "pending", "xiaomi": "approved", "zte": "pending"}, a.get("approvals"))
	require.Equal(t, []any{"mast"}, a.get("publish"))
	require.Empty(t, a.list("milestones"))
	require.Equal(t, []string{"change"}, w.kinds("nokia", "mast"), "it owns and accepts nothing here, and is asked")
	require.Equal(t, []string{"change"}, w.kinds("zte", "mast"))
	w.As("zte").POST(a.location()+"/approve", nil).Want(200)
	for _, path := range publics(w.three) {
		w.As("nobody").GET(path).Refused(404, "not_found")
	}
	w.As("nokia").POST(a.location()+"/reject", object{"reason": "not yet"}).Want(200)
	w.publish(w.three, "radio", "mast", "nokia", "zte")
	w.As("nobody").GET("/public/"+w.three+"/status").Refused(404, "not_found")
	require.Equal(t, "shared", w.As("nokia").GET(radio+"/milestones/mast").Want(200).get("audience"))
	w.As("xiaomi").POST(radio+"/changes/2/approve", nil).Want(200)
	w.As("nobody").GET("/public/" + w.three + "/status").Want(200)
	require.Equal(t, "public", w.As("nokia").GET(radio+"/milestones/mast").Want(200).get("audience"))
	w.As("zte").POST(radio+"/changes", object{"reason": "again", "publish": []string{"mast"}}).Refused(422, "invalid_field")
	events := w.As("nokia").GET(radio + "/milestones/mast/history").Want(200).list("events")
	last := events[len(events)-1]
	require.Equal(t, "milestone.published", last["type"])
	require.Equal(t, "public", last["audience"])
}

// TestAnnouncedAgreementIsPublicOnceSigned: the facts of an agreement are public when every party has signed terms that
// say so, and no earlier.
func TestAnnouncedAgreementIsPublicOnceSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := w.As("nokia").POST("/v1/agreements", object{
		"title": "Announced work", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2017-07-05", "announced": true,
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 7,
	}).Want(201)
	id := draft.text("id")
	require.Equal(t, true, draft.get("announced"))
	w.As("nokia").POST(draft.location()+"/instruments", object{"kind": "joint_development", "title": "Secret radio", "effective_on": "2017-07-05", "disclosure": "undisclosed"}).Want(201)
	w.As("nokia").POST(draft.location()+"/sign", object{"signatory": "Rajeev Suri", "signed_on": "2017-07-05"}).Want(200)
	w.As("nobody").GET("/public/"+id).Refused(404, "not_found")
	w.As("xiaomi").POST(draft.location()+"/sign", object{"signatory": "Lei Jun", "signed_on": "2017-07-06"}).Want(200)

	status := w.As("nobody").GET("/public/" + id + "/status").Want(200)
	nokia, xiaomi := w.As("nokia").GET("/v1/partners/nokia").Want(200).text("name"), w.As("xiaomi").GET("/v1/partners/xiaomi").Want(200).text("name")
	require.Equal(t, object{
		"parties": []any{nokia, xiaomi}, "effective_on": "2017-07-05", "instruments": []any{"joint_development"},
		"signatures": []any{
			object{"partner": nokia, "signatory": "Rajeev Suri", "signed_on": "2017-07-05"},
			object{"partner": xiaomi, "signatory": "Lei Jun", "signed_on": "2017-07-06"},
		},
	}, status.get("announcement"))
	require.Equal(t, "Announced work", status.get("title"))
	page := string(w.As("nobody").GET("/public/" + id).Want(200).body)
	require.Contains(t, page, "Rajeev Suri for "+nokia)
	require.Contains(t, page, "Joint development agreement")
	require.NotContains(t, page, "Secret radio")
}

// Public responses contain the approved data only: no canaries but the names of the approving partners and the
// titles.
func TestPublicResponsesContainApprovedData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	title := func(path string) string { return w.As("nokia").GET(path).Want(200).text("title") }
	w.As("nokia").POST(w.routing("going")+"/progress", object{"percent": 77, "health": "amber", "note": "optics-late"}).Want(200)
	w.As("nokia").POST(w.routing("going")+"/forecast", object{"on": "2033-03-03"}).Want(200)
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	w.publish(w.a, "routing", "accepted", "xiaomi", "nokia")
	w.publish(w.a, "routing", "cancelled", "xiaomi", "nokia")
	name := func(p string) string { return w.As(p).GET("/v1/partners/" + p).Want(200).text("name") }
	told := []string{title(w.at(w.a)), title(w.at(w.a, "routing")), name("nokia"), name("xiaomi")}
	for _, m := range []string{"going", "accepted", "cancelled"} {
		told = append(told, title(w.routing(m)))
	}
	for _, path := range publics(w.a) {
		a := w.As("nobody").GET(path).Want(200)
		for _, c := range w.canaries {
			if !slices.Contains(told, c.text) && c.text != w.a {
				require.NotContains(t, a.told(), c.text, path)
			}
		}
		for _, word := range []string{"optics-late", "77%", ":77", "at risk", "amber", "2033", "3 Mar", "waived"} {
			require.NotContains(t, string(a.body), word, path)
		}
		require.Empty(t, a.header.Get("Tandem-Position"))
	}
	a := w.As("nobody").GET("/public/" + w.a + "/status").Want(200)
	require.Equal(t, object{"in_progress": 1.0, "accepted": 1.0, "cancelled": 1.0}, a.get("counts"))
	require.EqualValues(t, 1, a.get("accepted"))
	require.EqualValues(t, 2, a.get("expected"))
	project := a.list("projects")[0]
	require.Equal(t, object{
		"title": title(w.routing("accepted")), "owner": name("nokia"), "acceptors": []any{name("xiaomi")}, "state": "accepted", "due_on": "2017-10-05",
		"baseline_on": nil, "delivered_on": "2017-09-04", "accepted_on": "2017-09-04", "overdue": false,
	}, project["milestones"].([]any)[1])
	page := string(w.As("nobody").GET("/public/" + w.a).Want(200).body)
	for _, text := range told {
		require.Contains(t, page, text)
	}
}

// The bytes and ETags of public responses change with published data only.
func TestPublicResponsesIgnoreUnpublishedEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	read := func() (all []*answer) {
		for _, path := range publics(w.a) {
			all = append(all, w.As("nobody").GET(path).Want(200))
		}
		return all
	}
	before := read()
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "hm", "audience": "private"}).Want(200)
	w.As("xiaomi").POST(w.routing("going")+"/forecast", object{"on": "2019-01-01", "reason": "late", "audience": "private"}).Want(200)
	w.As("nokia").POST(w.routing("going")+"/progress", object{"percent": 50, "health": "red", "note": "hm"}).Want(200)
	w.As("nokia").PATCH(w.routing("going"), object{"description": "longer", "criteria": []string{"more"}}).Refused(409, "milestone_public")
	w.As("nokia").POST(w.routing("planned")+"/start", nil).Want(200)
	w.milestone(w.a, "routing", "another", "2017-12-01", "nokia", "xiaomi")
	w.clock.advance(time.Minute)
	w.restart()
	for n, a := range read() {
		require.Equal(t, before[n].body, a.body, a.path)
		require.Equal(t, before[n].etag(), a.etag(), a.path)
		w.As("nobody").With("If-None-Match", a.etag()).GET(a.path).Want(304)
		require.Equal(t, "public, max-age=60", a.header.Get("Cache-Control"))
	}
	w.As("nokia").POST(w.routing("going")+"/deliver", nil).Want(200)
	for n, a := range read()[:2] {
		require.NotEqual(t, before[n].etag(), a.etag(), a.path)
	}
	w.As("xiaomi").POST(w.routing("going")+"/accept", nil).Want(200)
	badge := w.As("stranger").GET("/public/" + w.a + "/badge.svg?from=a-friend").Want(200)
	require.Contains(t, string(badge.body), "1 of 1 accepted", "a token does not matter, nor the query")
}

// Page and badge are complete, load no other resources, and are safe for any title.
func TestPublicPageIsSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evil := `</title><script>alert("1")</script>&`
	w.As("nokia").PATCH(w.routing("going"), object{"title": evil}).Want(200)
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	a := w.As("nobody").GET("/public/" + w.a).Want(200)
	page := string(a.body)
	require.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'")
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.NotContains(t, page, "<script")
	require.Contains(t, page, "&lt;script&gt;")
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, []string{w.a + "/badge.svg?language=en", "?language=en", "?language=zh", "?language=fi"}, link[1])
	}
	for _, part := range []string{`<html lang="en">`, "<title>", "<caption", `scope="col"`, `scope="row"`, "alt="} {
		require.Contains(t, page, part)
	}
	badge := w.As("nobody").GET("/public/" + w.a + "/badge.svg").Want(200)
	require.Equal(t, "image/svg+xml", badge.header.Get("Content-Type"))
	d := xml.NewDecoder(strings.NewReader(string(badge.body)))
	for {
		if _, err := d.Token(); err != nil {
			require.ErrorIs(t, err, io.EOF, "it is well formed")
			break
		}
	}
}

// Published data with lost history is not served; unpublished agreements are still answered like nonexistent ones.
func TestPublicPageWithLostHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	older := w.copyLog()
	w.As("nokia").POST(w.routing("going")+"/deliver", nil).Want(200)
	w.putBack(older)
	for _, path := range publics(w.a) {
		w.As("nobody").GET(path).Refused(503, "history_lost")
	}
	for _, path := range publics(w.three) {
		w.As("nobody").GET(path).Refused(404, "not_found")
	}
}

// A stale node serves no public pages.
func TestStaleNodeServesNoPublicPages(t *testing.T) {
	t.Parallel()
	var stale atomic.Bool
	w := newWorld(t, func(c *Config) {
		c.Fresh = func() error {
			if stale.Load() {
				return errors.New("nothing was heard of the log")
			}
			return nil
		}
	})
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	stale.Store(true)
	for _, path := range append(publics(w.a), publics("nothing")...) {
		w.As("nobody").GET(path).Refused(503, "stale")
	}
}

// A party without a published project has approved nothing: its name and the agreement's title are not shown.
func TestPublicTitleRequiresEveryParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	title := w.As("zte").GET("/v1/agreements/" + w.three).Want(200).text("title")
	w.milestone(w.three, w.duo, "mast", "2017-12-01", "nokia", "xiaomi")
	w.publish(w.three, w.duo, "mast", "nokia", "xiaomi")
	status := w.As("nobody").GET("/public/" + w.three + "/status").Want(200)
	require.Nil(t, status.get("title"))
	require.Len(t, status.get("partners"), 2)
	require.NotContains(t, string(w.As("nobody").GET("/public/"+w.three).Want(200).body), title)

	w.milestone(w.three, "radio", "mast", "2017-12-01", "zte", "xiaomi")
	w.publish(w.three, "radio", "mast", "nokia", "xiaomi", "zte")
	require.Equal(t, title, w.As("nobody").GET("/public/"+w.three+"/status").Want(200).get("title"))
	require.Contains(t, string(w.As("nobody").GET("/public/"+w.three).Want(200).body), title)
}

// TestPublicPageIsTranslated: the page, its badge and their states are in the language asked for.
func TestPublicPageIsTranslated(t *testing.T) {
	w := newWorld(t)
	w.publish(w.a, "routing", "going", "nokia", "xiaomi")
	w.publish(w.a, "routing", "accepted", "xiaomi", "nokia")
	for language, texts := range map[string][]string{
		"zh": {`<html lang="zh">`, "里程碑", "验收通过", "年", "badge.svg?language=zh"},
		"fi": {`<html lang="fi">`, "Välitavoite", "kesken", "badge.svg?language=fi"},
		"xx": {`<html lang="en">`, "Milestone", "in progress"},
	} {
		page := string(w.As("nobody").GET("/public/" + w.a + "?language=" + language + "&utm_source=x").Want(200).body)
		for _, text := range texts {
			require.Contains(t, page, text)
		}
	}
	badge := string(w.As("nobody").GET("/public/" + w.a + "/badge.svg?language=zh").Want(200).body)
	require.Contains(t, badge, "联合里程碑 – 已验收 1/2")
}
