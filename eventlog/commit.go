package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"time"

	"tandem/eventlog/wire"
)

// Partitions is the number of partitions of every log. It is stored when a log is created, and a log with another
// number is refused, because it decides in which partition a root lives.
const Partitions = 64

// Partition numbers one of the independent chains of a log, from 0 to Partitions-1.
type Partition uint8

// PartitionOf returns the partition of a root: an agreement ("agreement/nokia-xiaomi-2017") or a partner's directory
// ("partner/nokia"). It is the 64-bit FNV-1a hash, folded to the number of partitions. It must not change: stored
// history depends on it.
func PartitionOf(root string) Partition {
	hasher := fnv.New64a()
	hasher.Write([]byte(root)) // a hash.Hash never returns an error
	sum := hasher.Sum64()
	return Partition((sum ^ sum>>32) % Partitions)
}

// CommandID identifies one command. The id of a command with an idempotency key derives from that key, so a repeat has
// the same id.
type CommandID [16]byte

// String returns the id in hexadecimal, as it appears in URLs.
func (id CommandID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id is unset.
func (id CommandID) IsZero() bool { return id == CommandID{} }

// ParseCommandID parses the output of String.
func ParseCommandID(text string) (CommandID, error) {
	var id CommandID
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("command id %q: want %d hexadecimal digits", text, 2*len(id))
	}
	copy(id[:], raw)
	return id, nil
}

// Fingerprint distinguishes requests that use the same idempotency key. The zero value means that the command has no
// key.
type Fingerprint [16]byte

// IsZero reports whether the command came without an idempotency key.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// Hash is a SHA-256 sum.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head identifies the last commit of a partition's chain. The zero Head is that of an empty chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// Event is one event of a commit, as stored. The log does not interpret it.
type Event struct {
	Type     string   // versioned name, such as "milestone.delivered.v1"
	Subject  string   // part of the aggregate, such as a milestone's id; empty: the whole aggregate
	Audience string   // "shared", "public" or "private:nokia"
	Data     []byte   // JSON; hashed as stored, never encoded again
	Salt     [16]byte // random, so that the hash does not reveal the data
}

// hash covers the salt and the whole event. An event can therefore be withheld or redacted later: its hash stays, and
// the chain still verifies.
func (e *Event) hash(scratch []byte) Hash {
	b := append(scratch[:0], e.Salt[:]...)
	b = wire.AppendBytes(b, e.Type)
	b = wire.AppendBytes(b, e.Subject)
	b = wire.AppendBytes(b, e.Audience)
	b = wire.AppendBytes(b, e.Data)
	return sha256.Sum256(b)
}

// Commit is the unit of the log: the events of one command.
type Commit struct {
	Partition  Partition
	Seq        uint64      // dense within the partition, from 1
	Stream     string      // aggregate: "agreement/a", "project/a/p", "partner/nokia"
	Version    uint64      // number of commits of the stream, including this one
	Command    CommandID   // that caused the commit
	Request    Fingerprint // of the request with an idempotency key; zero without a key
	Actor      string      // member id, "operator" or "system"
	Partner    string      // that the actor belongs to; empty for the operator and the system
	RecordedAt time.Time   // UTC, in microseconds; strictly increasing within the partition
	Events     []Event     // at least one
	Prev       Hash        // Hash of the preceding commit; zero for the first one
	Hash       Hash        // of this commit: header, Prev and the hash of every event
}

// Head returns the head of a chain that ends with c.
func (c *Commit) Head() Head { return Head{c.Seq, c.Hash} }

// Seal appends c to the chain that ends at head: it sets Seq, Prev and Hash. All other fields must be set before.
func (c *Commit) Seal(head Head) {
	c.Seq, c.Prev = head.Seq+1, head.Hash
	c.Hash = c.computeHash()
}

// Verify returns an error that is ErrDamaged unless c is unaltered and follows head.
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
	b = wire.AppendBytes(b, c.Stream)
	b = binary.AppendUvarint(b, c.Version)
	b = append(b, c.Command[:]...)
	b = append(b, c.Request[:]...)
	b = wire.AppendBytes(b, c.Actor)
	b = wire.AppendBytes(b, c.Partner)
	b = binary.AppendVarint(b, c.RecordedAt.UnixMicro())
	return binary.AppendUvarint(b, uint64(len(c.Events)))
}

// frameVersion is the first byte of every stored commit. ParseFrame refuses a higher version.
const frameVersion = 1

// AppendFrame appends the stored form of c to b: header, Prev, Hash and events.
func (c *Commit) AppendFrame(b []byte) []byte {
	b = c.appendHeader(b)
	b = append(b, c.Prev[:]...)
	b = append(b, c.Hash[:]...)
	for i := range c.Events {
		event := &c.Events[i]
		b = append(b, event.Salt[:]...)
		b = wire.AppendBytes(b, event.Type)
		b = wire.AppendBytes(b, event.Subject)
		b = wire.AppendBytes(b, event.Audience)
		b = wire.AppendBytes(b, event.Data)
	}
	return b
}

// ParseFrame parses the output of AppendFrame. The commit refers to parts of frame, which must not be changed
// afterwards. ParseFrame does not check the hash; call Verify. Errors are ErrDamaged or, for a higher version,
// ErrNewer.
func ParseFrame(frame []byte) (Commit, error) {
	reader := wire.NewReader(frame)
	if version := reader.Byte(); version != frameVersion && reader.Err() == nil {
		return Commit{}, fmt.Errorf("commit frame version %d is newer than this program: %w", version, ErrNewer)
	}
	commit := Commit{Partition: Partition(reader.Byte()), Seq: reader.Uvarint(), Stream: reader.Text(), Version: reader.Uvarint()}
	reader.Array(commit.Command[:])
	reader.Array(commit.Request[:])
	commit.Actor, commit.Partner = reader.Text(), reader.Text()
	commit.RecordedAt = time.UnixMicro(reader.Varint()).UTC()
	count := reader.Count(1)
	reader.Array(commit.Prev[:])
	reader.Array(commit.Hash[:])
	commit.Events = make([]Event, count)
	for i := range commit.Events {
		event := &commit.Events[i]
		reader.Array(event.Salt[:])
		event.Type, event.Subject = reader.Text(), reader.Text()
		event.Audience, event.Data = reader.Text(), reader.Bytes()
	}
	if err := reader.Close(); err != nil {
		return Commit{}, fmt.Errorf("commit frame of %d bytes: %w: %w", len(frame), ErrDamaged, err)
	}
	return commit, nil
}
