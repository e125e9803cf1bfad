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

// Errors of Do and Replay. After ErrOutcomeUnknown the command may or may not have had its effect, and
// repeating it with the same key is safe. After the other errors it had no effect.
var (
	ErrOutcomeUnknown = errors.New("the outcome of the command is not known")
	// ErrPending is joined with ErrOutcomeUnknown if the command was sent. A command in a durable
	// command queue will be decided.
	ErrPending     = errors.New("the command is sent and not decided yet")
	ErrKeyReused   = errors.New("the idempotency key was used for another request")
	ErrUnavailable = errors.New("commands cannot be handled at present")
)

// Request is a command with its context, as the HTTP layer submits it.
type Request struct {
	ID          eventlog.CommandID
	Fingerprint eventlog.Fingerprint // of the client's request; zero without an idempotency key
	Command     domain.Command       // nil with a Refusal
	Alternative domain.Command       // the same command with another new id, if the id is taken; nil: refused then
	Refusal     *Refusal             // a refusal by the HTTP layer, in place of a command
	Actor       domain.Actor
	Today       domain.Date   // see domain.DecisionContext
	IfMatch     *uint64       // the version of the target that the client has seen; nil: any
	Private     []eventlog.KV // stored outside the hash chain, with the commit; a nil Value erases the key
	RequestedAt time.Time
	RecordedAt  time.Time // overrides the owner's clock; zero, except when an example is loaded

	call callID // of the message; set by the owner
}

// Refusal is a refusal that was decided before the bus. It passes through the bus so that it gets a
// receipt under the client's key, like a refusal by a rule.
type Refusal struct {
	Root  string // as domain.Stream.Root returns it
	Error domain.Error
}

// root returns the root that owns the command; it determines the partition.
func (r Request) root() string {
	if r.Refusal != nil {
		return r.Refusal.Root
	}
	return r.Command.Stream().Root()
}

// Result is the outcome of a command.
type Result struct {
	Partition eventlog.Partition
	Seq       uint64        // number of the commit; 0 if the command was refused
	Repeat    bool          // the outcome of an earlier command with the same id
	Rejection *domain.Error // nil if the command was committed
}

// envelope is the JSON form of a Request in a message. The message's UUID is the command id in hexadecimal.
type envelope struct {
	Name        string         `json:"name,omitempty"`
	Command     jsontext.Value `json:"command,omitempty"`
	Alternative jsontext.Value `json:"alternative,omitempty"`
	Refusal     *Refusal       `json:"refused,omitempty"`
	Actor       domain.Actor   `json:"actor"`
	Fingerprint []byte         `json:"fingerprint,omitempty"`
	Today       domain.Date    `json:"today"`
	IfMatch     *uint64        `json:"if_match,omitempty"`
	Private     []privateKV    `json:"private,omitempty"`
	RequestedAt time.Time      `json:"requested_at"`
	RecordedAt  time.Time      `json:"recorded_at,omitzero"`
}

// privateKV is the JSON form of an eventlog.KV. It distinguishes a missing value from an empty one.
type privateKV struct {
	Key   string  `json:"key"`
	Value *[]byte `json:"value"` // null deletes the key
}

// encode returns the message payload of a request.
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
	if request.Alternative != nil {
		_, data, err := domain.EncodeCommand(request.Alternative)
		if err != nil {
			return nil, err
		}
		wire.Alternative = data
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

// decode is the inverse of encode. With an error it returns the id and the fingerprint as far as they are
// readable, because they identify the caller.
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
	if wire.Alternative != nil {
		if request.Alternative, err = domain.DecodeCommand(wire.Name, wire.Alternative); err != nil {
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
