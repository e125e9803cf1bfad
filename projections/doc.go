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
// # How it works
//
// One goroutine, in [Image.Run], follows the log and applies whole groups under the write lock.
// Views read under the read lock; what they hand out is theirs. Pages are rendered on the first
// read after a change that their viewer can see and kept until the next one, or until midnight in
// a zone that matters to the viewer; a kept page is found without the image's lock.
//
// Snapshots carry the positions they stand at. One that is damaged or was written by another
// version of the program is put aside and the log replayed; one that knows commits which the log
// has lost stops the start.
package projections
