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

// take handles one message: whatever it is, it ends as a commit, an outcome or a dead letter in
// the queue. It needs o.mu.
func (o *owner) take(msg *message.Message, offset eventlog.Offset) {
	d := &o.decided
	d.queue.To = offset
	d.queued++
	var r Request
	defer func() {
		// Watermill would bring the message again at once, for ever.
		if v := recover(); v != nil {
			o.bury(r, msg, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	r, err := decode(msg.UUID, msg.Payload)
	r.attempt = attemptOf(msg)
	if err != nil {
		o.bury(r, msg, err)
		return
	}
	if first, known := d.records[r.ID]; known && o.now().Sub(first.At) <= recordsKept {
		o.repeat(r, first)
		return
	}
	if r.Refused != nil {
		o.reject(r, &r.Refused.Error)
		return
	}
	commit, err := o.decide(r)
	if err != nil {
		o.reject(r, err)
		return
	}
	d.add(r, commit, o.now())
}

// bury makes a dead letter of what is no command, and tells the sender if it left an id.
func (o *owner) bury(r Request, msg *message.Message, cause error) {
	d, now := &o.decided, o.now()
	d.queue.DeadLetters = append(d.queue.DeadLetters, eventlog.DeadLetter{
		ID: msg.UUID, Payload: withoutPrivate(msg.Payload), Reason: cause.Error(), At: now,
	})
	o.bus.cfg.Logger.Error("a command could not be read and is a dead letter now", "partition", o.p, "message", msg.UUID, "error", cause)
	if !r.ID.IsZero() {
		refusal := &domain.Error{Kind: domain.Internal, Code: unreadable, Detail: "The command could not be read; it is kept as a dead letter."}
		d.queue.Outcomes = append(d.queue.Outcomes, eventlog.Outcome{
			Command: r.ID, Request: r.Fingerprint, Attempt: r.attempt, Head: d.head.Seq, Rejection: encodeRejection(refusal), At: now,
		})
	}
}

// repeat answers a command that was handled before, or another one under the same key.
func (o *owner) repeat(r Request, first eventlog.Record) {
	out := eventlog.Outcome{
		Command: r.ID, Request: r.Fingerprint, Attempt: r.attempt, Head: o.decided.head.Seq,
		Seq: first.Seq, Repeat: true, Rejection: first.Rejection, At: o.now(),
	}
	if first.Request != r.Fingerprint {
		out.Seq, out.Repeat, out.Rejection = 0, false, encodeRejection(keyReused())
	}
	o.decided.queue.Outcomes = append(o.decided.queue.Outcomes, out)
}

// reject records a refusal. It is remembered under the client's key unless the same request may
// well succeed later.
func (o *owner) reject(r Request, err error) {
	refusal := o.refusal(r, err)
	d, now, problem := &o.decided, o.now(), encodeRejection(refusal)
	d.queue.Outcomes = append(d.queue.Outcomes, eventlog.Outcome{
		Command: r.ID, Request: r.Fingerprint, Attempt: r.attempt, Head: d.head.Seq, Rejection: problem, At: now,
	})
	if r.Fingerprint.IsZero() || !remembers(refusal.Kind) {
		return
	}
	d.record(eventlog.Record{Command: r.ID, Request: r.Fingerprint, Rejection: problem, At: now})
}

func remembers(k domain.Kind) bool {
	return k == domain.Invalid || k == domain.Conflict || k == domain.Precondition
}

func (o *owner) refusal(r Request, err error) *domain.Error {
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		return refusal
	}
	o.bus.cfg.Logger.Error("a command failed", "partition", o.p, "command", r.ID, "type", fmt.Sprintf("%T", r.Command), "error", err)
	return &domain.Error{Kind: domain.Internal, Code: "internal", Detail: "The command could not be handled; it changed nothing."}
}

// decide returns the commit that the command causes, folded into the owner's state already. A
// panic is an error like any other. If it came while folding, though folding cannot fail, the state is
// torn: the owner stores what is queued, this refusal last, and begins again with a fresh state.
func (o *owner) decide(r Request) (c eventlog.Commit, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	at, err := o.recordTime(r)
	if err != nil {
		return c, err
	}
	events, err := domain.Decide(o.decided.state, r.Command, domain.Meta{Actor: r.Actor, At: at, Today: r.Today, IfMatch: r.IfMatch})
	if err != nil {
		return c, err
	}
	stream := r.Command.Stream()
	c = eventlog.Commit{
		Partition: o.p, Stream: stream.String(), Command: r.ID, Request: r.Fingerprint,
		Actor: r.Actor.Name(), Partner: string(r.Actor.Partner), RecordedAt: at,
	}
	if c.Events, err = stored(events); err != nil {
		return c, err
	}
	c.Version = o.version(c.Stream) + 1
	c.Seal(o.decided.head)
	o.decided.torn = true // until add has queued it
	o.fold(stream, &c, events, r.Actor.Partner)
	return c, nil
}

func stored(events []domain.Event) ([]eventlog.Event, error) {
	out := make([]eventlog.Event, len(events))
	for i, e := range events {
		name, data, err := domain.EncodeEvent(e.Payload)
		if err != nil {
			return nil, err
		}
		out[i] = eventlog.Event{Type: name, Subject: e.Subject, Audience: string(e.Audience), Data: data}
		if _, err := rand.Read(out[i].Salt[:]); err != nil {
			return nil, fmt.Errorf("salt: %w", err)
		}
	}
	return out, nil
}

func (o *owner) fold(stream domain.Stream, c *eventlog.Commit, events []domain.Event, by domain.PartnerID) {
	for _, e := range events {
		o.decided.state.Apply(domain.Header{
			Stream: stream, Commit: c.Seq, Subject: e.Subject, Audience: e.Audience, Partner: by, RecordedAt: c.RecordedAt,
		}, e.Payload)
	}
}

func (o *owner) version(stream string) uint64 {
	if v, ok := o.decided.versions[stream]; ok {
		return v
	}
	return o.bus.cfg.Image.StreamVersion(o.p, stream)
}

// recordTime returns when the command is recorded: the owner's clock, but always later than the
// last commit, so that time never runs backwards in a partition.
func (o *owner) recordTime(r Request) (time.Time, error) {
	at := o.now()
	if !r.RecordedAt.IsZero() {
		if !o.bus.cfg.Backdate() {
			return at, &domain.Error{Kind: domain.Forbidden, Code: "backdated", Detail: "Nobody can write into the past."}
		}
		at = r.RecordedAt.UTC().Truncate(time.Microsecond)
	}
	if least := o.decided.last.Add(time.Microsecond); at.Before(least) {
		at = least
	}
	return at, nil
}

func (o *owner) now() time.Time { return o.bus.cfg.Now().UTC().Truncate(time.Microsecond) }

// add queues a commit. The record's age counts from now, not from a time that a loader set.
func (d *decided) add(r Request, c eventlog.Commit, now time.Time) {
	d.queue.Commits = append(d.queue.Commits, c)
	d.queue.Puts = append(d.queue.Puts, erasing(r.Private)...)
	d.head, d.last = c.Head(), c.RecordedAt
	d.versions[c.Stream] = c.Version
	if !r.Fingerprint.IsZero() {
		d.record(eventlog.Record{Command: r.ID, Request: r.Fingerprint, Seq: c.Seq, At: now})
	}
	d.torn = false
}

// record queues a record and knows it from now on.
func (d *decided) record(r eventlog.Record) {
	d.queue.Records = append(d.queue.Records, r)
	d.remember(r)
}

// remember also forgets the records that are too old, as seen from r.
func (d *decided) remember(r eventlog.Record) {
	for len(d.oldest) > 0 && r.At.Sub(d.oldest[0].At) > recordsKept {
		delete(d.records, d.oldest[0].Command)
		d.oldest = d.oldest[1:]
	}
	d.records[r.Command] = r
	d.oldest = append(d.oldest, r)
}

// prune forgets what the image has applied. The versions go all at once, when nothing is in
// flight.
func (d *decided) prune(applied uint64) {
	d.state.Prune(applied)
	if applied == d.head.Seq {
		clear(d.versions)
	}
}

const codeReused = "idempotency_key_reused"

func keyReused() *domain.Error {
	return &domain.Error{
		Kind: domain.Invalid, Code: codeReused,
		Detail: "This idempotency key was used for another request.",
	}
}

func encodeRejection(e *domain.Error) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and slices of strings always marshal
	}
	return data
}

func decodeRejection(data []byte) *domain.Error {
	if len(data) == 0 {
		return nil
	}
	e := new(domain.Error)
	if err := json.Unmarshal(data, e); err != nil {
		return &domain.Error{Kind: domain.Internal, Code: "internal", Detail: "The stored answer could not be read."}
	}
	return e
}
