package http

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
)

// addDeadLetters creates dead letters with messages that are confidential under agreement a.
func (w *world) addDeadLetters() {
	w.t.Helper()
	none := func() string { return w.canary(w.a) } // a canary without readers
	id := func(n byte) string { return eventlog.CommandID{0xde, n}.String() }
	for id, payload := range map[string]string{
		"an/odd id": none(),
		id(1):       `{"name":"milestone.comment","command":{"Text":"` + none() + `"},"actor":{"partner":"nokia","role":"manager"},"today":"` + none() + `"}`,
		id(2):       `{"name":"` + none() + `","command":{"` + none() + `":["` + none() + `"]},"today":null}`,
		id(3):       `["` + none() + `"]`,
	} {
		partition := w.bury(w.a, id, payload)
		w.place(place{params: map[string]string{"partition": strconv.Itoa(int(partition)), "letter": url.PathEscape(id)}, readers: []string{"operator"}})
	}
	p := strconv.Itoa(int(partitionOf(w.a)))
	for _, params := range []map[string]string{
		{"partition": p, "letter": "nothing"},
		{"partition": "0" + p, "letter": id(3)},
		{"partition": "64", "letter": id(3)},
		{"partition": "nothing", "letter": id(3)},
	} {
		w.place(place{params: params})
	}
}

func partitionOf(agreement string) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(agreement)}.Root())
}

// bury sends an undecodable message to an agreement's partition and waits until it is a dead letter.
func (e *env) bury(agreement, id, payload string) eventlog.Partition {
	e.t.Helper()
	partition := partitionOf(agreement)
	require.NoError(e.t, e.log.Send(e.t.Context(), eventlog.Topic(partition), eventlog.Message{ID: id, Payload: []byte(payload)}))
	_, err := e.commands.Do(e.t.Context(), bus.Request{ // refused after it in the same queue
		ID: eventlog.CommandID{0xff}, Command: domain.SignAgreement{AgreementID: domain.AgreementID(agreement)}, Actor: domain.Actor{Role: domain.Operator},
	})
	require.NoError(e.t, err)
	return partition
}

const commented = `{"name":"milestone.comment","command":{"Text":"secret"},"actor":{"partner":"nokia","member":"nokia-manager","role":"manager"},"today":"never","requested_at":"2017-09-04T08:00:00Z"}`

func TestDeadLetterWithoutContent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first := eventlog.CommandID{1}.String()
	partition := e.bury("a", first, commented)
	e.clock.advance(time.Minute)
	e.bury("a", "second", "secret")
	list := e.As("operator").GET("/v1/deadletters").Want(200).list("dead_letters")
	require.Len(t, list, 2)
	require.Regexp(t, `^envelope: .* "/today": "…" is not a date such as 2018-03-30$`, list[0]["reason"])
	delete(list[0], "reason")
	require.Equal(t, []object{
		{"partition": float64(partition), "id": first, "at": "2017-09-04T08:00:00Z", "size": float64(len(commented))},
		{
			"partition": float64(partition), "id": "second", "at": "2017-09-04T08:01:00Z", "size": 6.,
			"reason": `command id "second": want 32 hexadecimal digits`,
		},
	}, list)

	one := e.As("operator").GET(fmt.Sprintf("/v1/deadletters/%d/%s", partition, first)).Want(200)
	require.Equal(t, object{
		"envelope": true, "command": "milestone.comment", "partner": "nokia", "member": "nokia-manager", "role": "manager",
		"requested_at": "2017-09-04T08:00:00Z", "command_size": float64(len(`{"Text":"secret"}`)), "sha256": nil,
	}, one.get("payload"))
	one = e.As("operator").GET(fmt.Sprintf("/v1/deadletters/%d/second", partition)).Want(200)
	require.Equal(t, object{
		"envelope": false, "command": nil, "partner": nil, "member": nil, "role": nil, "requested_at": nil, "command_size": nil,
		"sha256": fmt.Sprintf("%x", sha256.Sum256([]byte("secret"))),
	}, one.get("payload"))
}

func TestDeadLettersInParts(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for range 5 {
		e.bury("a", "the same id", "{")
		e.bury("b", "the same id", "{")
	}
	told, path := 0, "/v1/deadletters?limit=3"
	for path != "" {
		a := e.As("operator").GET(path).Want(200)
		told += len(a.list("dead_letters"))
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	require.Equal(t, 10, told)
	e.As("operator").GET("/v1/deadletters?limit=0").Refused(422, "invalid_field")
	e.As("operator").GET("/v1/deadletters?wait=1").Refused(400, "unknown_parameter")
}

// letterbox is a log and a bus with fixed contents.
type letterbox struct {
	Operations
	letters  []eventlog.DeadLetter // of partition 7
	status   eventlog.Status
	asked    int
	err      error
	replayed eventlog.DeadLetter
	result   bus.Result
	fault    error
}

func (b *letterbox) Owns(partition eventlog.Partition) bool {
	return partition == 3 || partition == 4 || partition == 5
}

func (b *letterbox) Status(ctx context.Context) (eventlog.Status, error) {
	b.asked++
	return b.status, errors.Join(b.err, ctx.Err())
}

func (b *letterbox) DeadLetters(_ context.Context, partition eventlog.Partition) ([]eventlog.DeadLetter, error) {
	if partition != 7 {
		return nil, b.err
	}
	return b.letters, b.err
}

func (b *letterbox) Replay(_ context.Context, _ eventlog.Partition, stored eventlog.DeadLetter) (eventlog.CommandID, bus.Result, error) {
	b.replayed = stored
	return eventlog.CommandID{0xab}, b.result, b.fault
}

func newLetterbox(t *testing.T) (*letterbox, *edge) {
	t.Helper()
	b := &letterbox{}
	return b, newEdge(t, func(c *Config) { c.Operations = b })
}

func TestDeadLettersWithOddIDs(t *testing.T) {
	b, e := newLetterbox(t)
	long := strings.Repeat("x", 300)
	ids := []string{
		"plain", "a/b", "with space", "100%", "%2F", "ü", "\xff\x00", "", ".", "..", "../../me", "a?b#c", "a+b", "replay",
		long, "line\nbreak", "\x1b[31mred", fmt.Sprintf("sha256-%x", sha256.Sum256(nil)) + "x",
	}
	for i, id := range ids {
		for n := range 2 {
			b.letters = append(b.letters, eventlog.DeadLetter{ID: id, Reason: strconv.Itoa(i), At: e.now.Add(time.Duration(n)), Payload: make([]byte, n)})
		}
	}
	var list api.DeadLetters
	w := e.get("/v1/deadletters?limit=200")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
	require.Len(t, list.DeadLetters, 2*len(ids))
	seen := map[string]bool{}
	for _, l := range list.DeadLetters {
		require.Regexp(t, `^[!-~]{1,600}$`, l.ID, "it can be printed and typed")
		w := e.get("/v1/deadletters/7/" + l.ID)
		require.Equal(t, http.StatusOK, w.Code, "%q: %s", l.ID, w.Body)
		var one api.OneDeadLetter
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &one))
		require.Equal(t, l.ID, one.ID)
		require.Equal(t, l.Reason, one.Reason)
		require.Equal(t, 1, one.Size, "the newest")
		b.replayed = eventlog.DeadLetter{}
		w = e.do(e.api.Handler(), http.MethodPost, "/v1/deadletters/7/"+l.ID+"/replay", "")
		require.Equal(t, http.StatusOK, w.Code, "%q: %s", l.ID, w.Body)
		require.Equal(t, l.ID, deadLetterPathID(b.replayed.ID))
		require.Equal(t, l.Reason, b.replayed.Reason)
		seen[l.ID] = true
	}
	require.Len(t, seen, len(ids), "no two have the same name")
}

func TestReasonsInAList(t *testing.T) {
	for reason, wanted := range map[string]string{
		"":                                 "",
		"one":                              "one",
		"panic: one\ngoroutine 7":          "panic: one",
		"\n  one\n":                        "one",
		strings.Repeat("ü", 200):           strings.Repeat("ü", 200),
		strings.Repeat("ü", 201) + "\ntwo": strings.Repeat("ü", 199) + "…",
	} {
		require.Equal(t, wanted, firstLine(reason))
	}
}

func TestReplay(t *testing.T) {
	secretive := &domain.Error{Kind: domain.Conflict, Code: "wrong_state", Detail: "our secret", Fields: []domain.FieldError{{Field: "text", Message: "secret"}}}
	dead := &domain.Error{Kind: domain.Internal, Code: "unreadable_command", Detail: "It is kept."}
	for name, c := range map[string]struct {
		result bus.Result
		fault  error
		status int
		state  string
		code   string
	}{
		"done":        {bus.Result{Seq: 4}, nil, 200, "done", ""},
		"rejected":    {bus.Result{Rejection: secretive}, nil, 200, "rejected", "wrong_state"},
		"dead":        {bus.Result{Rejection: dead}, nil, 200, "dead", "unreadable_command"},
		"slow":        {bus.Result{}, fmt.Errorf("%w: %w: %w", bus.ErrOutcomeUnknown, bus.ErrPending, context.DeadlineExceeded), 200, "pending", ""},
		"stopping":    {bus.Result{}, fmt.Errorf("%w: %w: it stops", bus.ErrOutcomeUnknown, bus.ErrPending), 200, "pending", ""},
		"stopped":     {bus.Result{}, fmt.Errorf("%w: no space left", bus.ErrOutcomeUnknown), 503, "", "outcome_unknown"},
		"unavailable": {bus.Result{}, bus.ErrUnavailable, 503, "", "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			b, e := newLetterbox(t)
			b.letters = []eventlog.DeadLetter{{ID: "m"}}
			b.result, b.fault = c.result, c.fault
			w := e.do(e.api.Handler(), http.MethodPost, "/v1/deadletters/7/m/replay", "")
			require.Equal(t, c.status, w.Code, w.Body)
			require.NotContains(t, w.Body.String(), "secret")
			if c.status != 200 {
				require.Contains(t, w.Body.String(), c.code)
				require.Equal(t, c.code == "unavailable", w.Header().Get("Retry-After") != "", "a repeat would do it twice")
				return
			}
			var out api.Replayed
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
			require.Equal(t, c.state, out.State)
			require.Equal(t, eventlog.CommandID{0xab}.String(), out.Command)
			require.Equal(t, c.code == "", out.Problem == nil)
			if out.Problem != nil {
				require.Equal(t, c.code, out.Problem.Code)
			}
		})
	}
}

func TestReplayedCommandIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := len(w.As("nokia").GET(w.routing("going") + "/history").list("events"))
	name, command, err := domain.EncodeCommand(domain.CommentMilestone{
		MilestoneRef: domain.MilestoneRef{Agreement: domain.AgreementID(w.a), Project: "routing", Milestone: "going"}, Text: "late",
	})
	require.NoError(t, err)
	sent := fmt.Sprintf(`{"name":"%s","command":%s,"actor":{"partner":"nokia","member":"pm","role":"manager"},"today":"2017-09-04","requested_at":"2017-09-04T08:00:00Z"}`, name, command)
	partition := w.bury(w.a, "came too early", sent) // decodable, under an id that no command has
	path := fmt.Sprintf("/v1/deadletters/%d/%s/replay", partition, url.PathEscape("came too early"))
	w.As("operator").Key("k").POST(path, nil).Refused(400, "header_not_taken")
	w.As("operator").With("If-Match", `"0-ab"`).POST(path, nil).Refused(400, "header_not_taken")
	w.As("operator").POST(path, object{}).Refused(400, "invalid_json")
	w.As("operator").POST(path+"?again=1", nil).Refused(400, "unknown_parameter")
	require.Len(t, w.As("nokia").GET(w.routing("going")+"/history").list("events"), before)
	a := w.As("operator").With("Prefer", "wait=9").POST(path, nil).Want(200)
	require.Equal(t, "done", a.get("state"))
	require.Equal(t, "wait=9", a.header.Get("Preference-Applied"))
	events := w.As("nokia").GET(w.routing("going") + "/history").list("events")
	require.Len(t, events, before+1)
	require.Equal(t, "nokia", events[before]["partner"], "it is still its sender's")
	require.Len(t, w.As("operator").GET("/v1/deadletters").list("dead_letters"), 5, "the letter stays")
}

func TestLogThatDoesNotAnswer(t *testing.T) {
	b, e := newLetterbox(t)
	b.err = errors.New("connection refused at 10.0.0.7")
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/log", ""},
		{"GET", "/v1/deadletters", ""},
		{"GET", "/v1/deadletters/7/m", ""},
		{"POST", "/v1/deadletters/7/m/replay", ""},
		{"POST", "/v1/log/accept-loss", `{"partitions":[7]}`},
	} {
		w := e.do(e.api.Handler(), c.method, c.path, c.body)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, c)
		require.Contains(t, w.Body.String(), `"log_unreachable"`)
		require.NotContains(t, w.Body.String(), "10.0.0.7")
	}
}

// TestNodeWithoutOperations serves the routes on a node without Operations.
func TestNodeWithoutOperations(t *testing.T) {
	e := newEdge(t)
	for _, rt := range slices.Concat(logRoutes(), deadLetterRoutes()) {
		w := e.do(e.api.Handler(), rt.method, strings.NewReplacer("{partition}", "7", "{letter}", "m").Replace(rt.path), "")
		require.Equal(t, http.StatusNotFound, w.Code, rt.path)
	}
	require.NotContains(t, e.get("/metrics").Body.String(), "tandem_log_up")
}
