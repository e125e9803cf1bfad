package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors that an adapter returns, wrapped with what it was doing. Anything else is a fault of the
// infrastructure whose effect is unknown.
var (
	// ErrConflict: the batch did not fit the stored fence, head or checkpoint; nothing was written.
	ErrConflict = errors.New("the partition moved on")
	// ErrStopped: the log accepts nothing more in this process. For the batch that met the fault
	// the outcome is unknown; later ones wrote nothing.
	ErrStopped = errors.New("the log has stopped")
	// ErrDamaged: stored bytes are not what was written.
	ErrDamaged = errors.New("the log is damaged")
	// ErrNewer: the log was written by a newer Tandem.
	ErrNewer = errors.New("the log was written by a newer version")
	// ErrInUse: another process has the log open.
	ErrInUse = errors.New("the log is in use by another process")
	// ErrNotSent: the inbox did not take the message; sending it again cannot double it.
	ErrNotSent = errors.New("the message was not sent")
)

// LostTailError says that a reader knows commits which the log no longer holds.
type LostTailError struct {
	Partition Partition
	Known     Head // what the reader had seen
	Stored    Head // what the log holds: its head, or the commit that stands at Known.Seq
}

func (e *LostTailError) Error() string {
	if e.Stored.Seq < e.Known.Seq {
		return fmt.Sprintf("partition %d lost commits %d to %d: they were seen before and are gone", e.Partition, e.Stored.Seq+1, e.Known.Seq)
	}
	return fmt.Sprintf("partition %d has another history: commit %d has hash %.12s, known was %.12s", e.Partition, e.Known.Seq, e.Stored.Hash, e.Known.Hash)
}

// LostTails returns every LostTailError in err, also where several errors are joined.
func LostTails(err error) []*LostTailError {
	switch e := err.(type) {
	case *LostTailError:
		return []*LostTailError{e}
	case interface{ Unwrap() error }:
		return LostTails(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*LostTailError
		for _, part := range e.Unwrap() {
			all = append(all, LostTails(part)...)
		}
		return all
	}
	return nil
}

// Losses is what is known about lost commits.
type Losses struct {
	// Open are the losses that were reported and not accepted, at most one per partition, by partition.
	Open []LostTailError
	// Epochs says how many losses were accepted in each partition. Positions that were given out in
	// an earlier epoch may name commits that are gone.
	Epochs [Partitions]uint64
}

// Status describes a log to those who run it.
type Status struct {
	Kind       string // "sqlite" or "redis"
	Location   string // the file, or the server's address without its password
	Durability string // what an append survives, in a word: "disk" or "replicated"
	Bytes      uint64 // of the file, or of the server's memory
	BytesLimit uint64 // that Bytes may reach; 0: none is set
	Nodes      []string
	Partitions [Partitions]PartitionStatus
}

// PartitionStatus describes one partition.
type PartitionStatus struct {
	Head          Head      // the end of the stored chain
	Durable       uint64    // sequence number up to which it is durable and may be served
	Owner         string    // the node that owns it; empty: none
	Fence         uint64    // of the latest lease
	Waiting       uint64    // commands in the inbox
	OldestWaiting time.Time // when the oldest of them came; zero if there is none or it is not known
	DeadLetters   uint64
	Epoch         uint64         // accepted losses
	OpenLoss      *LostTailError // reported and not accepted
}

// Offset is a place in an inbox topic. Offsets of a topic are ordered; the zero Offset is before
// every message. Callers compare and keep them and read nothing else out of them.
type Offset [2]uint64

// Compare returns -1, 0 or +1 as o is before, at or after other.
func (o Offset) Compare(other Offset) int {
	return cmp.Or(cmp.Compare(o[0], other[0]), cmp.Compare(o[1], other[1]))
}

// Message is a command in an inbox.
type Message struct {
	Offset   Offset            // set by the log
	ID       string            // the sender's name for it, unique enough for logs
	Metadata map[string]string // small; may be nil
	Payload  []byte
}

// Topic returns the inbox topic of a partition's commands.
func Topic(partition Partition) string { return fmt.Sprintf("commands-%02d", partition) }

// CommandQueue carries commands to partition owners, in order. Topics are arbitrary names and come into
// being with their first use.
type CommandQueue interface {
	// Send appends m to the topic. Concurrent sends have some order; sends of one goroutine keep
	// theirs. How long a sent message lives is the adapter's stated promise. An error that is
	// ErrNotSent means that the topic does not have it; after any other it may have it.
	Send(ctx context.Context, topic string, message Message) error
	// Receive returns the messages after the given offset, oldest first, up to max of them,
	// and waits for the first one until ctx ends, when it returns ctx.Err().
	Receive(ctx context.Context, topic string, after Offset, max int) ([]Message, error)
	// Checkpoint returns the offset up to which the topic is handled.
	Checkpoint(ctx context.Context, topic string) (Offset, error)
	// Advance moves the checkpoint of a topic that no partition owns, and may drop what lies
	// before it. A partition's topic advances only with Append.
	Advance(ctx context.Context, topic string, to Offset) error
}

// Lease is the right to append to one partition.
type Lease interface {
	// Fence is the token that Append checks: higher for every later owner.
	Fence() uint64
	// Lost is closed when the right has ended, by Release or by the log.
	Lost() <-chan struct{}
	// Release gives the partition up. It is safe to call more than once.
	Release(ctx context.Context) error
}

// Receipt makes a repeated command harmless: it says how the first one ended.
type Receipt struct {
	Command   CommandID
	Request   Fingerprint
	Seq       uint64    // of the commit; 0 when the command was rejected
	Rejection []byte    // the stored problem of a rejected command, opaque to the log
	At        time.Time // UTC, microseconds
}

// Outcome is the end of a command that caused no commit of its own: a rejection, or the repeat of
// an earlier command.
type Outcome struct {
	Command   CommandID
	Request   Fingerprint
	Head      uint64  // sequence number of the head on which it was decided
	Seq       uint64  // a repeat: the commit of the first command, else 0
	Repeat    bool    // the command had been handled before
	Rejection []byte  // the problem; nil for the repeat of an accepted command
	Attempt   [8]byte // opaque to the log: which of several attempts under one id this answers
	At        time.Time
}

// DeadLetter is an inbox entry that could not be read as a command.
type DeadLetter struct {
	ID      string // the message's id
	Payload []byte
	Reason  string
	At      time.Time
}

// KV is an entry of a partition's key–value space. A nil Value deletes the key. Puts of one batch
// are applied in their order.
type KV struct {
	Key   string
	Value []byte
	// Erase says that what the key held before must leave the log's files too, not only its answers.
	// The log sees to it soon after the append and says so where it cannot; see each adapter. It
	// costs more than an append and is for what a person may ask to be forgotten.
	Erase bool
}

// Erases reports whether the batch has a put that erases.
func (b *Batch) Erases() bool {
	return slices.ContainsFunc(b.Puts, func(kv KV) bool { return kv.Erase })
}

// Batch is what an owner writes in one step.
type Batch struct {
	Partition Partition
	Fence     uint64 // of the owner's lease
	Head      Head   // expected end of the chain
	From, To  Offset // expected checkpoint of the partition's topic, and the new one

	Commits     []Commit // sealed, the first one on Head
	Outcomes    []Outcome
	Receipts    []Receipt
	DeadLetters []DeadLetter
	Puts        []KV
}

// Entry is what Follow delivers: a commit, or an outcome, in the order in which the owner wrote
// them. Exactly one field is set.
type Entry struct {
	Partition Partition
	Commit    *Commit
	Outcome   *Outcome
}

// Positions says how far a follower has got in every partition.
type Positions [Partitions]Head

// Capabilities are the properties in which adapters differ.
type Capabilities struct {
	// Shared: several processes may open the log and share its partitions. Without it one process at a time has the log
	// open and owns all partitions.
	Shared bool
	// DurableQueue: messages and checkpoints of the command queue survive the process. Without it a reopened queue is
	// empty and starts at the zero Offset.
	DurableQueue bool
}

// Log is a durable store of commits and what belongs to them. All methods are safe for
// concurrent use.
type Log interface {
	CommandQueue

	// Own waits until this process owns the partition or ctx ends. Nobody owns a partition with an
	// open loss.
	Own(ctx context.Context, partition Partition) (Lease, error)
	// Append stores a batch atomically and durably, or returns an error: ErrConflict when
	// nothing was written, anything else when the outcome may be unknown. Batches of different
	// partitions may share one durable write. The log keeps the batch's slices.
	Append(ctx context.Context, batch Batch) error
	// Head returns the durable end of a partition's chain.
	Head(ctx context.Context, partition Partition) (Head, error)
	// Heads returns the durable ends of all chains, each as it was at some moment of the call.
	Heads(ctx context.Context) (Positions, error)
	// Read returns the commits with the given sequence numbers, in the order asked for. A number
	// that the partition does not have is an error.
	Read(ctx context.Context, partition Partition, seqs []uint64) ([]Commit, error)
	// Follow calls deliver with every durable commit after the given positions and then, without
	// a gap, with every commit and outcome as it becomes durable, until ctx ends (ctx.Err()) or
	// deliver fails (its error). Commits of one partition arrive in order; outcomes of before the
	// call are not delivered. onLive, if not nil, is called once, as soon as all that was durable at
	// the call has been delivered. A position that the log does not hold is a *LostTailError and
	// nothing is delivered. Partitions with an open loss are not followed: their position is not
	// checked and nothing of them is delivered, also after the loss is accepted, until Follow is
	// called anew. A loss that is reported while Follow runs ends it with that *LostTailError.
	// Several losses found at once are returned together; LostTails finds them. deliver must not
	// keep the slice; it may keep the commits.
	Follow(ctx context.Context, from Positions, handle func([]Entry) error, onLive func()) error
	// ReportLoss keeps durably that commits up to loss.Known were seen and are gone, and ends the
	// partition's lease. Of several reports the one with the highest Known.Seq is kept. It may be
	// repeated.
	ReportLoss(ctx context.Context, loss LostTailError) error
	// Losses returns what was reported and how many losses were accepted.
	Losses(ctx context.Context) (Losses, error)
	// AcceptLoss goes on with the commits that the partition still has: it raises the partition's
	// epoch by one and forgets the report. It is for a person to decide. A partition without an open
	// loss is an error and nothing changes.
	AcceptLoss(ctx context.Context, partition Partition) error
	// Receipts returns the partition's records that are not older than since.
	Receipts(ctx context.Context, partition Partition, since time.Time) ([]Receipt, error)
	// DeadLetters returns the partition's dead letters, oldest first.
	DeadLetters(ctx context.Context, partition Partition) ([]DeadLetter, error)
	// Get returns the value of a key, nil if there is none.
	Get(ctx context.Context, partition Partition, key string) ([]byte, error)
	// Scan returns the entries whose key begins with prefix, in key order.
	Scan(ctx context.Context, partition Partition, prefix string) ([]KV, error)
	// Status describes the log; its parts may be of slightly different moments.
	Status(ctx context.Context) (Status, error)
	// Capabilities returns the adapter's properties. They never change.
	Capabilities() Capabilities
	// ClaimInstallation stores a fingerprint of the installation's key, if the log has none yet. If it has another one,
	// ClaimInstallation returns an error and changes nothing. A log that is not Shared accepts every fingerprint,
	// because its key lies beside it.
	ClaimInstallation(ctx context.Context, fingerprint string) error
	// Staleness returns the age of the newest durable state that has reached every follower of this process. It is 0
	// without followers and in a log that is not Shared.
	Staleness() time.Duration
	// CheckCapacity returns an error while the store is too full to begin anything new. Commands for what exists are
	// still accepted.
	CheckCapacity() error
	// Health returns nil while the log can append, else the reason why it cannot.
	Health() error
	// Close ends every lease and waits for writes under way.
	Close() error
}
