// Package sqlite is the embedded log: one SQLite file, tandem.db, in a directory.
//
// # Durability
//
// An append that returned nil is on disk. The file is in WAL mode with synchronous=FULL; Append returns after the
// transaction with its batch is committed and synced. One goroutine writes, on its own connection. It commits all
// batches that queued during the last sync in one transaction (group commit), so that many callers share one sync.
//
// A write or sync error stops the log permanently: the batches of that transaction and all later ones fail with
// eventlog.ErrStopped and the cause, Health reports it, and the log does not retry. Durable commits can still be read and
// followed. When the cause is removed and the log is opened again, it has all acknowledged batches, and either all or
// none of the failed transaction.
//
// # Followers
//
// Followers are notified after the commit, within this process, without polling. Commits arrive in the order of their
// arrival over all partitions. A follower that falls behind the tail kept in memory reads the file until it has caught
// up; it does not delay others. The number of outcomes kept for the slowest follower is limited. Beyond the limit the
// oldest are dropped with a warning; a caller that waits for one of them times out and may repeat its command.
//
// # Command queue
//
// The command queue is in memory. Messages and checkpoints, also those that Append moves, end with the process and
// start again at the zero Offset. The sender of a command waits for its outcome, so no acknowledged command is lost. A
// batch that changes only them is not written and needs no sync.
//
// # Receipts
//
// Receipts are kept for Config.KeepReceipts and are deleted some time later.
//
// # Erasing
//
// When an append with Erase returns, the erased bytes are in none of the log's files: deleted rows are overwritten
// (secure_delete), the kv table is rewritten, and the write-ahead file is truncated before Append returns. While
// another program reads the file, the truncation is delayed and a warning is logged. Copies and backups made before,
// and blocks that the file system has freed, are outside the log's reach.
//
// # File format
//
// Table commits has one row per commit, with columns for use in the sqlite3 shell; only the frame is authoritative.
// There is no secondary index. The location of (partition, seq) is an array in memory that is loaded when the log is
// opened, from the blobs of table locations and from the rows after the last blob. A file with a million commits opens
// in a few hundredths of a second.
//
// Table meta holds the format version and, for partitions that lost commits, rows "loss NN" (reported and not
// accepted) and "epoch NN" (number of accepted losses).
//
// A lock on tandem.lock keeps other processes out. To copy a log in use, call the sqlite3 shell's ".backup": a copy of
// tandem.db alone lacks the content of tandem.db-wal.
//
// # Goroutines
//
// A log has one writer goroutine. A Follow that reads old commits has one more, which reads the next page while the
// handler processes the last one. Everything else runs on the caller's goroutine.
package sqlite
