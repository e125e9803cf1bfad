// Package bus routes commands to the owners of their partitions and returns the outcomes.
//
// The path of one command:
//
//  1. [Bus.Do] registers the caller as a waiter, encodes the [Request] and publishes it as a Watermill
//     message to the command queue of its partition.
//  2. The partition's owner, its only writer, receives the message through the Watermill router, in
//     order. It decides the command on a fork of the read model that is ahead by the commits in
//     flight, folds the resulting commit into the fork, and queues it. A refused command, and a
//     repeat of an earlier one, queues an outcome; an unreadable message queues a dead letter. The
//     ack of the message means "decided and queued".
//  3. The owner's second goroutine appends the queue, one append at a time, so that appends group commands
//     under load.
//  4. The read model applies the appended entries and calls [Bus.Applied], which hands each waiting
//     caller its [Result]. A caller therefore reads its own write.
//
// # Guarantees
//
// Exactly once. The log moves the queue's checkpoint in the same step that stores the commits. After
// a failed append the owner drops all state that is not durable and restarts from the checkpoint, so
// each command is decided once, whether or not the failed append was stored.
//
// Idempotency. A request with a client's key (a non-zero [Request.Fingerprint]) has one effect within 24 hours: a
// repeat gets the first outcome, and a different request under the same key gets [ErrKeyReused]. When
// repeats overlap, each call gets the answer to its own message: a refusal without a receipt goes only
// to the call that caused it.
//
// Isolation. No message stops the next one: an unreadable message becomes a dead letter, and a
// panic or a broken rule becomes a refusal. Handlers return no errors and nack no messages.
//
// # Ownership
//
// An owner holds its partition by a lease of the log and appends with the lease's fencing token, so an
// append under an older lease fails. It decides only while the read model and the stored head agree.
// [Bus.Owns] and [Bus.OwnershipChanged] report ownership to other parts of the node, which write their own
// key–value entries with [Bus.PutKV] under the same fencing token.
//
// # Dead letters
//
// [SummarizeDeadLetter] describes a dead letter without its values, and [Bus.Replay] submits its payload as
// a new command.
package bus
