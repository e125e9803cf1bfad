package http

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tandem/api"
	"tandem/bus"
	"tandem/eventlog"
	"tandem/projections"
)

func deadLetterRoutes() []*route {
	const list, one = "/v1/deadletters", "/v1/deadletters/{partition}/{letter}"
	read := []int{http.StatusOK, http.StatusNotModified}
	return []*route{
		{
			method: http.MethodGet, operationID: "listDeadLetters", path: list, summary: "Messages that could not be read as commands, oldest first",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.DeadLetters{}, query: listParameters(), handle: computed(listDeadLetters),
			uncached: true, success: read,
		},
		{
			method: http.MethodGet, operationID: "getDeadLetter", path: one, summary: "One of them: the newest with that id",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.OneDeadLetter{}, handle: computed(getDeadLetter), uncached: true, success: read,
		},
		{
			method: http.MethodPost, operationID: "replayDeadLetter", path: one + "/replay",
			summary: "Send its payload again as a new command, for when the program can read it now; every time it is done again",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.Replayed{}, body: &bodyHandler{run: replayDeadLetter, honoursPrefer: true}, uncached: true,
			success: []int{http.StatusOK},
		},
	}
}

// deadLetter is a dead letter with its place, which tells those of one id apart.
type deadLetter struct {
	eventlog.DeadLetter
	partition eventlog.Partition
	number    int // in its partition
}

func (l deadLetter) key() string {
	return fmt.Sprintf("%020d %02d %010d", l.At.UnixMicro(), l.partition, l.number)
}

func listDeadLetters(req *call) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(req.request.Context(), logTimeout)
	defer cancel()
	var all []deadLetter
	for partition := range eventlog.Partition(eventlog.Partitions) {
		letters, err := req.deadLettersIn(ctx, partition)
		if err != nil {
			return projections.Answer{}, err
		}
		all = append(all, letters...)
	}
	slices.SortFunc(all, func(a, b deadLetter) int { return cmp.Compare(a.key(), b.key()) })
	page, next := paginate(query, all, deadLetter.key)
	if err := query.err(); err != nil {
		return projections.Answer{}, err
	}
	out := api.DeadLetters{DeadLetters: []api.DeadLetter{}, NextCursor: next}
	for _, letter := range page {
		out.DeadLetters = append(out.DeadLetters, api.DeadLetter{
			Partition: int(letter.partition), ID: deadLetterPathID(letter.ID), At: letter.At, Size: len(letter.Payload), Reason: firstLine(bus.SummarizeDeadLetter(letter.DeadLetter).Reason),
		})
	}
	return projections.Answer{Body: out}, nil
}

func (c *call) deadLettersIn(ctx context.Context, partition eventlog.Partition) ([]deadLetter, error) {
	stored, err := c.cfg.Operations.DeadLetters(ctx, partition)
	if err != nil {
		return nil, c.logUnreachable(err)
	}
	letters := make([]deadLetter, len(stored))
	for i, stored := range stored {
		letters[i] = deadLetter{stored, partition, i}
	}
	return letters, nil
}

// firstLine cuts a reason to what fits into a list. A panic's goes on with its stack.
func firstLine(reason string) string {
	const limit = 200
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	if runes := []rune(line); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return line
}

// maxPathID is how long an id may be in a path, in bytes before it is encoded.
const maxPathID = 200

// deadLetterPathID writes a message's id, which may be any bytes, as a segment of a path.
func deadLetterPathID(id string) string {
	switch {
	case id == "", id == ".", id == "..", len(id) > maxPathID: // empty, taken for a step, or refused on the way
		sum := sha256.Sum256([]byte(id))
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	return url.PathEscape(id)
}

// deadLetterInPath finds the letter that the path names, the newest of its id.
func (c *call) deadLetterInPath() (deadLetter, error) {
	number, err := strconv.ParseUint(c.echoCtx.Param("partition"), 10, 8)
	if err != nil || number >= eventlog.Partitions || strconv.FormatUint(number, 10) != c.echoCtx.Param("partition") {
		return deadLetter{}, errNotFound
	}
	id := c.echoCtx.Param("letter")
	if c.request.URL.RawPath != "" { // else Echo has it unescaped
		if id, err = url.PathUnescape(id); err != nil {
			return deadLetter{}, errNotFound
		}
	}
	ctx, cancel := context.WithTimeout(c.request.Context(), logTimeout)
	defer cancel()
	all, err := c.deadLettersIn(ctx, eventlog.Partition(number))
	if err != nil {
		return deadLetter{}, err
	}
	for _, letter := range slices.Backward(all) {
		if letter.ID == id || deadLetterPathID(letter.ID) == id {
			return letter, nil
		}
	}
	return deadLetter{}, errNotFound
}

func getDeadLetter(req *call) (projections.Answer, error) {
	letter, err := req.deadLetterInPath()
	if err != nil {
		return projections.Answer{}, err
	}
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	summary := bus.SummarizeDeadLetter(letter.DeadLetter)
	return projections.Answer{Body: api.OneDeadLetter{
		Partition: int(letter.partition), ID: deadLetterPathID(letter.ID), At: letter.At, Size: len(letter.Payload), Reason: summary.Reason, Payload: payloadOf(summary, letter.Payload),
	}}, nil
}

// payloadOf tells the envelope. A sum would let somebody confirm a guess at what is in it, so it is
// told only where nothing else can be.
func payloadOf(summary bus.DeadLetterSummary, payload []byte) api.DeadLetterPayload {
	if !summary.Envelope {
		sum := sha256.Sum256(payload)
		text := hex.EncodeToString(sum[:])
		return api.DeadLetterPayload{SHA256: &text}
	}
	return api.DeadLetterPayload{
		Envelope: true, Command: nilIfZero(summary.Name), Partner: nilIfZero(summary.Partner), Member: nilIfZero(summary.Member), Role: nilIfZero(summary.Role),
		RequestedAt: nilIfZero(summary.RequestedAt), CommandSize: &summary.CommandSize,
	}
}

// nilIfZero is nil for what is not there.
func nilIfZero[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}

// replayDeadLetter sends a letter again, as often as it is asked to.
func replayDeadLetter(req *writeCall, read func() (any, error)) error {
	letter, err := req.deadLetterInPath()
	if err != nil {
		return err
	}
	if _, err := read(); err != nil {
		return err
	}
	prefer := req.parsePrefer()
	ctx, cancel := context.WithTimeout(req.request.Context(), prefer.wait)
	defer cancel()
	id, result, err := req.cfg.Operations.Replay(ctx, letter.partition, letter.DeadLetter)
	prefer.setHeader(req)
	if err != nil && !req.willBeDecided(err) {
		return replayRefusal(err)
	}
	out := api.Replayed{Command: id.String(), State: replayState(result, err)}
	if result.Rejection != nil {
		out.Problem = req.redactedProblem(result)
	}
	rendered, err := req.render(projections.Answer{Body: out})
	if err != nil {
		return err
	}
	rendered.setHeaders(req.echoCtx.Response().Header())
	req.write(http.StatusOK, jsonType, rendered.body)
	return nil
}

// willBeDecided reports whether a command that was waited for in vain will be decided: its inbox outlives
// processes, or all that happened is that the time ran out.
func (c *call) willBeDecided(err error) bool {
	return errors.Is(err, bus.ErrPending) && (c.cfg.DurableQueue || errors.Is(err, context.DeadlineExceeded))
}

// replayRefusal is the refusal for what may have been sent again. It does not ask for a repeat, which would
// do it twice.
func replayRefusal(err error) error {
	if !errors.Is(err, bus.ErrOutcomeUnknown) {
		return err
	}
	return &refusal{
		status: http.StatusServiceUnavailable, code: "outcome_unknown", cause: err,
		detail: "Whether it was sent again is not known. Find out whether it is done before you send it once more.",
	}
}

func replayState(result bus.Result, err error) string {
	switch {
	case err != nil:
		return "pending"
	case result.IsDeadLetter():
		return "dead"
	case result.Rejection != nil:
		return "rejected"
	}
	return "done"
}

// redactedProblem is the problem without its detail and fields: they tell of the agreement.
func (c *call) redactedProblem(result bus.Result) *api.Problem {
	detail := "This rule refused it. What it says of the agreement is told to its sender only."
	if result.IsDeadLetter() {
		detail = result.Rejection.Detail
	}
	refusal := &refusal{status: statusOf(result.Rejection.Kind), code: result.Rejection.Code, detail: detail}
	problem := refusal.problem(c.requestID())
	return &problem
}
