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
	Refusal     *Refusal // instead of a command: what the edge refused already
	Actor       domain.Actor
	Today       domain.Date   // in the acting partner's zone
	IfMatch     *uint64       // the target's version that the caller saw; nil: any
	Private     []eventlog.KV // facts kept outside the chain, stored with the commit; a nil Value erases the one before
	RequestedAt time.Time
	RecordedAt  time.Time // zero, except for a loader that fills an empty log

	call callID // that brought it to its owner
}

// Refusal is a refusal that was found before the bus. It is sent so that it is remembered under the
// client's key like one that a decision found.
type Refusal struct {
	Root  string // as domain.Stream.Root returns it
	Error domain.Error
}

func (r Request) root() string {
	if r.Refusal != nil {
		return r.Refusal.Root
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
	Refusal     *Refusal       `json:"refused,omitempty"`
	Actor       domain.Actor   `json:"actor"`
	Fingerprint []byte         `json:"fingerprint,omitempty"`
	Today       domain.Date    `json:"today"`
	IfMatch     *uint64        `json:"if_match,omitempty"`
	Private     []privateKV    `json:"private,omitempty"`
	RequestedAt time.Time      `json:"requested_at"`
	RecordedAt  time.Time      `json:"recorded_at,omitzero"`
}

// privateKV is an eventlog.KV on the wire, where no value and an empty one would look the same.
type privateKV struct {
	Key   string  `json:"key"`
	Value *[]byte `json:"value"` // null deletes the key
}

func encode(request Request) ([]byte, error) {
	wire := envelope{
		Refusal: request.Refusal, Actor: request.Actor, Today: request.Today, IfMatch: request.IfMatch,
		RequestedAt: request.RequestedAt, RecordedAt: request.RecordedAt,
	}
	if request.Refusal == nil {
		name, data, err := domain.EncodeCommand(request.Command)
		if err != nil {
			return nil, err
		}
		wire.Name, wire.Command = name, data
	}
	for _, kv := range request.Private {
		entry := privateKV{Key: kv.Key}
		if kv.Value != nil {
			entry.Value = &kv.Value
		}
		wire.Private = append(wire.Private, entry)
	}
	if !request.Fingerprint.IsZero() {
		wire.Fingerprint = request.Fingerprint[:]
	}
	return json.Marshal(wire)
}

// decode reads what encode wrote. With an error it still returns what tells whose outcome it is, as
// far as that can be read.
func decode(id string, payload []byte) (request Request, err error) {
	if request.ID, err = eventlog.ParseCommandID(id); err != nil {
		return request, err
	}
	var wire envelope
	if err := json.Unmarshal(payload, &wire, json.RejectUnknownMembers(true)); err != nil {
		return request, fmt.Errorf("envelope: %w", err)
	}
	if n := copy(request.Fingerprint[:], wire.Fingerprint); n != 0 && (n != len(request.Fingerprint) || n != len(wire.Fingerprint)) {
		return request, fmt.Errorf("fingerprint of %d bytes", len(wire.Fingerprint))
	}
	if request.Refusal = wire.Refusal; request.Refusal == nil {
		if request.Command, err = domain.DecodeCommand(wire.Name, wire.Command); err != nil {
			return request, err
		}
	}
	for _, entry := range wire.Private {
		kv := eventlog.KV{Key: entry.Key}
		if entry.Value != nil {
			kv.Value = append([]byte{}, *entry.Value...)
		}
		request.Private = append(request.Private, kv)
	}
	request.Actor, request.Today, request.IfMatch = wire.Actor, wire.Today, wire.IfMatch
	request.RequestedAt, request.RecordedAt = wire.RequestedAt, wire.RecordedAt
	return request, nil
}
