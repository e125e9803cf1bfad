package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of adapters, wrapped with context. After any other error the effect of a write is unknown.
var (
	// ErrConflict: the batch did not continue the stored fencing token, head or checkpoint. It was not written.
	ErrConflict = errors.New("the batch does not continue the partition")
	// ErrStopped: the log accepts no more writes in this process. The outcome of the write that met the failure is
	// unknown; later ones were not written.
	ErrStopped = errors.New("the log has stopped")
	// ErrDamaged: stored bytes differ from the written ones.
	ErrDamaged = errors.New("the log is damaged")
	// ErrNewer: the log was written by a newer version of Tandem.
	ErrNewer = errors.New("the log was written by a newer version")
	// ErrInUse: another process has the log open.
	ErrInUse = errors.New("the log is in use by another process")
	// ErrNotSent: the message is not in the command queue. Sending it again cannot double it.
	ErrNotSent = errors.New("the message was not sent")
)

// LostTailError says that a reader remembers commits that the log no longer has.
type LostTailError struct {
	Partition Partition
	Known     Head // head that the reader remembers
	Stored    Head // the log's head, or its commit with number Known.Seq
}

// Error names the lost commits, or the commit that differs.
func (e *LostTailError) Error() string {
	if e.Stored.Seq < e.Known.Seq {
		return fmt.Sprintf("partition %d lost commits %d to %d: they were seen before and are gone", e.Partition, e.Stored.Seq+1, e.Known.Seq)
	}
	return fmt.Sprintf("partition %d has another history: commit %d has hash %.12s, known was %.12s", e.Partition, e.Known.Seq, e.Stored.Hash, e.Known.Hash)
}

// LostTails returns every LostTailError in the tree of err, in order.
func LostTails(err error) []*LostTailError {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, to find every loss
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

// Losses are the lost commits of a log.
type Losses struct {
	// Open losses are reported and not accepted, at most one per partition, ordered by partition.
	Open []LostTailError
	// Epochs counts the accepted losses of each partition. A position of an earlier epoch may refer to lost commits.
	Epochs [Partitions]uint64
}

// Status describes a log for its operator.
type Status struct {
	Kind       string // "sqlite" or "redis"
	Location   string // path of the file, or the server's address without its password
	Durability string // "disk" or "replicated"
	Bytes      uint64 // size of the file, or memory used by the server
	BytesLimit uint64 // of Bytes; 0: none
	Nodes      []string
	Partitions [Partitions]PartitionStatus
}

// PartitionStatus describes one partition.
type PartitionStatus struct {
	Head          Head      // of the stored chain
	Durable       uint64    // highest sequence number that is durable and may be served
	Owner         string    // node name; empty: no owner
	Fence         uint64    // fencing token of the latest lease
	Waiting       uint64    // commands in the queue
	OldestWaiting time.Time // arrival of the oldest of them; zero if there is none, or if it is unknown
	DeadLetters   uint64
	Epoch         uint64         // number of accepted losses
	OpenLoss      *LostTailError // reported and not accepted; nil: none
}

// Offset is a position in a topic of the command queue. Offsets of a topic are ordered; the zero Offset precedes every
// message. Callers only compare and store offsets.
type Offset [2]uint64

// Compare returns -1, 0 or +1 if o is before, equal to or after other.
func (o Offset) Compare(other Offset) int {
	return cmp.Or(cmp.Compare(o[0], other[0]), cmp.Compare(o[1], other[1]))
}

// Message is a command in a command queue.
type Message struct {
	Offset   Offset            // set by the log
	ID       string            // chosen by the sender; need not be unique
	Metadata map[string]string // may be nil
	Payload  []byte
}

// Topic returns the topic of a partition's commands.
func Topic(partition Partition) string { return fmt.Sprintf("commands-%02d", partition) }

// CommandQueue carries commands to the owners of partitions, in order. Topics have arbitrary names and exist from
// their first use.
type CommandQueue interface {
	// Send appends a message to the topic. Concurrent messages get some order; messages of one goroutine keep theirs.
	// The adapter documents how long a message lives. If the error is ErrNotSent, the topic does not have the message;
	// after any other error it may have it.
	Send(ctx context.Context, topic string, message Message) error
	// Receive returns up to max messages after the offset, oldest first. It waits for the first one until ctx ends,
	// and then returns ctx.Err().
	Receive(ctx context.Context, topic string, after Offset, max int) ([]Message, error)
	// Checkpoint returns the offset up to which the topic's messages are handled.
	Checkpoint(ctx context.Context, topic string) (Offset, error)
	// Advance moves the checkpoint of a topic that belongs to no partition, and may delete the messages up to it. The
	// topic of a partition advances with Append only.
	Advance(ctx context.Context, topic string, to Offset) error
}

// Lease is the right to append to one partition.
type Lease interface {
	// Fence returns the fencing token for Append. A later lease of the partition has a higher one.
	Fence() uint64
	// Lost is closed when the lease has ended, by Release or because another process may own the partition.
	Lost() <-chan struct{}
	// Release ends the lease. It may be called more than once.
	Release(ctx context.Context) error
}

// Receipt records how a command with an idempotency key ended, so that a repeat gets the same answer.
type Receipt struct {
	Command   CommandID
	Request   Fingerprint
	Seq       uint64    // of the commit; 0 for a rejected command
	Rejection []byte    // problem of a rejected command, opaque to the log
	At        time.Time // UTC, microseconds
}

// Outcome is the end of a command without a commit of its own: a rejection, or the repeat of an earlier command.
type Outcome struct {
	Command   CommandID
	Request   Fingerprint
	Head      uint64  // sequence number of the head at the decision
	Seq       uint64  // of the first command's commit, for the repeat of an accepted command
	Repeat    bool    // the command had been handled before
	Rejection []byte  // problem; nil for the repeat of an accepted command
	Attempt   [8]byte // opaque to the log; identifies the attempt that waits for this outcome
	At        time.Time
}

// DeadLetter is a message that could not be read as a command.
type DeadLetter struct {
	ID      string // of the message
	Payload []byte
	Reason  string
	At      time.Time
}

// KV is an entry of a partition's key–value space. A nil Value deletes the key. The puts of a batch take effect in
// order.
type KV struct {
	Key   string
	Value []byte
	// Erase removes the previous value of the key from the log's files as well, soon after the append; see each
	// adapter for the limits. It is more expensive than an ordinary put and serves the erasure of personal data.
	Erase bool
}

// Erases reports whether any put of the batch has Erase set.
func (b *Batch) Erases() bool {
	return slices.ContainsFunc(b.Puts, func(kv KV) bool { return kv.Erase })
}

// Batch is the unit of Append.
type Batch struct {
	Partition Partition
	Fence     uint64 // fencing token of the owner's lease
	Head      Head   // of the chain that the batch continues
	From, To  Offset // present and new checkpoint of the partition's topic

	Commits     []Commit // sealed, the first one after Head
	Outcomes    []Outcome
	Receipts    []Receipt
	DeadLetters []DeadLetter
	Puts        []KV
}

// Entry is the unit of Follow: a commit or an outcome, in the order in which the owner appended them. Exactly one of
// Commit and Outcome is set.
type Entry struct {
	Partition Partition
	Commit    *Commit
	Outcome   *Outcome
}

// Positions are the heads up to which a follower has handled each partition.
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

// Log is a durable store of commits and of everything that belongs to them. All methods are safe for concurrent use.
type Log interface {
	CommandQueue

	// Own waits until this process owns the partition, or until ctx ends. A partition with an open loss has no owner.
	Own(ctx context.Context, partition Partition) (Lease, error)
	// Append stores a batch atomically and durably. The error is ErrConflict if the batch was not written; after any other
	// error the outcome is unknown. Batches of different partitions may share one durable write. The log keeps the
	// batch's slices.
	Append(ctx context.Context, batch Batch) error
	// Head returns the durable head of a partition.
	Head(ctx context.Context, partition Partition) (Head, error)
	// Heads returns the durable heads of all partitions, each as it was at some time during the call.
	Heads(ctx context.Context) (Positions, error)
	// Read returns the commits with the given sequence numbers, in the given order. A number beyond the partition's
	// head is an error.
	Read(ctx context.Context, partition Partition, seqs []uint64) ([]Commit, error)
	// Follow calls handle with every durable commit after the given positions and then, without a gap, with every
	// commit and outcome as it becomes durable. It returns ctx.Err() when ctx ends, or the first error of handle.
	// Commits of one partition arrive in order; outcomes that were appended before the call are left out. onLive, if
	// not nil, is called once, when everything that was durable at the call has been handled.
	//
	// A position that the log does not have is a *LostTailError, before the first call of handle. A loss that is
	// reported while Follow runs ends it with that *LostTailError. Several losses are returned together; see
	// LostTails. Partitions that have an open loss at the call are skipped, and stay skipped when the loss is
	// accepted, until the next Follow.
	//
	// handle must not keep the slice; it may keep the commits.
	Follow(ctx context.Context, from Positions, handle func([]Entry) error, onLive func()) error
	// ReportLoss records durably that the commits up to loss.Known existed and are missing, and ends the partition's
	// lease. Of several reports the log keeps the one with the highest Known.Seq. It may be called repeatedly.
	ReportLoss(ctx context.Context, loss LostTailError) error
	// Losses returns the open losses and the number of accepted ones.
	Losses(ctx context.Context) (Losses, error)
	// AcceptLoss lets the partition continue with its remaining commits: it deletes the report and increments the
	// epoch. It is an operator's decision. Without an open loss it returns an error.
	AcceptLoss(ctx context.Context, partition Partition) error
	// Receipts returns the partition's receipts that are not older than since.
	Receipts(ctx context.Context, partition Partition, since time.Time) ([]Receipt, error)
	// DeadLetters returns the partition's dead letters, oldest first.
	DeadLetters(ctx context.Context, partition Partition) ([]DeadLetter, error)
	// Get returns the value of a key, nil if the key does not exist.
	Get(ctx context.Context, partition Partition, key string) ([]byte, error)
	// Scan returns the entries whose key starts with prefix, in the order of their keys.
	Scan(ctx context.Context, partition Partition, prefix string) ([]KV, error)
	// Status describes the log. Its parts may be of slightly different times.
	Status(ctx context.Context) (Status, error)
	// Capabilities returns the adapter's properties. They never change.
	Capabilities() Capabilities
	// ClaimInstallation stores a fingerprint of the installation's key, if the log has none yet. If it has another one,
	// ClaimInstallation returns an error and keeps it. A log that is not Shared accepts every fingerprint,
	// because its key lies beside it.
	ClaimInstallation(ctx context.Context, fingerprint string) error
	// Staleness returns the age of the newest durable state that has reached every follower of this process. It is 0
	// without followers and in a log that is not Shared.
	Staleness() time.Duration
	// CheckCapacity returns an error while the store is too full for new roots. Commands for existing roots are
	// still accepted.
	CheckCapacity() error
	// Health returns nil while the log accepts appends, and otherwise the reason.
	Health() error
	// Close ends every lease and waits for writes that have started. All later calls fail with ErrStopped.
	Close() error
}
