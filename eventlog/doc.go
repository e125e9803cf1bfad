// Package eventlog is the contract between Tandem and the store that keeps its history.
//
// A log has a fixed number of partitions. Each partition is one totally ordered chain of
// commits, written by one owner at a time, and beside the chain it has an inbox of commands that
// wait for a decision, the outcomes of decided ones, the records that make a repeated command
// harmless, dead letters, and a small key–value space. The log stores bytes: it knows the frame
// of a commit and nothing of what its events say.
//
// # Promises
//
// Atomic: what one [Batch] holds is stored whole or not at all, and only on top of the head, the
// fence and the checkpoint it names.
//
// Durable: when Append returns nil the batch survives a crash of the process and of the machine,
// as far as the adapter's stated durability goes. Nothing that is not durable is ever read,
// followed or reported.
//
// Dense and chained: sequence numbers of a partition start at 1 and have no gap; every commit
// carries the SHA-256 hash of the one before it. A reader that knows a [Head] can tell whether
// the log still holds the history it has seen.
//
// Honest: an error that leaves the outcome of an append open is told apart from one that wrote
// nothing (see [ErrConflict] and [ErrStopped]).
//
// The adapters are siblings that share nothing but this package: eventlog/sqlite is the embedded
// default. Package eventlogtest has the conformance suite that each of them runs, and a double in
// memory for the tests of other rooms.
package eventlog
