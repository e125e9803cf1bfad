// Package projections holds the read model: the state of one node, folded from the log, from which every
// partner reads.
//
// # Promises
//
// The read model equals the fold of the events. It is the same whether it followed the log live, was replayed,
// or was restored from a snapshot and caught up.
//
// A view shows, counts and dates only events that its viewer can see; so do versions, positions and ETags. An
// invisible resource gets the same answer as one that does not exist.
//
// An event that cannot be read halts the read model with an error. Events are never skipped.
//
// A partition that has lost commits is halted while the others go on, until the operator accepts the loss. The
// caller checks [ReadModel.OpenLosses] before it serves a view. A position from before an accepted loss is an
// [ErrPositionLost].
//
// # Levels
//
// The files have the prefix of their level. No file refers to a level above its own; levels_test.go checks it.
//
//	readmodel   joins the parts
//	follow      follows the log, replays it, detects lost history
//	snapshot    writes and reads the store
//	page        renders views and caches the results
//	event       reads single events and past states
//	view        views per resource, for one viewer
//	state       the lock, the lifecycle, waiting, open losses, decisions' state
//	fold        the store: entities and lists, changed by events only
//	index       events by root and reader, moves of dates, tokens, waiting readers
//
// Package [tandem/projections/feed] reads events with a cursor, [tandem/projections/snapshot]
// encodes snapshots, [tandem/projections/sentences] renders events as sentences. The shapes of answers are in
// [tandem/api].
//
// # Concurrency
//
// One goroutine, in [ReadModel.Run], follows the log and applies groups of entries under the write lock. Views
// read under the read lock, and their results belong to the caller. A page is rendered at the first read after
// a change that its viewer can see, and cached until the next one or until midnight in a time zone that matters
// to the viewer. A cached page is found without the lock.
//
// # Files
//
// A snapshot states the heads of its partitions. One that is damaged, was written by another version of the
// program or is from before an accepted loss is not used; the log is replayed instead. A second file, written
// every second, states how far each partition was seen. Both are compared with the log at the start, so a copy
// of the log that lacks commits is detected, except those of the last second before a kill.
package projections
