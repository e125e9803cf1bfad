package http

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/projections"
)

// R16: private actions wake no reader of another partner: neither long polls nor event streams disclose them by
// timing.
func TestPrivateActionsDoNotWakeTheCounterparty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	going := w.routing("going")
	secret := w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{
		"title": "secret plan", "owner": "nokia", "due_on": "2018-01-01", "audience": "private", "instrument": "joint", "schedule_item": "lot",
	}).Want(201).location()
	for _, action := range []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"comment", "POST", going + "/comment", object{"text": "x", "audience": "private"}, 200},
		{"forecast", "POST", going + "/forecast", object{"on": "2018-09-09", "reason": "late optics", "audience": "private"}, 200},
		{"assessment", "POST", going + "/progress", object{"health": "red", "audience": "private"}, 200},
		{"note", "PATCH", w.at(w.a) + "/instruments/joint", object{"private_note": "x"}, 200},
		{"plan", "POST", w.at(w.a, "routing") + "/milestones", object{"title": "more", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}, 201},
		{"edit", "PATCH", secret, object{"title": "other"}, 200},
		{"cancel", "POST", secret + "/cancel", nil, 200},
		{"member", "POST", "/v1/partners/nokia/members", object{"name": "A", "email": "a@b.example", "role": "viewer"}, 201},
		{"token", "POST", "/v1/partners/nokia/tokens", object{"name": "bot", "role": "viewer"}, 201},
		{"holidays", "PATCH", "/v1/partners/nokia", object{"holidays": []string{"2018-01-01"}}, 200},
		{"refused acceptance", "POST", going + "/accept", nil, 403},
	} {
		changed := w.image.Changed(projections.Viewer{Partner: "xiaomi"})
		w.As("nokia").do(action.method, action.path, action.body).Want(action.status)
		select {
		case <-changed:
			require.Failf(t, "a private action woke the counterparty", "%s woke xiaomi", action.name)
		default: // the response comes after the readers have been woken
		}
	}
	changed := w.image.Changed(projections.Viewer{Partner: "xiaomi"})
	w.As("nokia").POST(going+"/comment", object{"text": "x"}).Want(200)
	<-changed
}
