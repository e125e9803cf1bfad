// Package webhooks sends the events that a partner may see to the partner's programs and chat channels.
//
// # Guarantees
//
// Only durable events are sent. A lane reads events from the read model, which applies only durable entries, and
// renders each event with the state directly after it, even if it is sent much later. Where history is lost, a lane
// waits until an operator accepts the loss.
//
// Every event that a webhook asks for, recorded after the webhook was added, is sent at least once, always with the
// same id. Services that deduplicate by id show it exactly once. An ordered lane sends the events of an agreement in
// order.
//
// A failing or hanging receiver does not delay other receivers.
//
// A message contains only data that was visible to the partner when the event was recorded, and private data only if
// the webhook includes it. The engine connects only to public addresses and to networks that the operator allows; see
// [NewClient].
//
// # Lanes
//
// Every webhook has a lane, which is a cursor over the event log; the log is the queue. [Engine.Applied] collects the
// agreements and directories with new entries. The run loop wakes the lanes whose partners read those agreements. A
// woken lane takes a turn: it sends up to 32 messages, one at a time, and then yields its worker to other lanes.
//
//	idle ── news ──► queued ──► running ──► waiting (for a retry, the rate limit, a digest) ──► queued
//	                              └──► idle
//
// An ordered lane, the default for programs, blocks on an event that fails. An unordered lane, the default for chats,
// skips the event and retries it while later events are sent. In a chat, more than 5 waiting events become one
// message. A webhook with a daily or weekly digest sends one message at 08:00 in the partner's time zone.
//
// # Lane state
//
// The lane state (cursor, skipped events, failures) is stored as one key–value entry in the partition of the
// partner's directory. The owner of that partition runs the lane. The engine flushes changed states at once after a
// quiet time and at most every 50 ms, so a crash repeats at most the messages of that time. Fencing prevents a
// previous owner from writing. The last 50 attempts of a webhook are stored beside the state; every node can read
// them with [ReadAttempts].
//
// # Failures
//
// After a failure, the lane retries with backoff: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, then every 24 h,
// with up to 20 % jitter, and never before the receiver's Retry-After. A rate-limited attempt is not a failure: the
// lane waits for Retry-After, or from 1 s doubling up to a minute.
//
// After 3 consecutive failures, the circuit breaker of an unordered lane opens: until the next attempt is due,
// nothing is sent. That attempt is the oldest skipped event. A success closes the breaker. A permanent failure skips
// the message in a chat; a program's lane retries it. A webhook is disabled, with a reason, if its endpoint reports
// that it is gone, or after five days without a success.
//
// Two worker pools bound the attempts in progress: 384 for lanes that work, and 128 for lanes whose last attempt
// failed or was slow.
//
// # Signing
//
// Programs get Standard Webhooks signatures (HMAC-SHA256); after a rotation, the previous secret signs too until its
// overlap ends. Feishu, Lark and DingTalk have signatures of their own. The log contains addresses and secrets only
// encrypted; see [Keyring]. The formats are in package formats.
package webhooks
