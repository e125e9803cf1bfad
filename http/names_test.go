package http

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
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
