// Package webhooks tells programs and chat rooms what happened.
//
// # Promises
//
// What is delivered has happened: lanes read what the memory image has applied, which is durable, and an event is told
// with the state that it left behind, however late it is told. Where history is lost nothing is delivered.
//
// Every event that a webhook asks for, recorded since the webhook was added, arrives at least once, always under the
// same id, whatever crashes; ordered lanes keep the order within an agreement. Where the tool knows ids, it arrives
// once.
//
// One bad receiver delays no other: every webhook has a lane of its own, lanes whose last attempt failed have a bounded
// share of the attempts under way, and what waits holds no goroutine.
//
// Nobody is told of what its partner could not see when it happened, and nothing private unless the webhook asks for it.
// No address is called but public ones and those that the operator allows; see [NewClient].
//
// # How it works
//
// A lane is a cursor; the log is the queue. [Engine.Applied] notes which agreements have news; the dispatcher wakes the
// lanes of those who read them; a lane takes a turn of some deliveries and rests. What a lane must not forget, its
// record, is kept with the next append of the partner's directory partition, whose owner runs the lane: at once after
// a quiet time, every 50 ms in a busy one. So a crash repeats the deliveries of that time at most, and an owner
// of before can keep nothing any more. The last attempts are kept beside it, for everybody to read ([Attempts]).
//
//	idle ── news ──► queued ──► running ──► waiting (for the schedule, the tool's rate, a digest's hour) ──► queued
//	                              └──► idle
package webhooks
