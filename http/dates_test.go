package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A project manager reads why a date moved; each partner sees the moves that are visible to it.
func TestDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dates := w.routing("planned") + "/dates"
	before := w.As("xiaomi").GET(dates).Want(200)
	require.Len(t, before.list("proposed"), 1, "the world has a request about it")
	require.Equal(t, "2017-12-31", before.list("proposed")[0]["due_on"])

	w.As("nokia").POST(w.routing("planned")+"/forecast", object{"on": "2031-05-05", "audience": "private"}).Want(200)
	w.As("nokia").POST(w.routing("planned")+"/comment", object{"text": "hm", "audience": "private"}).Want(200)
	w.As("xiaomi").With("If-None-Match", before.etag()).GET(dates).Want(304)
	own := w.As("nokia").GET(dates).Want(200).list("forecasts")
	require.Len(t, own, 1)
	require.NotEmpty(t, own[0]["at"])
	delete(own[0], "at")
	require.Equal(t, object{"partner": "nokia", "on": "2031-05-05", "from": nil, "reason": "", "private": true}, own[0])

	w.As("xiaomi").POST(w.at(w.a, "routing")+"/changes/1/approve", nil).Want(200)
	after := w.As("xiaomi").With("If-None-Match", before.etag()).GET(dates).Want(200)
	require.Empty(t, after.list("proposed"))
	agreed := after.list("agreed")
	require.Len(t, agreed, 1)
	require.Equal(t, "2017-12-31", agreed[0]["on"])
	require.EqualValues(t, 1, agreed[0]["change"])
	require.NotEmpty(t, agreed[0]["reason"])
	require.Equal(t, "2017-12-31", after.get("baseline_on"))
	w.As("xiaomi").GET(dates+"?limit=1").Refused(400, "unknown_parameter")
}

func TestTrend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trend := w.at(w.a, "routing") + "/trend"
	var told []string
	for next := "?limit=4"; next != ""; {
		a := w.As("xiaomi").GET(trend + next).Want(200)
		for _, d := range a.list("milestones") {
			told = append(told, d["milestone"].(string))
		}
		next, _ = a.get("next_cursor").(string)
		if next != "" {
			next = "?limit=4&cursor=" + next
		}
	}
	var listed []string
	for _, m := range w.As("xiaomi").GET(w.at(w.a, "routing") + "/milestones").Want(200).list("milestones") {
		listed = append(listed, m["id"].(string))
	}
	require.Equal(t, listed, told, "its own private one, and none of nokia's")
	rejected := w.As("nokia").GET(trend + "?state=in_progress&role=owner").Want(200).list("milestones")
	for _, d := range rejected {
		if d["milestone"] != "rejected" {
			continue
		}
		round := d["actual"].([]any)[0].(object)
		require.Equal(t, "2017-09-04", round["delivered_on"])
		require.Equal(t, "2017-09-04", round["rejected_on"])
		require.Len(t, round["reasons"], 1)
		return
	}
	require.Fail(t, "the rejected milestone is not told")
}
