// Package sqlite is the embedded log: one file, tandem.db, in a directory, and no server.
//
// # Promises
//
// An append that returned nil is on the disk: the file is in WAL mode with synchronous=FULL, and
// the transaction that holds the batch was committed and synced before the answer. One goroutine
// writes, on a connection of its own. It takes all batches that came while the last sync ran and
// commits them in one transaction, so that many callers share one sync.
//
// A write or sync error stops the log for good: the batches of that transaction and all later
// ones get eventlog.ErrStopped with the cause, Health reports it, and nothing is tried again.
// What was durable before is still read and followed. Opening the log again, after the cause is
// removed, finds everything that was acknowledged, and of the failed transaction all or nothing.
//
// Followers are told after the commit, in this process; nothing polls. A follower that is too
// slow for the tail kept in memory reads the file until it has caught up, and holds nobody up.
// Commits come in the order of their arrival over all partitions. The outcomes that wait for the
// slowest follower are limited in number; beyond it the oldest are dropped with a warning, and
// who waits for one waits in vain, and may repeat the command.
//
// The inbox is in memory. Messages and checkpoints, also those that Append moves, end with the
// process and begin again at the zero Offset: who sent a command waits for its end, so nothing
// acknowledged is lost. A batch that changes nothing else is not written and costs no sync.
//
// Records are kept for Config.KeepRecords and dropped some time after.
//
// # Erasing
//
// When an append that erases has returned, the bytes of what it erased are in no file of the log:
// deleted rows are overwritten, the table of values is written anew, and the write-ahead file is
// cut to nothing, before anybody is told. While another program reads the file the last of these
// waits, with a warning. Copies and backups made before are for those who keep them to deal with,
// and what a disk keeps of freed blocks is for its encryption.
//
// # File
//
// Table commits has one row per commit, with the columns to find one's way in the sqlite3 shell;
// what counts is the frame. There is no secondary index: the place of (partition, seq) is an
// array in memory, loaded at open from the blobs of table locations and the rows after the last
// of them. A file of one million commits opens in a few hundredths of a second.
//
// Rows "loss NN" of table meta are what was reported as lost in partition NN and not accepted yet, rows
// "epoch NN" how many losses were accepted there. Most files have neither.
//
// A lock on tandem.lock keeps a second process out. To make a copy of a log in use, take the
// sqlite3 shell's ".backup"; copying tandem.db alone leaves out what is still in tandem.db-wal.
//
// # Goroutines
//
// One writer per log. Every Follow that reads the past has one more, which reads the next page
// while the last is delivered. Everything else runs on its caller's goroutine.
package sqlite
