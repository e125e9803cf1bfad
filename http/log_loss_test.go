package http

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// copyLog stops the node, copies its log, and starts it again.
func (e *env) copyLog() string {
	e.t.Helper()
	e.stop()
	older := e.store.backup()
	e.start()
	return older
}

// putBack stops the node and starts it on an older copy of its log, with its seen heads and without a snapshot, as
// after a kill.
func (e *env) putBack(older string) {
	e.t.Helper()
	e.stop()
	e.store.restore(older)
	require.NoError(e.t, os.Remove(filepath.Join(e.dir, "image.snapshot")))
	e.start()
}

func atAgreement(id string) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(id)}.Root())
}

func atPartner(id string) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Partner: domain.PartnerID(id)}.Root())
}

// loseHistory creates a world in which agreement a and the directory of acme have lost an event each.
func loseHistory(t *testing.T) (*world, map[eventlog.Partition]bool) {
	t.Helper()
	w := newWorld(t)
	older := w.copyLog()
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "lost"}).Want(200)
	w.As("acme").PATCH("/v1/partners/acme", object{"country": "NO"}).Want(200)
	w.putBack(older)
	return w, map[eventlog.Partition]bool{atAgreement(w.a): true, atPartner("acme"): true}
}

// hit reports whether the response to a request depends on a lost partition, or on the actor's own directory if that
// is lost.
func (w *world) hit(x attempt, lost map[eventlog.Partition]bool) bool {
	if x.actor.partner != "" && lost[atPartner(x.actor.partner)] {
		return true
	}
	switch x.route.operationID {
	case "listPartners", "listAgreements", "listPartnerMilestones", "getPartnerStatus", "getInbox", "listPartnerEvents":
		return w.partOf(x, lost)
	case "listContacts": // nokia and xiaomi are contacts
		other := map[string]string{"nokia": "xiaomi", "xiaomi": "nokia"}[x.actor.partner]
		return other != "" && lost[atPartner(other)] && x.actor.partner == x.place.params["partner"]
	}
	if a, named := x.place.params["agreement"]; named {
		return lost[atAgreement(a)]
	}
	p, named := x.place.params["partner"]
	return named && lost[atPartner(p)]
}

// partOf covers routes over all of the actor's agreements.
func (w *world) partOf(x attempt, lost map[eventlog.Partition]bool) bool {
	for _, p := range w.places {
		if p.agreement != "" && isReader(x.actor, p) && lost[atAgreement(p.agreement)] {
			return true
		}
		if one := p.params["partner"]; x.route.operationID == "listPartners" && one != "" && w.knowsPartner(x.actor, p) && lost[atPartner(one)] {
			return true
		}
	}
	return false
}

// TestLostHistory puts an older copy of the log in place. Resources that depend on the loss are not served to their
// readers; all other responses are those from before, including the 404 of nonexistent resources.
func TestLostHistory(t *testing.T) {
	t.Parallel()
	w, lost := loseHistory(t)
	require.Len(t, w.image.OpenLosses(), 2)
	hidden, refused, served := map[string]*answer{}, 0, 0
	for _, x := range w.attempts() {
		wanted, hit := x.wanted(), w.hit(x, lost)
		if x.route.anonymous || x.route.uncached || x.route.operationID == "getCommand" || (x.row.does != nil && !hit) {
			continue
		}
		a := w.As(x.actor.name).With("X-Request-Id", "the-same").do(x.route.method, x.path(), x.body(t))
		switch {
		case wanted[0] == http.StatusUnauthorized:
			a.Want(http.StatusUnauthorized)
		case hit && (wanted[0] != http.StatusNotFound || lost[atPartner(x.actor.partner)]):
			a.Refused(http.StatusServiceUnavailable, "history_lost")
			require.Equal(t, "60", a.header.Get("Retry-After"))
			refused++
			continue
		default:
			require.Contains(t, wanted, a.status, a)
			served++
		}
		if a.status == http.StatusNotFound || a.status == http.StatusUnauthorized {
			w.alike(hidden, x, a)
		}
	}
	require.Greater(t, refused, 100)
	require.Greater(t, served, 100)
}

// TestRoutesDeclareDependencies: a route that depends on more than its path must declare it; otherwise it would
// silently omit lost data.
func TestRoutesDeclareDependencies(t *testing.T) {
	own := reflect.ValueOf(visibility(ownPartner)).Pointer()
	narrow := []string{"getMe", "createPartner", "draftAgreement", "getCommand"} // these check it themselves
	for _, rt := range routes() {
		named := strings.Contains(rt.path, "{agreement}") || strings.Contains(rt.path, "{partner}")
		if rt.anonymous || rt.uncached || slices.Contains(narrow, rt.operationID) || named && reflect.ValueOf(rt.visibleTo).Pointer() != own {
			continue
		}
		require.NotNil(t, rt.dependsOn, "%s is not over anything; see route.over", rt.operationID)
	}
}

// TestLossIsReported checks that the operator's routes name the loss.
func TestLossIsReported(t *testing.T) {
	t.Parallel()
	w, lost := loseHistory(t)
	probe := w.As("nobody").GET("/readyz").Refused(503, "not_ready").text("detail")
	counted := string(w.As("nobody").GET("/metrics").Want(200).body)
	require.Contains(t, counted, "tandem_log_lost_partitions 2\n")
	for partition := range lost {
		head := w.image.Head(partition).Seq
		require.Contains(t, probe, fmt.Sprintf("partition %d lost commits %d to %d", partition, head+1, head+1))
		require.Contains(t, counted, fmt.Sprintf(`tandem_log_lost{partition="%02d"} 1`, partition))
	}
	require.NoError(t, w.image.Health())
	w.As("nobody").GET("/livez").Want(200)
}

// TestLostPartitionRefusesCreations refuses creations whose path does not name the lost partition, and reads of commands
// in it.
func TestLostPartitionRefusesCreations(t *testing.T) {
	t.Parallel()
	w, lost := loseHistory(t)
	operator := w.As("operator")
	agreement := object{
		"title": "New", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01",
		"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}
	partner := object{"name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}
	for n := range 300 {
		id := fmt.Sprintf("new-%d", n)
		agreement["id"], partner["id"] = id, id
		if lost[atAgreement(id)] {
			operator.Key("k").POST("/v1/agreements", agreement).Refused(503, "history_lost")
		}
		if lost[atPartner(id)] {
			operator.Key("k").POST("/v1/partners", partner).Refused(503, "history_lost")
		}
	}
	agreement["id"] = "new-in-" + healthy(lost)
	operator.POST("/v1/agreements", agreement).Want(201)
}

// healthy returns an id part that places an agreement in an intact partition.
func healthy(lost map[eventlog.Partition]bool) string {
	for n := 0; ; n++ {
		if word := fmt.Sprint(n); !lost[atAgreement("new-in-"+word)] {
			return word
		}
	}
}

// TestLossEndsWaitingReads ends the waiting reads that a loss concerns, and no others.
func TestLossEndsWaitingReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	xiaomi, three := w.As("xiaomi"), w.at(w.three)+"/events"
	held := xiaomi.GET(w.routing("going")).Want(200)
	stream, other := xiaomi.stream(t, w.at(w.a)+"/events"), xiaomi.stream(t, three)
	stream.take(len(xiaomi.GET(w.at(w.a) + "/events?limit=200").Want(200).elements()))
	other.take(len(xiaomi.GET(three + "?limit=200").Want(200).elements()))
	polled := make(chan *answer, 1)
	go func() { polled <- xiaomi.With("If-None-Match", held.etag()).GET(w.routing("going") + "?wait=60") }()
	w.untilWaiting(3)
	key := xiaomi.Key("once").POST(w.routing("going")+"/comment", object{"text": "one"})
	key.Want(200)
	(<-polled).Want(200)
	stream.take(1)
	w.commands.lose.Store(true)
	pending := w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "two"}).Refused(503, "outcome_unknown").location()
	w.commands.lose.Store(false)
	stream.take(1)
	w.As("nokia").GET(pending).Want(200)
	go func() {
		polled <- xiaomi.With("If-None-Match", xiaomi.GET(w.routing("going")).etag()).GET(w.routing("going") + "?wait=60")
	}()
	w.untilWaiting(3)

	head := w.image.Head(atAgreement(w.a))
	known := eventlog.Head{Seq: head.Seq + 5, Hash: head.Hash}
	require.NoError(t, w.log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: atAgreement(w.a), Known: known, Stored: head}))
	(<-polled).Refused(503, "history_lost")
	_, more := stream.next()
	require.False(t, more, "the stream has ended")
	w.As("nokia").GET(pending).Refused(503, "history_lost")
	xiaomi.Key("once").POST(w.routing("going")+"/comment", object{"text": "one"}).Refused(503, "history_lost")
	xiaomi.With("If-None-Match", held.etag()).GET(w.routing("going")).Refused(503, "history_lost")
	w.As("acme").GET(pending).Refused(404, "not_found")

	w.As("zte").POST(w.at(w.three, "radio", "field")+"/comment", object{"text": "here"}).Want(200)
	require.Equal(t, "milestone.commented", other.take(1)[0].kind, "the other agreement goes on")
	w.As("nokia-limited").GET("/v1/partners/nokia/status").Want(200)
	w.As("nokia").GET("/v1/partners/nokia/status").Refused(503, "history_lost")
}

// TestAcceptedLoss continues with the rest of the log. Earlier positions and versions are refused where they may
// refer to lost data.
func TestAcceptedLoss(t *testing.T) {
	t.Parallel()
	w, lost := loseHistory(t)
	for partition := range lost {
		require.NoError(t, w.log.AcceptLoss(t.Context(), partition))
	}
	require.ErrorIs(t, w.image.WaitHead(t.Context(), atPartner("zte"), 1<<40), projections.ErrEpoch)
	w.restart()
	require.Empty(t, w.image.OpenLosses())
	w.As("nobody").GET("/readyz").Want(200)
	require.Contains(t, string(w.As("nobody").GET("/metrics").Want(200).body), "tandem_log_lost_partitions 0\n")
	nokia, events := w.As("nokia"), w.at(w.a)+"/events"
	old := "1." + w.a + ".3"
	nokia.GET(events+"?after="+old).Refused(410, "position_lost")
	nokia.GET(w.routing("going")+"/history?after="+old).Refused(410, "position_lost")
	nokia.GET("/v1/partners/nokia/events?after="+old).Refused(410, "position_lost")
	nokia.With("Accept", "text/event-stream").With("Last-Event-ID", old).GET(events).Refused(410, "position_lost")
	nokia.With("Tandem-Min-Position", old).GET(w.routing("going")).Refused(410, "position_lost")
	nokia.With("Tandem-Min-Position", old).GET("/v1/me").Refused(410, "position_lost")
	acme := w.As("acme")
	acme.GET(events+"?after="+old).Refused(404, "not_found")
	acme.With("Tandem-Min-Position", old).GET(events).Refused(404, "not_found")
	acme.With("Tandem-Min-Position", "1.@acme.1").GET("/v1/partners/acme").Refused(410, "position_lost")

	now := nokia.GET(w.routing("going")).Want(200)
	require.True(t, strings.HasPrefix(now.position(), "2."+w.a+"."))
	require.True(t, strings.HasPrefix(now.etag(), `"2.`), "two losses were accepted")
	_, version, _ := strings.Cut(now.etag(), ".")
	nokia.With("If-Match", `"`+version).POST(w.routing("going")+"/comment", object{"text": "x"}).Refused(412, "version_mismatch")
	nokia.With("If-Match", `"0.`+version).POST(w.routing("going")+"/comment", object{"text": "x"}).Refused(400, "invalid_if_match")
	xiaomi := w.As("xiaomi")
	before := xiaomi.GET(w.routing("going")).Want(200).position()
	nokia.With("If-Match", now.etag()).POST(w.routing("going")+"/comment", object{"text": "x"}).Want(200)
	seen := xiaomi.With("Tandem-Min-Position", "latest").GET(events + "?after=" + before).Want(200)
	require.Len(t, seen.elements(), 1)
	nokia.With("Tandem-Min-Position", nokia.GET("/v1/me").position()).GET("/v1/partners/nokia/status").Want(200)
	end := nokia.GET("/v1/partners/nokia/events?limit=200").Want(200).text("next_cursor")
	require.Empty(t, nokia.GET("/v1/partners/nokia/events?after="+end).Want(200).elements())
	three := "1." + w.three + ".1"
	nokia.GET(w.at(w.three) + "/events?after=" + three).Want(200)

	w.clock.advance(time.Second)
	w.restart()
	require.Empty(t, w.image.OpenLosses(), "marks and snapshot are of the new epoch")
	nokia.GET(events+"?after="+old).Refused(410, "position_lost")
}

// TestStale refuses everything but probes and documentation while the node does not read the log.
func TestStale(t *testing.T) {
	t.Parallel()
	var fault error
	e := newEnv(t, func(c *Config) { c.Fresh = func() error { return fault } })
	e.As("operator").GET("/v1/partners").Want(200)
	fault = errors.New("this node has not heard from the log for 3 s")
	for _, who := range []string{"operator", "stranger"} {
		a := e.As(who).GET("/v1/partners").Refused(503, "stale")
		require.Contains(t, a.text("detail"), fault.Error())
		require.Equal(t, "1", a.header.Get("Retry-After"))
		e.As(who).GET("/v1/nothing").Refused(503, "stale")
	}
	e.As("nobody").GET("/v1/partners").Refused(401, "unauthenticated")
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"} {
		e.As("nobody").GET(path).Want(200)
	}
	fault = nil
	e.As("operator").GET("/v1/partners").Want(200)
}

// TestFullLog refuses new partners and agreements while the log is full; others can still be changed. Only the
// operator sees the reason.
func TestFullLog(t *testing.T) {
	t.Parallel()
	var fault error
	w := newWorld(t, func(c *Config) { c.AcceptNew = func() error { return fault } })
	fault = errors.New("the server uses 95 % of its memory")
	agreement := object{
		"title": "New", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01",
		"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}
	partner := object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}
	require.Equal(t, fault.Error(), w.As("operator").POST("/v1/partners", partner).Refused(503, "log_full").text("detail"))
	require.Equal(t, fault.Error(), w.As("operator").Key("k").POST("/v1/agreements", agreement).Refused(503, "log_full").text("detail"))
	require.NotContains(t, w.As("nokia").POST("/v1/agreements", agreement).Refused(503, "log_full").told(), "memory")
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "x"}).Want(200)
	fault = nil
	w.As("operator").POST("/v1/partners", partner).Want(201)
	w.As("operator").Key("k").POST("/v1/agreements", agreement).Want(201)
}
