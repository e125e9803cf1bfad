// Package eventlog defines the contract between Tandem and the store of its history.
//
// A log has a fixed number of partitions ([Partitions]). A partition is one totally ordered chain of commits, to which
// one owner at a time appends. Beside the chain a partition has a queue of commands that wait for their decision, the
// outcomes of decided commands, receipts for repeated commands, dead letters, and a small key–value space. The log
// stores bytes: it reads the frame of a commit, but not the data of its events.
//
// # Appending
//
// A process owns a partition while it holds a [Lease] from Log.Own. It appends a [Batch]: commits, outcomes, receipts,
// dead letters, values, and the new checkpoint of the partition's command queue, all together. A batch names the state
// that it continues: the lease's fencing token, the [Head] of the chain and the checkpoint.
//
// # Guarantees
//
// Atomicity: a batch is stored as a whole or not at all, and only if the stored fencing token, head and checkpoint are
// the ones that it names. Otherwise Append returns [ErrConflict].
//
// Durability: when Append returns nil, the batch survives a crash of the process and of the machine, within the
// durability that the adapter documents. Readers and followers only see durable commits.
//
// Density and integrity: the sequence numbers of a partition start at 1 and have no gaps. Every commit carries the
// SHA-256 hash of its predecessor, so a reader that remembers a [Head] can check whether the log still holds the
// history that it has read; see [LostTailError].
//
// Error semantics: [ErrConflict] and [ErrNotSent] mean that the write did not happen. After [ErrStopped] and any other
// error of Append or Send the outcome is unknown.
//
// # Reading
//
// Log.Follow replays the commits after given positions and continues with every commit and outcome as it becomes
// durable. Log.Read reads commits by number.
//
// # Losses
//
// A store can lose acknowledged commits, for example when an old backup is restored. A follower that finds its
// position missing ends with a *[LostTailError]. Log.ReportLoss records it; then the partition has no owner until an
// operator restores the commits or gives them up with Log.AcceptLoss, which starts a new epoch of the partition.
//
// # Adapters
//
// Adapters depend on this package only and not on each other: eventlog/sqlite is the embedded default, eventlog/redis
// is shared by many nodes. Log.Capabilities names the properties in which they differ. Package eventlogtest has the
// conformance suite that every adapter runs, and an adapter in memory for tests. Package logcopy copies a log between
// adapters.
package eventlog
