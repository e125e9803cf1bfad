// Package bus brings commands to the one place that decides them and brings the outcome back.
//
// [Bus.Do] publishes a command as a Watermill message into the inbox of its partition. The
// partition's owner, the only writer, gets it through the Watermill router, in order, decides it on
// a fork of the image that is ahead by the commits in flight, and queues the result; a committer
// appends what is queued, one append at a time, so that appends group by themselves under load. Do
// returns when the image of this node has applied the outcome, so a caller reads its own write.
//
// # Promises
//
// A command is handled exactly once, whatever crashes: the log moves the inbox checkpoint in the
// same step that stores the commits, and a failed append drops all that was not durable and begins
// again at the checkpoint.
//
// A command with a client's key has one effect for 24 hours; a repeat gets the first outcome, and
// another request under the same key is refused. Of repeats that overlap each gets its own answer: a
// refusal that is not remembered goes to the caller whose attempt it was, and to nobody else.
//
// Nothing a command does can stop the next one: what cannot be decoded becomes a dead letter, what
// panics or breaks a rule becomes an outcome. No handler returns an error and nothing is nacked.
package bus
