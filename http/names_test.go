package http

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/projections"
)

// name returns the present name of a partner.
func (w *world) name(partner string) string {
	w.t.Helper()
	return w.As("operator").GET("/v1/partners/" + partner).Want(200).text("name")
}

// TestOneOfManyGetsAName renames partners and creates new ones at the same time, to names that look the same.
func TestOneOfManyGetsAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spellings := []string{"Sony", "SONY", "S\u043eny", "So\u200bny", "Sony ", "\uff33\uff4f\uff4e\uff59", "s0ny", "S O N Y"}
	answers := make([]*answer, 0, 2*len(spellings))
	var mu sync.Mutex
	var all sync.WaitGroup
	for n, spelling := range spellings {
		all.Go(func() {
			a := w.As("operator").POST("/v1/partners", object{"id": fmt.Sprintf("new-%d", n), "name": spelling, "country": "JP", "time_zone": "Asia/Tokyo"})
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
		who := []string{"nokia", "xiaomi", "zte", "acme"}[n%4]
		all.Go(func() {
			a := w.As(who).PATCH("/v1/partners/"+who, object{"name": spelling})
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
	}
	all.Wait()
	winners := map[string]bool{}
	for _, a := range answers {
		if a.status == http.StatusConflict {
			a.Refused(409, "name_taken")
			for _, partner := range []string{"nokia", "xiaomi", "zte", "acme", "new-"} {
				require.NotContains(t, strings.ReplaceAll(string(a.body), "name_taken", ""), partner, "a refusal does not disclose the holder")
			}
			continue
		}
		require.Contains(t, []int{200, 201}, a.status, a)
		winners[a.text("id")] = true
	}
	require.Len(t, winners, 1, "one partner has the name, in any of its spellings")
}

// TestNameAfterACrash leaves a reservation without its rename: the outcome of the reservation is lost, as when the node
// ends. The partner can continue, other partners after a day.
func TestNameAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commands.lose.Store(true)
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Sony"}).Refused(503, "outcome_unknown")
	w.commands.lose.Store(false)
	require.NotEqual(t, "Sony", w.name("nokia"))
	xiaomi := w.As("xiaomi")
	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "Sony"}).Refused(409, "name_taken")
	w.clock.advance(23 * time.Hour)
	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "Sony"}).Refused(409, "name_taken")
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Sony"}).Want(200)
	w.clock.advance(48 * time.Hour)
	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "Sony"}).Refused(409, "name_taken")

	w.commands.lose.Store(true)
	w.As("zte").PATCH("/v1/partners/zte", object{"name": "Ericsson"}).Refused(503, "outcome_unknown")
	w.commands.lose.Store(false)
	w.clock.advance(25 * time.Hour)
	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "ERICSSON"}).Want(200)
	w.As("zte").PATCH("/v1/partners/zte", object{"name": "Ericsson"}).Refused(409, "name_taken")
}

// TestFormerNameStaysReserved: older sentences contain a former name, so that no other partner gets it, unless the
// operator has taken it from its holder.
func TestFormerNameStaysReserved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nokia, xiaomi := w.As("nokia"), w.As("xiaomi")
	nokia.PATCH("/v1/partners/nokia", object{"name": "Nokia"}).Want(200)
	nokia.PATCH("/v1/partners/nokia", object{"name": "NOKIA"}).Want(200) // a partner can change the spelling of its name
	nokia.PATCH("/v1/partners/nokia", object{"name": "Nokia Oyj"}).Want(200)
	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "Nokia"}).Refused(409, "name_taken")
	nokia.PATCH("/v1/partners/nokia", object{"name": "Nokia"}).Want(200)

	xiaomi.PATCH("/v1/partners/xiaomi", object{"name": "Sony"}).Want(200)
	w.As("operator").PATCH("/v1/partners/xiaomi", object{"name": "Xiaomi"}).Want(200)
	w.As("operator").POST("/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}).Refused(409, "name_taken")
	w.clock.advance(25 * time.Hour) // the reservation of the partner that used the name
	w.As("operator").POST("/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}).Want(201)
}

// TestNameInBrackets: sentences show a member as "Anna (Nokia)", so no other partner can have such a name.
func TestNameInBrackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Nokia"}).Want(200)
	for _, name := range []string{"Anna (Nokia)", "Anna （NOKIA）", "[N\u043ekia] Anna"} {
		w.As("xiaomi").PATCH("/v1/partners/xiaomi", object{"name": name}).Refused(409, "name_taken")
	}
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Networks (Nokia)"}).Want(200)
	w.As("operator").POST("/v1/partners", object{"id": "nokia-china", "name": "Nokia Shanghai Bell (China)", "country": "CN", "time_zone": "Asia/Shanghai"}).Want(201)
}

// TestDuplicatesOfOlderDataRemain: two partners have the same name in data from before names were reserved. Both can be
// edited, and no third one gets the name.
func TestDuplicatesOfOlderDataRemain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	twin := domain.CreatePartner{
		PartnerID: "twin", Profile: domain.PartnerProfile{Name: w.name("nokia"), Country: "SE", TimeZone: "Europe/Stockholm"},
		Reservation: domain.NameReservation{Keys: []string{"unchecked"}, At: w.clock.Now()},
	}
	w.submit(domain.Actor{Member: "operator", Role: domain.Operator}, twin)
	w.As("operator").PATCH("/v1/partners/twin", object{"country": "NO", "name": w.name("nokia")}).Want(200)
	w.As("nokia").PATCH("/v1/partners/nokia", object{"country": "SE"}).Want(200)
	w.As("xiaomi").PATCH("/v1/partners/xiaomi", object{"name": w.name("nokia")}).Refused(409, "name_taken")
	w.As("operator").PATCH("/v1/partners/twin", object{"name": "Twin"}).Want(200)
	w.As("operator").PATCH("/v1/partners/twin", object{"name": w.name("nokia")}).Refused(409, "name_taken")
}

// submit sends a command to the bus directly.
func (w *world) submit(actor domain.Actor, command domain.Command) {
	w.t.Helper()
	id, err := w.api.derive.randomCommandID()
	require.NoError(w.t, err)
	result, err := w.commands.Do(w.t.Context(), bus.Request{ID: id, Command: command, Actor: actor, Today: domain.DateOf(w.clock.Now()), RequestedAt: w.clock.Now()})
	require.NoError(w.t, err)
	require.Nil(w.t, result.Rejection)
}

// eventsOf returns the events of one type that a partner sees of an agreement.
func (w *world) eventsOf(reader, agreement, eventType string) []object {
	w.t.Helper()
	all := w.As(reader).GET("/v1/agreements/" + agreement + "/events?limit=200").Want(200).list("events")
	return slices.DeleteFunc(all, func(event object) bool { return event["type"] != eventType })
}

// waitForRename waits until an agreement has recorded a rename with the given new name.
func (w *world) waitForRename(reader, agreement, to string) {
	w.t.Helper()
	for {
		changed := w.image.Changed(projections.Viewer{Partner: domain.PartnerID(reader)})
		for _, event := range w.eventsOf(reader, agreement, "agreement.party_renamed") {
			if event["data"].(object)["to"] == to {
				return
			}
		}
		<-changed
	}
}

// TestRenameIsRecordedInEachAgreement: counterparties find the rename in each common agreement and one notice about it.
// Older sentences keep the former name.
func TestRenameIsRecordedInEachAgreement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recordRenames()
	nokia, xiaomi, former := w.As("nokia"), w.As("xiaomi"), w.name("nokia")
	inbox := func(who string) string {
		return string(w.As(who).GET("/v1/partners/" + who + "/inbox?limit=200").Want(200).body)
	}
	nokia.PATCH("/v1/partners/nokia", object{"name": "Nokia Networks"}).Want(200)
	for _, agreement := range []string{w.a, w.three, w.next} {
		w.waitForRename("xiaomi", agreement, "Nokia Networks")
	}
	event := w.eventsOf("xiaomi", w.a, "agreement.party_renamed")[0]
	require.Equal(t, former+" changed its name to Nokia Networks", event["sentence"])
	require.Equal(t, object{"party": "nokia", "number": 1.0, "from": former, "to": "Nokia Networks"}, event["data"])
	signed := w.eventsOf("xiaomi", w.a, "agreement.signed")[0]
	require.Contains(t, signed["sentence"], former, "an older sentence keeps the former name")

	require.Equal(t, 1, strings.Count(inbox("xiaomi"), `"renamed-nokia-1"`), "one notice for all agreements")
	require.Contains(t, inbox("zte"), `"renamed-nokia-1"`)
	require.NotContains(t, inbox("nokia"), `"renamed-nokia-1"`)
	require.NotContains(t, inbox("acme"), "Nokia Networks")
	dismiss := "/v1/partners/xiaomi/notices/renamed-nokia-1/dismiss"
	w.As("xiaomi-viewer").POST(dismiss, nil).Refused(403, "manager_only")
	xiaomi.Key("d").POST(dismiss, nil).Want(204)
	xiaomi.Key("d").POST(dismiss, nil).Want(204)
	xiaomi.POST(dismiss, nil).Refused(404, "not_found")
	w.As("acme").POST("/v1/partners/acme/notices/renamed-nokia-1/dismiss", nil).Refused(404, "not_found")
	require.NotContains(t, inbox("xiaomi"), `"renamed-nokia-1"`)

	w.restart()
	nokia = w.As("nokia")
	nokia.PATCH("/v1/partners/nokia", object{"country": "SE"}).Want(200)
	nokia.PATCH("/v1/partners/nokia", object{"name": former}).Want(200)
	w.recordRenames() // as after a crash: its start finds what is missing
	w.waitForRename("zte", w.three, former)
	require.Len(t, w.eventsOf("zte", w.three, "agreement.party_renamed"), 2, "a rename is recorded once")
	require.Contains(t, inbox("xiaomi"), `"renamed-nokia-2"`)
	require.NotContains(t, inbox("xiaomi"), `"renamed-nokia-1"`)
}

// TestRenamesBeforeAnAgreementAreNotRecorded: an agreement records only renames since its party could see it.
func TestRenamesBeforeAnAgreementAreNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recordRenames()
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Nokia Networks"}).Want(200)
	w.waitForRename("xiaomi", w.a, "Nokia Networks")
	w.clock.advance(time.Second)
	later := w.As("nokia").POST("/v1/agreements", object{
		"title": "Later", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2018-01-01",
		"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201).text("id")
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Nokia Oyj"}).Want(200)
	w.waitForRename("xiaomi", later, "Nokia Oyj")
	w.waitForRename("xiaomi", w.a, "Nokia Oyj")
	require.Len(t, w.eventsOf("xiaomi", later, "agreement.party_renamed"), 1)
	require.Len(t, w.eventsOf("xiaomi", w.a, "agreement.party_renamed"), 2)
}

// TestLeaverDoesNotLearnOfLaterRenames: zte shares only agreement three with nokia, and leaves it.
func TestLeaverDoesNotLearnOfLaterRenames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recordRenames()
	zte, former := w.As("zte"), w.name("nokia")
	zte.POST("/v1/agreements/"+w.three+"/terminate", object{
		"mode": "notice", "reason": "new strategy", "effective_on": w.clock.Now().Format("2006-01-02"),
	}).Want(200)
	w.clock.advance(48 * time.Hour)
	before := zte.GET("/v1/agreements/" + w.three).Want(200)
	w.As("nokia").PATCH("/v1/partners/nokia", object{"name": "Nokia Networks"}).Want(200)
	w.waitForRename("xiaomi", w.three, "Nokia Networks")
	require.Empty(t, w.eventsOf("zte", w.three, "agreement.party_renamed"))
	require.Equal(t, before.etag(), zte.GET("/v1/agreements/"+w.three).Want(200).etag())
	require.Equal(t, former, zte.GET("/v1/partners/nokia").Want(200).text("name"))
	for _, path := range []string{"/v1/partners", "/v1/partners/zte/inbox?limit=200", "/v1/partners/zte/events?limit=200"} {
		require.NotContains(t, string(zte.GET(path).Want(200).body), "Nokia Networks", path)
	}
}
