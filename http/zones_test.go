package http

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zonesWorld has partners in three zones; each owns a milestone of project lab that the others accept.
func zonesWorld(t *testing.T) *world {
	t.Helper()
	w := &world{env: newEnv(t)}
	parties := []string{}
	for p, zone := range map[string]string{"nokia": "Europe/Helsinki", "xiaomi": "Asia/Shanghai"} {
		w.As("operator").POST("/v1/partners", object{"id": p, "name": "Partner " + p, "country": "FI", "time_zone": zone}).Want(201)
		w.tokens[p] = w.As("operator").POST("/v1/partners/"+p+"/tokens", object{"name": "first", "role": "manager"}).Want(201).text("token")
		parties = append(parties, p)
	}
	w.a = "pact"
	w.As("operator").POST("/v1/agreements", object{
		"id": w.a, "title": "Pact", "parties": parties, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201)
	for _, p := range parties {
		w.As(p).POST("/v1/agreements/pact/sign", object{"signatory": "The signatory"}).Want(200)
	}
	w.As("nokia").POST("/v1/agreements/pact/projects", object{
		"id": "lab", "title": "Lab", "stage": "exploring", "decide_by": "2018-06-30", "lead": "nokia", "participants": parties,
	}).Want(201)
	for _, p := range parties {
		w.As(p).POST(w.at(w.a, "lab")+"/milestones", object{"id": "of-" + p, "title": "Of " + p, "owner": p, "due_on": "2018-01-01"}).Want(201)
		w.As(p).POST(w.at(w.a, "lab", "of-"+p)+"/start", nil).Want(200)
	}
	return w
}

// now sets the clock.
func (w *world) now(text string) {
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(w.t, err)
	w.clock.at.Store(at.UnixMicro())
}

// The dates of all actions on a milestone follow its owner's zone, so that no acceptance is dated before its delivery
// and no action a day after it.
func TestDatesFollowTheOwnersZone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		owner, acceptor, delivered, decided string
		dates                               [2]string // of both
	}{
		"in Shanghai after midnight":         {"xiaomi", "nokia", "2017-09-04T16:30:00Z", "2017-09-04T16:40:00Z", [2]string{"2017-09-05", "2017-09-05"}},
		"in Shanghai before midnight":        {"xiaomi", "nokia", "2017-09-04T15:50:00Z", "2017-09-04T15:55:00Z", [2]string{"2017-09-04", "2017-09-04"}},
		"in Helsinki, after it in Shanghai":  {"nokia", "xiaomi", "2017-09-04T16:30:00Z", "2017-09-04T20:45:00Z", [2]string{"2017-09-04", "2017-09-04"}},
		"in Helsinki, delivered at the edge": {"nokia", "xiaomi", "2017-09-04T20:59:00Z", "2017-09-04T21:01:00Z", [2]string{"2017-09-04", "2017-09-05"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := zonesWorld(t)
			at := w.at(w.a, "lab", "of-"+row.owner)
			w.now(row.delivered)
			require.Equal(t, row.dates[0], w.As(row.owner).POST(at+"/deliver", nil).Want(200).text("delivered_on"))
			w.now(row.decided)
			require.Equal(t, row.dates[1], w.As(row.acceptor).POST(at+"/accept", nil).Want(200).text("accepted_on"))
		})
	}
}

// The same holds for a rejection, a dispute and its settlement.
func TestRejectionAndDisputeFollowTheOwnersZone(t *testing.T) {
	t.Parallel()
	w := zonesWorld(t)
	at := w.at(w.a, "lab", "of-xiaomi")
	w.now("2017-09-04T16:30:00Z")
	w.As("xiaomi").POST(at+"/deliver", nil).Want(200)
	acceptance := w.As("nokia").POST(at+"/reject", object{"reasons": []string{"41 h only"}}).Want(200).get("acceptance").(object)
	require.Equal(t, "2017-09-05", acceptance["rejection"].(object)["on"])
	w.As("xiaomi").POST(at+"/dispute", object{"reason": "it is fast"}).Want(200)
	w.As("xiaomi").POST(at+"/settle", object{"outcome": "accepted"}).Want(200)
	require.Equal(t, "2017-09-05", w.As("nokia").POST(at+"/settle", object{"outcome": "accepted"}).Want(200).text("accepted_on"))
}
