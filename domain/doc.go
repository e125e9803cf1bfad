// Package domain holds the rules of Tandem: what partners may do under an agreement and what
// follows from it.
//
// It is pure. [Decide] takes a state, a command and its circumstances and returns events or an
// [*Error]; [World.Apply] folds events into a state and cannot fail. Neither reads a clock, a
// disk, a random source or a context, so a replayed history always gives the same state. The
// package imports the standard library only.
//
// The rules are numbered as in the design; each stands above the type that keeps it, and the
// scenario files under testdata/scenarios cite the numbers:
//
//   - R1 to R5 agreements: see [Agreement]
//   - R6, R7, R8 projects: see [Project]
//   - R9 to R11, R14 milestones: see [Milestone]
//   - R12 conditions and disputes: see [Condition] and [Dispute]
//   - R15 change control: see [ChangeRequest]
//   - R16, R17 audiences: see [Audience]
//
// Events and commands have a name and a JSON form. An event's are stored for ever: the examples
// under testdata/events stand for what is in somebody's log. What [EncodeEvent] and
// [EncodeCommand] write is read in one pass (see codec.go), everything else by encoding/json.
//
// Entities that a state hands out are never changed afterwards: a fold replaces them. They can be
// kept and read without a lock.
package domain
