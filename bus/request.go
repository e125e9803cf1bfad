package bus

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tandem/domain"
	"tandem/eventlog"
)

// Errors of Do. After ErrOutcomeUnknown the command may or may not have had its effect; repeating
// it with the same key is safe. After the others it had none.
var (
	ErrOutcomeUnknown = errors.New("the outcome of the command is not known")
	// ErrPending comes with ErrOutcomeUnknown when the inbox took the command: where inboxes outlive
	// processes it will be decided.
	ErrPending     = errors.New("the command is sent and not decided yet")
	ErrKeyReused   = errors.New("the idempotency key was used for another request")
	ErrUnavailable = errors.New("commands cannot be handled now")
)

// Request is a command with its circumstances, as the edge gives it.
type Request struct {
	ID          eventlog.CommandID
	Fingerprint eventlog.Fingerprint // of the client's request; zero without an idempotency key
	Command     domain.Command
	Refused     *Refused // instead of a command: what the edge refused already
	Actor       domain.Actor
	Today       domain.Date   // in the acting partner's zone
	IfMatch     *uint64       // the target's version that the caller saw; nil: any
	Private     []eventlog.KV // facts kept outside the chain, stored with the commit; a nil Value erases the one before
	RequestedAt time.Time
	RecordedAt  time.Time // zero, except for a loader that fills an empty log

	attempt attempt // that brought it to its owner
}

// Refused is a refusal that was found before the bus. It is sent so that it is remembered under the
// client's key like one that a decision found.
type Refused struct {
	Root  string // as domain.Stream.Root returns it
	Error domain.Error
}

func (r Request) root() string {
	if r.Refused != nil {
		return r.Refused.Root
	}
	return r.Command.Stream().Root()
}

// Result is how a command ended.
type Result struct {
	Partition eventlog.Partition
	Seq       uint64        // of its commit; 0 when it was rejected
	Repeat    bool          // this is the outcome of an earlier command with the same id
	Rejection *domain.Error // nil when it was accepted
}

// envelope is a Request on the wire. The message's UUID is the command id in hexadecimal.
type envelope struct {
	Name        string         `json:"name,omitempty"`
	Command     jsontext.Value `json:"command,omitempty"`
	Refused     *Refused       `json:"refused,omitempty"`
	Actor       domain.Actor   `json:"actor"`
	Fingerprint []byte         `json:"fingerprint,omitempty"`
	Today       domain.Date    `json:"today"`
	IfMatch     *uint64        `json:"if_match,omitempty"`
	Private     []private      `json:"private,omitempty"`
	RequestedAt time.Time      `json:"requested_at"`
	RecordedAt  time.Time      `json:"recorded_at,omitzero"`
}

// private is an eventlog.KV on the wire, where no value and an empty one would look the same.
type private struct {
	Key   string  `json:"key"`
	Value *[]byte `json:"value"` // null deletes the key
}

func encode(r Request) ([]byte, error) {
	e := envelope{
		Refused: r.Refused, Actor: r.Actor, Today: r.Today, IfMatch: r.IfMatch,
		RequestedAt: r.RequestedAt, RecordedAt: r.RecordedAt,
	}
	if r.Refused == nil {
		name, data, err := domain.EncodeCommand(r.Command)
		if err != nil {
			return nil, err
		}
		e.Name, e.Command = name, data
	}
	for _, kv := range r.Private {
		p := private{Key: kv.Key}
		if kv.Value != nil {
			p.Value = &kv.Value
		}
		e.Private = append(e.Private, p)
	}
	if !r.Fingerprint.IsZero() {
		e.Fingerprint = r.Fingerprint[:]
	}
	return json.Marshal(e)
}

// decode reads what encode wrote. With an error it still returns what tells whose outcome it is, as
// far as that can be read.
func decode(id string, payload []byte) (r Request, err error) {
	if r.ID, err = eventlog.ParseCommandID(id); err != nil {
		return r, err
	}
	var e envelope
	if err := json.Unmarshal(payload, &e, json.RejectUnknownMembers(true)); err != nil {
		return r, fmt.Errorf("envelope: %w", err)
	}
	if n := copy(r.Fingerprint[:], e.Fingerprint); n != 0 && (n != len(r.Fingerprint) || n != len(e.Fingerprint)) {
		return r, fmt.Errorf("fingerprint of %d bytes", len(e.Fingerprint))
	}
	if r.Refused = e.Refused; r.Refused == nil {
		if r.Command, err = domain.DecodeCommand(e.Name, e.Command); err != nil {
			return r, err
		}
	}
	for _, p := range e.Private {
		kv := eventlog.KV{Key: p.Key}
		if p.Value != nil {
			kv.Value = append([]byte{}, *p.Value...)
		}
		r.Private = append(r.Private, kv)
	}
	r.Actor, r.Today, r.IfMatch = e.Actor, e.Today, e.IfMatch
	r.RequestedAt, r.RecordedAt = e.RequestedAt, e.RecordedAt
	return r, nil
}
