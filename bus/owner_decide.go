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

// process handles one message: whatever it is, it ends as a commit, an outcome or a dead letter in
// the queue. It needs o.mu.
func (o *owner) process(msg *message.Message, offset eventlog.Offset) {
	state := &o.state
	state.queue.To = offset
	state.queuedCommands++
	var request Request
	defer func() {
		// Watermill would bring the message again at once, for ever.
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

// addDeadLetter makes a dead letter of what is no command, and tells the sender if it left an id.
func (o *owner) addDeadLetter(request Request, msg *message.Message, cause error) {
	state, now := &o.state, o.now()
	state.queue.DeadLetters = append(state.queue.DeadLetters, eventlog.DeadLetter{
		ID: msg.UUID, Payload: redactPrivate(msg.Payload), Reason: cause.Error(), At: now,
	})
	o.bus.cfg.Logger.Error("a command could not be read and is a dead letter now", "partition", o.partition, "message", msg.UUID, "error", cause)
	if !request.ID.IsZero() {
		refusal := &domain.Error{Kind: domain.Internal, Code: codeUnreadable, Detail: "The command could not be read; it is kept as a dead letter."}
		state.queue.Outcomes = append(state.queue.Outcomes, eventlog.Outcome{
			Command: request.ID, Request: request.Fingerprint, Attempt: request.call, Head: state.head.Seq, Rejection: encodeRejection(refusal), At: now,
		})
	}
}

// answerRepeat answers a command that was handled before, or another one under the same key.
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

// reject records a refusal. It is remembered under the client's key unless the same request may
// well succeed later.
func (o *owner) reject(request Request, err error) {
	refusal := o.refusal(request, err)
	state, now, problem := &o.state, o.now(), encodeRejection(refusal)
	state.queue.Outcomes = append(state.queue.Outcomes, eventlog.Outcome{
		Command: request.ID, Request: request.Fingerprint, Attempt: request.call, Head: state.head.Seq, Rejection: problem, At: now,
	})
	if request.Fingerprint.IsZero() || !isRemembered(refusal.Kind) {
		return
	}
	state.addReceipt(eventlog.Receipt{Command: request.ID, Request: request.Fingerprint, Rejection: problem, At: now})
}

func isRemembered(kind domain.Kind) bool {
	return kind == domain.Invalid || kind == domain.Conflict || kind == domain.Precondition
}

func (o *owner) refusal(request Request, err error) *domain.Error {
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		return refusal
	}
	o.bus.cfg.Logger.Error("a command failed", "partition", o.partition, "command", request.ID, "type", fmt.Sprintf("%T", request.Command), "error", err)
	return &domain.Error{Kind: domain.Internal, Code: "internal", Detail: "The command could not be handled; it changed nothing."}
}

// decide returns the commit that the command causes, folded into the owner's state already. A
// panic is an error like any other. If it came while folding, though folding cannot fail, the state is
// torn: the owner stores what is queued, this refusal last, and begins again with a fresh state.
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
	events, err := domain.Decide(o.state.fork, request.Command, domain.DecisionContext{Actor: request.Actor, At: at, Today: request.Today, IfMatch: request.IfMatch})
	if err != nil {
		return commit, err
	}
	stream := request.Command.Stream()
	commit = eventlog.Commit{
		Partition: o.partition, Stream: stream.String(), Command: request.ID, Request: request.Fingerprint,
		Actor: request.Actor.Name(), Partner: string(request.Actor.Partner), RecordedAt: at,
	}
	if commit.Events, err = stored(events); err != nil {
		return commit, err
	}
	commit.Version = o.streamVersion(commit.Stream) + 1
	commit.Seal(o.state.head)
	o.state.inconsistent = true // until add has queued it
	o.fold(stream, &commit, events, request.Actor.Partner)
	return commit, nil
}

func stored(events []domain.Event) ([]eventlog.Event, error) {
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

func (o *owner) fold(stream domain.Stream, commit *eventlog.Commit, events []domain.Event, by domain.PartnerID) {
	for _, event := range events {
		o.state.fork.Apply(domain.Header{
			Stream: stream, Commit: commit.Seq, Subject: event.Subject, Audience: event.Audience, Partner: by, RecordedAt: commit.RecordedAt,
		}, event.Payload)
	}
}

func (o *owner) streamVersion(stream string) uint64 {
	if version, ok := o.state.versions[stream]; ok {
		return version
	}
	return o.bus.cfg.ReadModel.StreamVersion(o.partition, stream)
}

// recordTime returns when the command is recorded: the owner's clock, but always later than the
// last commit, so that time never runs backwards in a partition.
func (o *owner) recordTime(request Request) (time.Time, error) {
	at := o.now()
	if !request.RecordedAt.IsZero() {
		if !o.bus.cfg.AllowBackdating() {
			return at, &domain.Error{Kind: domain.Forbidden, Code: "backdated", Detail: "Nobody can write into the past."}
		}
		at = request.RecordedAt.UTC().Truncate(time.Microsecond)
	}
	if least := o.state.lastRecordedAt.Add(time.Microsecond); at.Before(least) {
		at = least
	}
	return at, nil
}

func (o *owner) now() time.Time { return o.bus.cfg.Now().UTC().Truncate(time.Microsecond) }

// addCommit queues a commit. The record's age counts from now, not from a time that a loader set.
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

// addReceipt queues a record and knows it from now on.
func (s *ownerState) addReceipt(receipt eventlog.Receipt) {
	s.queue.Receipts = append(s.queue.Receipts, receipt)
	s.rememberReceipt(receipt)
}

// rememberReceipt also forgets the records that are too old, as seen from r.
func (s *ownerState) rememberReceipt(receipt eventlog.Receipt) {
	for len(s.receiptsByAge) > 0 && receipt.At.Sub(s.receiptsByAge[0].At) > receiptRetention {
		delete(s.receipts, s.receiptsByAge[0].Command)
		s.receiptsByAge = s.receiptsByAge[1:]
	}
	s.receipts[receipt.Command] = receipt
	s.receiptsByAge = append(s.receiptsByAge, receipt)
}

// prune forgets what the image has applied. The versions go all at once, when nothing is in
// flight.
func (s *ownerState) prune(applied uint64) {
	s.fork.Prune(applied)
	if applied == s.head.Seq {
		clear(s.versions)
	}
}

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
