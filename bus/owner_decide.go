package bus

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/domain"
	"tandem/eventlog"
)

// process handles one message. It adds a commit, an outcome or a dead letter to the queue. The
// caller holds o.mu.
func (o *owner) process(msg *message.Message, offset eventlog.Offset) {
	state := &o.state
	state.queue.To = offset
	state.queuedCommands++
	var request Request
	defer func() {
		// Watermill's recovery would nack the message and so repeat it forever.
		if recovered := recover(); recovered != nil {
			o.addDeadLetter(request, msg, fmt.Errorf("panic: %v\n%s", recovered, debug.Stack()))
		}
	}()
	request, err := decode(msg.UUID, msg.Payload)
	request.call = callIDOf(msg)
	if err != nil {
		o.addDeadLetter(request, msg, err)
		return
	}
	if first, known := state.receipts[request.ID]; known && o.now().Sub(first.At) <= receiptRetention {
		o.answerRepeat(request, first)
		return
	}
	if request.Refusal != nil {
		o.reject(request, &request.Refusal.Error)
		return
	}
	commit, err := o.decide(request)
	if err != nil {
		o.reject(request, err)
		return
	}
	state.addCommit(request, commit, o.now())
}

// addDeadLetter queues an unreadable message as a dead letter, and a refusal for its sender if the
// command id is readable.
func (o *owner) addDeadLetter(request Request, msg *message.Message, cause error) {
	state, now := &o.state, o.now()
	state.queue.DeadLetters = append(state.queue.DeadLetters, eventlog.DeadLetter{
		ID: msg.UUID, Payload: redactPrivate(msg.Payload), Reason: cause.Error(), At: now,
	})
	o.bus.cfg.Logger.Error("a command is unreadable and became a dead letter", "partition", o.partition, "message", msg.UUID, "error", cause)
	if !request.ID.IsZero() {
		refusal := &domain.Error{Kind: domain.Internal, Code: codeUnreadable, Detail: "The command could not be read; it is kept as a dead letter."}
		state.queue.Outcomes = append(state.queue.Outcomes, eventlog.Outcome{
			Command: request.ID, Request: request.Fingerprint, Attempt: request.call, Head: state.head.Seq, Rejection: encodeRejection(refusal), At: now,
		})
	}
}

// answerRepeat queues the stored outcome of a repeated command, or the refusal of a different request
// with the same key.
func (o *owner) answerRepeat(request Request, first eventlog.Receipt) {
	outcome := eventlog.Outcome{
		Command: request.ID, Request: request.Fingerprint, Attempt: request.call, Head: o.state.head.Seq,
		Seq: first.Seq, Repeat: true, Rejection: first.Rejection, At: o.now(),
	}
	if first.Request != request.Fingerprint {
		outcome.Seq, outcome.Repeat, outcome.Rejection = 0, false, encodeRejection(keyReusedError())
	}
	o.state.queue.Outcomes = append(o.state.queue.Outcomes, outcome)
}

// reject queues a refusal, with a receipt if the client's key determines it from now on.
func (o *owner) reject(request Request, err error) {
	refusal := o.refusal(request, err)
	state, now, problem := &o.state, o.now(), encodeRejection(refusal)
	state.queue.Outcomes = append(state.queue.Outcomes, eventlog.Outcome{
		Command: request.ID, Request: request.Fingerprint, Attempt: request.call, Head: state.head.Seq, Rejection: problem, At: now,
	})
	if request.Fingerprint.IsZero() || !hasReceipt(refusal.Kind) {
		return
	}
	state.addReceipt(eventlog.Receipt{Command: request.ID, Request: request.Fingerprint, Rejection: problem, At: now})
}

// hasReceipt reports whether refusals of a kind get a receipt. The other kinds do not, because the same
// request may succeed later.
func hasReceipt(kind domain.Kind) bool {
	return kind == domain.Invalid || kind == domain.Conflict || kind == domain.Precondition
}

// refusal returns the refusal for an error of decide. An unexpected error is logged and hidden from the caller.
func (o *owner) refusal(request Request, err error) *domain.Error {
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		return refusal
	}
	o.bus.cfg.Logger.Error("a command failed", "partition", o.partition, "command", request.ID, "type", fmt.Sprintf("%T", request.Command), "error", err)
	return &domain.Error{Kind: domain.Internal, Code: "internal", Detail: "The command could not be handled; it changed nothing."}
}

// decide returns the commit that a command produces, after folding it into the owner's state. A panic
// is returned as an error. A panic during the fold leaves the state inconsistent: the owner then
// appends the queue, with the refusal of this command last, and restarts with a fresh state.
func (o *owner) decide(request Request) (commit eventlog.Commit, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("panic: %v\n%s", recovered, debug.Stack())
		}
	}()
	at, err := o.recordTime(request)
	if err != nil {
		return commit, err
	}
	command, dc := request.Command, domain.DecisionContext{Actor: request.Actor, At: at, Today: request.Today, IfMatch: request.IfMatch}
	events, err := domain.Decide(o.state.fork, command, dc)
	if request.Alternative != nil && domain.IsTaken(err) {
		command = request.Alternative
		events, err = domain.Decide(o.state.fork, command, dc)
	}
	if err != nil {
		return commit, err
	}
	stream := command.Stream()
	commit = eventlog.Commit{
		Partition: o.partition, Stream: stream.String(), Command: request.ID, Request: request.Fingerprint,
		Actor: request.Actor.Name(), Partner: string(request.Actor.Partner), RecordedAt: at,
	}
	if commit.Events, err = encodeEvents(events); err != nil {
		return commit, err
	}
	commit.Version = o.streamVersion(commit.Stream) + 1
	commit.Seal(o.state.head)
	o.state.inconsistent = true // until addCommit has queued the commit
	o.fold(stream, &commit, events, request.Actor.Partner)
	return commit, nil
}

// encodeEvents encodes events for the log and salts them.
func encodeEvents(events []domain.Event) ([]eventlog.Event, error) {
	out := make([]eventlog.Event, len(events))
	for i, event := range events {
		name, data, err := domain.EncodeEvent(event.Payload)
		if err != nil {
			return nil, err
		}
		out[i] = eventlog.Event{Type: name, Subject: event.Subject, Audience: string(event.Audience), Data: data}
		if _, err := rand.Read(out[i].Salt[:]); err != nil {
			return nil, fmt.Errorf("salt: %w", err)
		}
	}
	return out, nil
}

// fold applies the events of a commit to the owner's state.
func (o *owner) fold(stream domain.Stream, commit *eventlog.Commit, events []domain.Event, by domain.PartnerID) {
	member, _ := domain.ParseActorName(commit.Actor)
	for _, event := range events {
		o.state.fork.Apply(domain.Header{
			Stream: stream, Commit: commit.Seq, Subject: event.Subject, Audience: event.Audience, Partner: by, Member: member, RecordedAt: commit.RecordedAt,
		}, event.Payload)
	}
}

// streamVersion returns the number of commits of a stream, those in flight included.
func (o *owner) streamVersion(stream string) uint64 {
	if version, ok := o.state.versions[stream]; ok {
		return version
	}
	return o.bus.cfg.ReadModel.StreamVersion(o.partition, stream)
}

// recordTime returns the time at which the command is recorded, in UTC and whole microseconds: the
// owner's clock, or RecordedAt of the request if backdating is allowed. It is always after the last
// commit, so that time never runs backwards within a partition.
func (o *owner) recordTime(request Request) (time.Time, error) {
	at := o.now()
	if !request.RecordedAt.IsZero() {
		if !o.bus.cfg.AllowBackdating() {
			return at, &domain.Error{Kind: domain.Forbidden, Code: "backdated", Detail: "A command cannot set the time at which it is recorded."}
		}
		at = request.RecordedAt.UTC().Truncate(time.Microsecond)
	}
	if earliest := o.state.lastRecordedAt.Add(time.Microsecond); at.Before(earliest) {
		at = earliest
	}
	return at, nil
}

func (o *owner) now() time.Time { return o.bus.cfg.Now().UTC().Truncate(time.Microsecond) }

// addCommit queues a commit and its receipt. The receipt's age counts from now, even if the commit is
// backdated.
func (s *ownerState) addCommit(request Request, commit eventlog.Commit, now time.Time) {
	s.queue.Commits = append(s.queue.Commits, commit)
	s.queue.Puts = append(s.queue.Puts, withErasure(request.Private)...)
	s.head, s.lastRecordedAt = commit.Head(), commit.RecordedAt
	s.versions[commit.Stream] = commit.Version
	if !request.Fingerprint.IsZero() {
		s.addReceipt(eventlog.Receipt{Command: request.ID, Request: request.Fingerprint, Seq: commit.Seq, At: now})
	}
	s.inconsistent = false
}

// addReceipt queues a receipt and makes it effective at once.
func (s *ownerState) addReceipt(receipt eventlog.Receipt) {
	s.queue.Receipts = append(s.queue.Receipts, receipt)
	s.rememberReceipt(receipt)
}

// rememberReceipt makes a receipt effective and drops those that have expired by its time.
func (s *ownerState) rememberReceipt(receipt eventlog.Receipt) {
	for len(s.receiptsByAge) > 0 && receipt.At.Sub(s.receiptsByAge[0].At) > receiptRetention {
		delete(s.receipts, s.receiptsByAge[0].Command)
		s.receiptsByAge = s.receiptsByAge[1:]
	}
	s.receipts[receipt.Command] = receipt
	s.receiptsByAge = append(s.receiptsByAge, receipt)
}

// prune drops the state that the read model has applied, up to the given commit. The versions are
// dropped together, when no commit is in flight.
func (s *ownerState) prune(applied uint64) {
	s.fork.Prune(applied)
	if applied == s.head.Seq {
		clear(s.versions)
	}
}

// codeKeyReused is the code of the refusal of a different request under a used key.
const codeKeyReused = "idempotency_key_reused"

func keyReusedError() *domain.Error {
	return &domain.Error{
		Kind: domain.Invalid, Code: codeKeyReused,
		Detail: "This idempotency key was used for another request.",
	}
}

func encodeRejection(rejection *domain.Error) []byte {
	data, err := json.Marshal(rejection)
	if err != nil {
		panic(err) // strings and slices of strings always marshal
	}
	return data
}

func decodeRejection(data []byte) *domain.Error {
	if len(data) == 0 {
		return nil
	}
	rejection := new(domain.Error)
	if err := json.Unmarshal(data, rejection); err != nil {
		return &domain.Error{Kind: domain.Internal, Code: "internal", Detail: "The stored answer could not be read."}
	}
	return rejection
}
