package http

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/projections"
)

// R16: what one partner does for itself wakes nobody else: neither a long poll nor an event stream tells by its
// timing that something happened.
func TestPrivateActionsDoNotWakeTheCounterparty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	going := w.routing("going")
	secret := w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{
		"title": "secret plan", "owner": "nokia", "due_on": "2018-01-01", "audience": "private", "instrument": "joint", "schedule_item": "lot",
	}).Want(201).location()
	for name, act := range map[string]func() *answer{
		"comment": func() *answer {
			return w.As("nokia").POST(going+"/comment", object{"text": "x", "audience": "private"})
		},
		"forecast": func() *answer {
			return w.As("nokia").POST(going+"/forecast", object{"on": "2018-09-09", "audience": "private"})
		},
		"assessment": func() *answer {
			return w.As("nokia").POST(going+"/progress", object{"health": "red", "audience": "private"})
		},
		"note": func() *answer {
			return w.As("nokia").PATCH(w.at(w.a)+"/instruments/joint", object{"private_note": "x"})
		},
		"plan": func() *answer {
			return w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{"title": "more", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"})
		},
		"edit":   func() *answer { return w.As("nokia").PATCH(secret, object{"title": "other"}) },
		"cancel": func() *answer { return w.As("nokia").POST(secret+"/cancel", nil) },
		"member": func() *answer {
			return w.As("nokia").POST("/v1/partners/nokia/members", object{"name": "A", "email": "a@b.example", "role": "viewer"})
		},
		"token": func() *answer {
			return w.As("nokia").POST("/v1/partners/nokia/tokens", object{"name": "bot", "role": "viewer"})
		},
		"holidays": func() *answer {
			return w.As("nokia").PATCH("/v1/partners/nokia", object{"holidays": []string{"2018-01-01"}})
		},
		"refusal": func() *answer { return w.As("nokia").POST(going+"/accept", nil) },
	} {
		changed := w.image.Changed(projections.Viewer{Partner: "xiaomi"})
		act()
		select {
		case <-changed:
			require.Fail(t, name+" woke xiaomi")
		default:
		}
	}
	changed := w.image.Changed(projections.Viewer{Partner: "xiaomi"})
	w.As("nokia").POST(going+"/comment", object{"text": "x"}).Want(200)
	<-changed
}
