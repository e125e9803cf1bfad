package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// Partitions is the number of partitions of every log. It is stored when a log is created and a
// log with another number is refused, because it decides where each root lives.
const Partitions = 64

// Partition numbers one of the independent chains of a log, from 0 to Partitions-1.
type Partition uint8

// PartitionOf returns the partition of a root: an agreement ("agreement/nokia-xiaomi-2017") or a
// partner's directory ("partner/nokia"). It is the 64-bit FNV-1a hash, folded to the number of
// partitions, and can never change: stored history depends on it.
func PartitionOf(root string) Partition {
	hasher := fnv.New64a()
	hasher.Write([]byte(root)) // a hash.Hash never returns an error
	sum := hasher.Sum64()
	return Partition((sum ^ sum>>32) % Partitions)
}

// CommandID identifies one command for ever. A command that came with a client's idempotency key
// has an id derived from that key, so a repeat has the same one.
type CommandID [16]byte

// String returns the id in hexadecimal, as it appears in URLs.
func (id CommandID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id is unset.
func (id CommandID) IsZero() bool { return id == CommandID{} }

// ParseCommandID reads what String wrote.
func ParseCommandID(text string) (CommandID, error) {
	var id CommandID
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("command id %q: want %d hexadecimal digits", text, 2*len(id))
	}
	copy(id[:], raw)
	return id, nil
}

// Fingerprint tells one request from another that used the same idempotency key. The zero value
// means that the command came without a key.
type Fingerprint [16]byte

// IsZero reports whether the command came without an idempotency key.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// Hash is a SHA-256 sum.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head is the end of a partition's chain as somebody knows it. The zero Head is the end of an
// empty chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// Event is one fact of a commit, as stored. The log reads none of it.
type Event struct {
	Type     string   // versioned name: "milestone.delivered.v1"
	Subject  string   // the part of the aggregate it is about: a milestone's id; empty: all of it
	Audience string   // who may see it: "shared", "private:nokia", "public"
	Data     []byte   // JSON; hashed as stored, never marshalled again
	Salt     [16]byte // random; makes the event's hash say nothing about its content
}

// hash covers the salt and all that the event says, so that an event can later be withheld or
// redacted, leaving its hash, and the chain still checks.
func (e *Event) hash(scratch []byte) Hash {
	b := append(scratch[:0], e.Salt[:]...)
	b = appendString(b, e.Type)
	b = appendString(b, e.Subject)
	b = appendString(b, e.Audience)
	b = appendBytes(b, e.Data)
	return sha256.Sum256(b)
}

// Commit is what one command caused: the unit of the log.
type Commit struct {
	Partition  Partition
	Seq        uint64      // dense in its partition, from 1
	Stream     string      // the aggregate: "agreement/a", "project/a/p", "partner/nokia"
	Version    uint64      // commits of that stream so far, this one included
	Command    CommandID   // the command that caused it
	Request    Fingerprint // of the request behind a keyed command; zero without a key
	Actor      string      // member id, "operator" or "system"
	Partner    string      // acting partner; empty for the operator and the system
	RecordedAt time.Time   // UTC, microseconds; strictly increasing in its partition
	Events     []Event     // at least one
	Prev       Hash        // Hash of the commit before; zero for the first
	Hash       Hash        // of this commit: header, Prev and the hash of every event
}

// Head returns the chain's end once c is its last commit.
func (c *Commit) Head() Head { return Head{c.Seq, c.Hash} }

// Seal places c after head: it sets Seq, Prev and Hash. Everything else must be set before.
func (c *Commit) Seal(head Head) {
	c.Seq, c.Prev = head.Seq+1, head.Hash
	c.Hash = c.computeHash()
}

// Verify checks that c is unaltered and follows head.
func (c *Commit) Verify(head Head) error {
	switch {
	case c.Seq != head.Seq+1:
		return fmt.Errorf("partition %d: commit %d follows %d: %w", c.Partition, c.Seq, head.Seq, ErrDamaged)
	case c.Prev != head.Hash:
		return fmt.Errorf("partition %d: commit %d does not continue the chain at %d: %w", c.Partition, c.Seq, head.Seq, ErrDamaged)
	case c.Hash != c.computeHash():
		return fmt.Errorf("partition %d: commit %d was altered: %w", c.Partition, c.Seq, ErrDamaged)
	}
	return nil
}

func (c *Commit) computeHash() Hash {
	var buf [1024]byte
	b := c.appendHeader(buf[:0])
	b = append(b, c.Prev[:]...)
	var scratch [1024]byte
	for i := range c.Events {
		sum := c.Events[i].hash(scratch[:0])
		b = append(b, sum[:]...)
	}
	return sha256.Sum256(b)
}

func (c *Commit) appendHeader(b []byte) []byte {
	b = append(b, frameVersion, byte(c.Partition))
	b = binary.AppendUvarint(b, c.Seq)
	b = appendString(b, c.Stream)
	b = binary.AppendUvarint(b, c.Version)
	b = append(b, c.Command[:]...)
	b = append(b, c.Request[:]...)
	b = appendString(b, c.Actor)
	b = appendString(b, c.Partner)
	b = binary.AppendVarint(b, c.RecordedAt.UnixMicro())
	return binary.AppendUvarint(b, uint64(len(c.Events)))
}

// frameVersion is the first byte of every stored commit. A newer frame is refused, not guessed.
const frameVersion = 1

// AppendFrame appends the stored form of c to b: the header, Prev, Hash and the events.
func (c *Commit) AppendFrame(b []byte) []byte {
	b = c.appendHeader(b)
	b = append(b, c.Prev[:]...)
	b = append(b, c.Hash[:]...)
	for i := range c.Events {
		event := &c.Events[i]
		b = append(b, event.Salt[:]...)
		b = appendString(b, event.Type)
		b = appendString(b, event.Subject)
		b = appendString(b, event.Audience)
		b = appendBytes(b, event.Data)
	}
	return b
}

// ParseFrame reads what AppendFrame wrote. The commit keeps parts of frame, which must not change
// afterwards. It does not check the hash; Verify does.
func ParseFrame(frame []byte) (Commit, error) {
	reader := frameReader{rest: frame}
	if version := reader.byte(); version != frameVersion && reader.err == nil {
		return Commit{}, fmt.Errorf("commit frame version %d is newer than this program: %w", version, ErrNewer)
	}
	commit := Commit{Partition: Partition(reader.byte()), Seq: reader.uvarint(), Stream: string(reader.bytes()), Version: reader.uvarint()}
	reader.array(commit.Command[:])
	reader.array(commit.Request[:])
	commit.Actor, commit.Partner = string(reader.bytes()), string(reader.bytes())
	commit.RecordedAt = time.UnixMicro(reader.varint()).UTC()
	count := reader.uvarint()
	if count > uint64(len(frame)) {
		reader.fail()
		count = 0
	}
	reader.array(commit.Prev[:])
	reader.array(commit.Hash[:])
	commit.Events = make([]Event, count)
	for i := range commit.Events {
		event := &commit.Events[i]
		reader.array(event.Salt[:])
		event.Type, event.Subject = string(reader.bytes()), string(reader.bytes())
		event.Audience, event.Data = string(reader.bytes()), reader.bytes()
	}
	if reader.err != nil || len(reader.rest) != 0 {
		return Commit{}, errors.Join(fmt.Errorf("commit frame of %d bytes: %w", len(frame), ErrDamaged), reader.err)
	}
	return commit, nil
}

func appendBytes(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func appendString(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// frameReader takes a frame apart; after the first fault every read returns nothing.
type frameReader struct {
	rest []byte
	err  error
}

func (r *frameReader) fail() {
	r.rest, r.err = nil, errors.New("the frame ends early or a length is wrong")
}

func (r *frameReader) take(size uint64) []byte {
	if size > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	value := r.rest[:size:size]
	r.rest = r.rest[size:]
	return value
}

func (r *frameReader) array(dst []byte) { copy(dst, r.take(uint64(len(dst)))) }
func (r *frameReader) bytes() []byte    { return r.take(r.uvarint()) }

func (r *frameReader) byte() byte {
	if value := r.take(1); value != nil {
		return value[0]
	}
	return 0
}

func (r *frameReader) uvarint() uint64 {
	value, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return value
}

func (r *frameReader) varint() int64 {
	value, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return value
}
