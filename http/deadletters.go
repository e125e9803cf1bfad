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
	"time"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// DeadLetter is a message that could not be read as a command.
type DeadLetter struct {
	Partition int       `json:"partition"`
	ID        string    `json:"id" doc:"The message's id as it is written in a path: percent-encoded, or sha256- and its sum where it fits in no path. It need not be unique."`
	At        time.Time `json:"at"`
	Size      int       `json:"size" doc:"Of the payload, in bytes."`
	Reason    string    `json:"reason" doc:"The first line of it, 200 characters at most; … stands for what may be a value of the payload."`
}

// DeadLetters is a part of the list of them.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters" doc:"Oldest first."`
	NextCursor  *string      `json:"next_cursor"`
}

// OneDeadLetter is a dead letter with all that may be told of it.
type OneDeadLetter struct {
	Partition int               `json:"partition"`
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Size      int               `json:"size" doc:"Of the payload, in bytes."`
	Reason    string            `json:"reason" doc:"… stands for what may be a value of the payload."`
	Payload   DeadLetterPayload `json:"payload"`
}

// DeadLetterPayload is the envelope of a payload, without its content: see bus.Outline for why.
type DeadLetterPayload struct {
	Envelope    bool              `json:"envelope" doc:"Whether the payload is JSON as commands are sent. What it does not say is null."`
	Command     *string           `json:"command" doc:"Its name."`
	Partner     *domain.PartnerID `json:"partner" doc:"That the sender acted for."`
	Member      *domain.MemberID  `json:"member"`
	Role        *domain.Role      `json:"role" enum:"manager,viewer,operator"`
	RequestedAt *time.Time        `json:"requested_at"`
	CommandSize *int              `json:"command_size" doc:"In bytes."`
	SHA256      *string           `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of a payload that is no envelope, to compare it with what somebody sent."`
}

// Replayed says what became of a dead letter that was sent again.
type Replayed struct {
	Command string   `json:"command" doc:"The new message's id."`
	State   string   `json:"state" enum:"done,rejected,pending,dead" doc:"dead: it is another dead letter now. pending: it will be decided, but it took too long to wait for."`
	Problem *Problem `json:"problem" doc:"Why it was rejected or is dead. Its code names the rule; the rest is the sender's."`
}

func deadLetterRoutes() []*route {
	const list, one = "/v1/deadletters", "/v1/deadletters/{partition}/{letter}"
	read := []int{http.StatusOK, http.StatusNotModified}
	return []*route{
		{
			method: http.MethodGet, name: "listDeadLetters", path: list, summary: "Messages that could not be read as commands, oldest first",
			callers: theOperator, sees: seesOperations, answer: DeadLetters{}, query: lists(), handle: computes(listDeadLetters),
			fresh: true, success: read,
		},
		{
			method: http.MethodGet, name: "getDeadLetter", path: one, summary: "One of them: the newest with that id",
			callers: theOperator, sees: seesOperations, answer: OneDeadLetter{}, handle: computes(getDeadLetter), fresh: true, success: read,
		},
		{
			method: http.MethodPost, name: "replayDeadLetter", path: one + "/replay",
			summary: "Send its payload again as a new command, for when the program can read it now; every time it is done again",
			callers: theOperator, sees: seesOperations, answer: Replayed{}, write: &writer{act: replayDeadLetter, waits: true}, fresh: true,
			success: []int{http.StatusOK},
		},
	}
}

// letter is a dead letter with its place, which tells those of one id apart.
type letter struct {
	eventlog.DeadLetter
	partition eventlog.Partition
	number    int // in its partition
}

func (l letter) key() string {
	return fmt.Sprintf("%020d %02d %010d", l.At.UnixMicro(), l.partition, l.number)
}

func listDeadLetters(q *call) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), operationsWait)
	defer cancel()
	var all []letter
	for p := range eventlog.Partition(eventlog.Partitions) {
		letters, err := q.letters(ctx, p)
		if err != nil {
			return projections.Answer{}, err
		}
		all = append(all, letters...)
	}
	slices.SortFunc(all, func(a, b letter) int { return cmp.Compare(a.key(), b.key()) })
	told, next := part(a, all, letter.key)
	if err := a.err(); err != nil {
		return projections.Answer{}, err
	}
	out := DeadLetters{DeadLetters: []DeadLetter{}, NextCursor: next}
	for _, l := range told {
		out.DeadLetters = append(out.DeadLetters, DeadLetter{
			Partition: int(l.partition), ID: pathID(l.ID), At: l.At, Size: len(l.Payload), Reason: firstLine(bus.OutlineOf(l.DeadLetter).Reason),
		})
	}
	return projections.Answer{Body: out}, nil
}

func (q *call) letters(ctx context.Context, p eventlog.Partition) ([]letter, error) {
	stored, err := q.Operations.DeadLetters(ctx, p)
	if err != nil {
		return nil, q.unreadable(err)
	}
	letters := make([]letter, len(stored))
	for i, l := range stored {
		letters[i] = letter{l, p, i}
	}
	return letters, nil
}

// firstLine cuts a reason to what fits into a list. A panic's goes on with its stack.
func firstLine(reason string) string {
	const most = 200
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return line
}

// maxPathID is how long an id may be in a path, in bytes before it is encoded.
const maxPathID = 200

// pathID writes a message's id, which may be any bytes, as a segment of a path.
func pathID(id string) string {
	switch {
	case id == "", id == ".", id == "..", len(id) > maxPathID: // empty, taken for a step, or refused on the way
		sum := sha256.Sum256([]byte(id))
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	return url.PathEscape(id)
}

// letter finds the letter that the path names, the newest of its id.
func (q *call) letter() (letter, error) {
	number, err := strconv.ParseUint(q.c.Param("partition"), 10, 8)
	if err != nil || number >= eventlog.Partitions || strconv.FormatUint(number, 10) != q.c.Param("partition") {
		return letter{}, errNotFound
	}
	id := q.c.Param("letter")
	if q.r.URL.RawPath != "" { // else Echo has it unescaped
		if id, err = url.PathUnescape(id); err != nil {
			return letter{}, errNotFound
		}
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), operationsWait)
	defer cancel()
	all, err := q.letters(ctx, eventlog.Partition(number))
	if err != nil {
		return letter{}, err
	}
	for _, l := range slices.Backward(all) {
		if l.ID == id || pathID(l.ID) == id {
			return l, nil
		}
	}
	return letter{}, errNotFound
}

func getDeadLetter(q *call) (projections.Answer, error) {
	l, err := q.letter()
	if err != nil {
		return projections.Answer{}, err
	}
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	o := bus.OutlineOf(l.DeadLetter)
	return projections.Answer{Body: OneDeadLetter{
		Partition: int(l.partition), ID: pathID(l.ID), At: l.At, Size: len(l.Payload), Reason: o.Reason, Payload: payloadOf(o, l.Payload),
	}}, nil
}

// payloadOf tells the envelope. A sum would let somebody confirm a guess at what is in it, so it is
// told only where nothing else can be.
func payloadOf(o bus.Outline, payload []byte) DeadLetterPayload {
	if !o.Envelope {
		sum := sha256.Sum256(payload)
		text := hex.EncodeToString(sum[:])
		return DeadLetterPayload{SHA256: &text}
	}
	return DeadLetterPayload{
		Envelope: true, Command: given(o.Name), Partner: given(o.Partner), Member: given(o.Member), Role: given(o.Role),
		RequestedAt: given(o.RequestedAt), CommandSize: &o.CommandSize,
	}
}

// given is nil for what is not there.
func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// replayDeadLetter sends a letter again, as often as it is asked to.
func replayDeadLetter(q *writing, read func() (any, error)) error {
	l, err := q.letter()
	if err != nil {
		return err
	}
	if _, err := read(); err != nil {
		return err
	}
	prefer := q.preferences()
	ctx, cancel := context.WithTimeout(q.r.Context(), prefer.wait)
	defer cancel()
	id, result, err := q.Operations.Replay(ctx, l.partition, l.DeadLetter)
	prefer.tell(q)
	if err != nil && !q.pending(err) {
		return unsent(err)
	}
	out := Replayed{Command: id.String(), State: stateOf(result, err)}
	if result.Rejection != nil {
		out.Problem = q.secretive(result)
	}
	rendered, err := q.render(projections.Answer{Body: out})
	if err != nil {
		return err
	}
	rendered.headers(q.c.Response().Header())
	q.write(http.StatusOK, jsonType, rendered.body)
	return nil
}

// pending reports whether a command that was waited for in vain will be decided: its inbox outlives
// processes, or all that happened is that the time ran out.
func (q *call) pending(err error) bool {
	return errors.Is(err, bus.ErrPending) && (q.DurableInbox || errors.Is(err, context.DeadlineExceeded))
}

// unsent is the refusal for what may have been sent again. It does not ask for a repeat, which would
// do it twice.
func unsent(err error) error {
	if !errors.Is(err, bus.ErrOutcomeUnknown) {
		return err
	}
	return &refusal{
		status: http.StatusServiceUnavailable, code: "outcome_unknown", cause: err,
		detail: "Whether it was sent again is not known. Find out whether it is done before you send it once more.",
	}
}

func stateOf(result bus.Result, err error) string {
	switch {
	case err != nil:
		return "pending"
	case result.Dead():
		return "dead"
	case result.Rejection != nil:
		return "rejected"
	}
	return "done"
}

// secretive is the problem without its detail and fields: they tell of the agreement.
func (q *call) secretive(result bus.Result) *Problem {
	detail := "This rule refused it. What it says of the agreement is told to its sender only."
	if result.Dead() {
		detail = result.Rejection.Detail
	}
	e := &refusal{status: statusOf(result.Rejection.Kind), code: result.Rejection.Code, detail: detail}
	p := e.problem(q.requestID())
	return &p
}
