// Package projections is the memory image: what every partner may read, folded from the log.
//
// # Promises
//
// An image equals the fold of the events: it is the same whether it grew with the log, was
// replayed, or was restored from a snapshot and caught up.
//
// Nobody learns anything of what it may not see. A view shows, counts and dates only the events
// that its viewer may see, and so do its versions, positions and ETags. What is invisible answers
// like what does not exist.
//
// An event that cannot be read halts the image loudly. It is never skipped.
//
// Lost history is found and named, as far as this node has seen it: the image halts in the
// partitions that have lost commits, says so ([Image.Lost]), and goes on in the others until the
// loss is accepted. Whoever serves from the image must ask. A position of before an accepted loss is
// an [ErrPositionLost].
//
// # How it works
//
// One goroutine, in [Image.Run], follows the log and applies whole groups under the write lock.
// Views read under the read lock; what they hand out is theirs. Pages are rendered on the first
// read after a change that their viewer can see and kept until the next one, or until midnight in
// a zone that matters to the viewer; a kept page is found without the image's lock.
//
// Snapshots carry the positions they stand at. One that is damaged, was written by another version
// of the program or is of before an accepted loss is put aside and the log replayed. Beside it a
// small file of marks, written every second, says how far each partition was seen. Both are compared
// with the log at the start: so an older copy of the log that was put in its place is found, but for
// what came in the last second before a kill. A log that ends a call of Follow with a loss is
// followed again without the partitions concerned.
package projections
