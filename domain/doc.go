// Package domain implements the rules of Tandem: the actions that an agreement allows its partners, and their
// effects.
//
// # Purity
//
// [Decide] takes a state, a command and a [DecisionContext], and returns events or an [*Error]. [World.Apply]
// folds an event into a state and cannot fail. Neither reads a clock, a disk, a random source or a
// [context.Context], so replaying a history always gives the same state. The package imports only the standard
// library.
//
// # Rules
//
// The rules have the numbers of the design document. Each rule is documented at the type that enforces it, and
// has scenario files under testdata/scenarios:
//
//   - R1 to R5, agreements: [Agreement], [Amendment], [Termination]; instruments: [Detail]
//   - R6 to R8, projects: [Project], [Disposition]
//   - R9 to R11 and R14, milestones: [Milestone]
//   - R12, conditions and disputes: [Condition] and [Dispute]
//   - R15, change control: [ChangeRequest]
//   - R16 and R17, audiences: [Audience]
//
// R13, dependencies, and the acceptance clock of R12 are not built yet.
//
// Files of one aggregate share a prefix: agreement_, amendment_, instrument_, project_, change_, milestone_,
// partner_, token_, webhook_. A command stands next to its event.
//
// # Stored forms
//
// Events and commands have a stable name and JSON form. Events are stored forever: the examples under
// testdata/events represent events in existing logs and never change. [EncodeEvent] and [DecodeEvent] convert
// events, [EncodeCommand] and [DecodeCommand] commands.
//
// # Concurrency
//
// An entity returned by a [State] is never modified; a fold replaces it. Callers may keep it and read it without
// a lock. [World.ReplaceInPlace] is the one exception.
package domain
