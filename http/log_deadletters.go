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
	read := []int{http.StatusOK, http.StatusNotModified}
	return []*route{
		{
			method: http.MethodGet, operationID: "listDeadLetters", path: "/v1/deadletters", summary: "Messages that could not be decoded as commands, oldest first",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.DeadLetters{}, query: listParameters(), handle: computed(listDeadLetters),
			uncached: true, success: read,
		},
		{
			method: http.MethodGet, operationID: "getDeadLetter", path: "/v1/deadletters/{partition}/{letter}", summary: "One dead letter, the newest with this id",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.OneDeadLetter{}, handle: computed(getDeadLetter), uncached: true, success: read,
		},
		{
			method: http.MethodPost, operationID: "replayDeadLetter", path: "/v1/deadletters/{partition}/{letter}/replay",
			summary: "Resubmit the payload of a dead letter as a new command (not idempotent)",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.Replayed{}, body: &bodyHandler{run: replayDeadLetter, honoursPrefer: true}, uncached: true,
			success: []int{http.StatusOK},
		},
	}
}

// deadLetter is a dead letter with its place, which distinguishes letters of the same id.
type deadLetter struct {
	eventlog.DeadLetter
	partition eventlog.Partition
	number    int // within its partition
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

// firstLine truncates a reason for a list. The reason of a panic continues with its stack.
func firstLine(reason string) string {
	const limit = 200
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	if runes := []rune(line); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return line
}

// maxPathID is the maximum length of an id in a path, in bytes before encoding.
const maxPathID = 200

// deadLetterPathID encodes a message's id, which may contain any bytes, as a path segment.
func deadLetterPathID(id string) string {
	switch {
	case id == "", id == ".", id == "..", len(id) > maxPathID: // empty, relative, or too long for proxies
		sum := sha256.Sum256([]byte(id))
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	return url.PathEscape(id)
}

// deadLetterInPath returns the dead letter named by the path, the newest one of its id.
func (c *call) deadLetterInPath() (deadLetter, error) {
	number, err := strconv.ParseUint(c.echoCtx.Param("partition"), 10, 8)
	if err != nil || number >= eventlog.Partitions || strconv.FormatUint(number, 10) != c.echoCtx.Param("partition") {
		return deadLetter{}, errNotFound
	}
	id := c.echoCtx.Param("letter")
	if c.request.URL.RawPath != "" { // otherwise Echo has unescaped it
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

// payloadOf describes the envelope. A hash would let a caller confirm a guess at the content, so it is included only
// if the payload has no envelope.
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

// nilIfZero returns nil for the zero value.
func nilIfZero[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}

// replayDeadLetter resubmits a dead letter as a new command, on every request.
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

// willBeDecided reports whether a command without an outcome will still be decided: its queue is durable, or only the
// wait has expired.
func (c *call) willBeDecided(err error) bool {
	return errors.Is(err, bus.ErrPending) && (c.cfg.DurableQueue || errors.Is(err, context.DeadlineExceeded))
}

// replayRefusal returns the refusal for a dead letter that may have been resubmitted. It does not suggest a repeat,
// which would submit it twice.
func replayRefusal(err error) error {
	if !errors.Is(err, bus.ErrOutcomeUnknown) {
		return err
	}
	return &refusal{
		status: http.StatusServiceUnavailable, code: "outcome_unknown", cause: err,
		detail: "The dead letter may have been resubmitted. Check whether its command took effect before you replay it again.",
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

// redactedProblem returns the problem without detail and fields, which could disclose content of the agreement.
func (c *call) redactedProblem(result bus.Result) *api.Problem {
	detail := "The rule named by the code refused it. Details of the agreement are shown to the sender only."
	if result.IsDeadLetter() {
		detail = result.Rejection.Detail
	}
	refusal := &refusal{status: statusOf(result.Rejection.Kind), code: result.Rejection.Code, detail: detail}
	problem := c.problem(refusal, c.requestID())
	return &problem
}
