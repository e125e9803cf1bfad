package http

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attempt is one request of an actor to a route at a place.
type attempt struct {
	actor actor
	route *route
	row   row
	place place
}

// attempts makes them from the route table: every actor on every route at every place that the
// route's parameters can name. A route without a row fails, and so does a row without a route.
func (w *world) attempts() []attempt {
	w.t.Helper()
	rows, table := w.rows(), routes()
	var list []attempt
	for _, rt := range table {
		r, known := rows[rt.operationID]
		require.True(w.t, known, "%s %s has no row that says who may see and do it", rt.method, rt.path)
		require.Equal(w.t, rt.body != nil, r.does != nil, "the row of %s says that it writes, or does not", rt.operationID)
		delete(rows, rt.operationID)
		places := w.placesOf(rt)
		require.NotEmpty(w.t, places, "nothing fits %s", rt.path)
		for _, a := range w.actors() {
			for _, p := range places {
				list = append(list, attempt{a, rt, r, p})
			}
		}
	}
	require.Empty(w.t, rows, "these rows have no route")
	slices.SortStableFunc(list, func(x, y attempt) int { return cmp.Compare(x.order(), y.order()) })
	return list
}

// order sorts reads first and removals last.
func (x attempt) order() int {
	switch {
	case x.row.does == nil:
		return 0
	case x.wanted()[0] >= http.StatusBadRequest:
		return 1
	case x.route.method == http.MethodDelete:
		return 3
	}
	return 2
}

func (x attempt) wanted() []int { return x.row.wanted(x.route, x.actor, x.place) }

func (w *world) placesOf(rt *route) (fitting []place) {
	var names []string
	for _, m := range pathParameter.FindAllStringSubmatch(rt.path, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	for _, p := range w.places {
		if slices.Equal(names, slices.Sorted(maps.Keys(p.params))) {
			fitting = append(fitting, p)
		}
	}
	return fitting
}

func (x attempt) path() string {
	path := x.route.path
	for name, id := range x.place.params {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	return path
}

// body replaces the placeholders of a body by the actor's partner and a counterparty.
func (x attempt) body(t testing.TB) any {
	if x.row.body == nil {
		return nil
	}
	me := cmp.Or(x.actor.partner, "nokia")
	other := map[string]string{"nokia": "xiaomi", "xiaomi": "nokia", "zte": "acme", "acme": "zte"}[me]
	if x.place.agreement != "" && !slices.Contains(x.place.readers, other) {
		other = "nokia"
	}
	data := bytes.ReplaceAll(bytesOf(t, x.row.body), []byte("$me"), []byte(me))
	data = bytes.ReplaceAll(data, []byte("$milestone"), []byte(cmp.Or(x.place.milestone, "going")))
	return bytes.ReplaceAll(data, []byte("$other"), []byte(other))
}

// run sends the request and returns the response. All requests have the same id, so that equal responses are equal
// byte for byte.
func (w *world) run(x attempt) *answer {
	w.t.Helper()
	a := w.As(x.actor.name).With("X-Request-Id", "the-same").do(x.route.method, x.path(), x.body(w.t))
	require.Contains(w.t, x.wanted(), a.status, a)
	return a
}

// shows reports whether the response contains the canary.
func (a *answer) shows(c canary, told string) bool {
	if c.id && (strings.Contains(a.path, c.text) || bytes.Contains(a.sent, []byte(c.text))) {
		return false // it repeats the caller's own input
	}
	return strings.Contains(told, c.text)
}

// told returns the whole content of a response: headers, body and decoded values.
func (a *answer) told() string {
	var out strings.Builder
	_ = a.header.Write(&out) // a strings.Builder returns no error
	out.Write(a.body)
	for _, word := range strings.FieldsFunc(out.String(), outsideBase64) {
		if plain, err := base64.RawURLEncoding.DecodeString(word); err == nil && len(word) >= 12 {
			out.WriteString("\n" + string(plain))
		}
	}
	return out.String()
}

func outsideBase64(char rune) bool {
	return char != '-' && char != '_' && (char < '0' || char > '9') && (char < 'A' || char > 'Z') && (char < 'a' || char > 'z')
}

// TestIsolation sends every actor's requests to every route (P10): no response contains invisible data, an invisible
// resource is answered like a nonexistent one byte for byte, and a forbidden request changes no state.
func TestIsolation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attempts := w.attempts()
	leaks, shown := 0, map[string]bool{}
	hidden := map[string]*answer{}
	var before []string
	for n, x := range attempts {
		if x.order() == 2 && (n == 0 || attempts[n-1].order() < 2) {
			require.Equal(t, before, w.positions(), "what was refused has changed nothing")
		}
		a := w.run(x)
		if n == 0 {
			before = w.positions()
		}
		leaks += w.listen(x, a, shown)
		if a.status == http.StatusNotFound || a.status == http.StatusUnauthorized {
			w.alike(hidden, x, a)
		}
	}
	w.requireShown(shown)
	t.Logf("isolation: %d rows, %d leaks", len(attempts), leaks)
	fmt.Printf("isolation: %d rows (%d routes, %d actors), %d leaks\n", len(attempts), len(routes()), len(w.actors()), leaks)
}

// listen counts the canaries that a response must not contain, and records those that it may.
func (w *world) listen(x attempt, a *answer, shown map[string]bool) (leaks int) {
	w.t.Helper()
	told := a.told()
	for _, c := range w.canaries {
		switch there := a.shows(c, told); {
		case there && !c.may(x.actor):
			leaks++
			w.t.Errorf("%s of %v leaks to %s: %s %s\n%s", c.text, c.readers, x.actor.name, x.route.method, x.path(), told)
		case there:
			shown[c.text+" to "+x.actor.name] = true
		}
	}
	return leaks
}

// positions returns the number of visible events per partner, and for the operator.
func (w *world) positions() (all []string) {
	w.t.Helper()
	for _, who := range []string{"operator", "nokia", "xiaomi", "zte", "acme"} {
		all = append(all, w.As(who).GET("/v1/me").Want(200).position())
	}
	return all
}

// alike requires a response to equal all others of its status for that actor and route.
func (w *world) alike(hidden map[string]*answer, x attempt, a *answer) {
	w.t.Helper()
	key := fmt.Sprint(a.status, x.actor.name, x.route.operationID)
	first := hidden[key]
	if first == nil {
		hidden[key] = a
		return
	}
	require.Equal(w.t, string(first.body), string(a.body), "%s\n%s", first, a)
	require.Equal(w.t, withoutDate(first.header), withoutDate(a.header), "%s\n%s", first, a)
}

func withoutDate(header http.Header) http.Header {
	header = header.Clone()
	header.Del("Date")
	return header
}

// requireShown checks that the canaries work: each is shown to every partner that may see it.
func (w *world) requireShown(shown map[string]bool) {
	w.t.Helper()
	for _, c := range w.canaries {
		for _, partner := range c.readers {
			if c.id && partner == "operator" {
				continue // visible, but not shown on every route
			}
			require.True(w.t, shown[c.text+" to "+partner], "%s is never told to %s", c.text, partner)
		}
	}
}
