// Package redis keeps a log on Redis streams: on one server, behind Sentinel, or on a cluster. Any
// number of processes have the same log open and share its partitions.
//
// # Keys
//
// All keys of partition 7 begin with "tandem:{07}:", so that a script reaches all of them on a cluster.
//
//	inbox         stream  commands, in the order of their arrival, from every node; trimmed with each append
//	log           stream  commits, with the id <seq>-0; never trimmed
//	outcomes      stream  refusals and repeats, <seq>-<n> after commit seq; the last 4,096 or so
//	mark          stream  one entry: up to where the partition is durable; followers of other nodes wait on it
//	records       stream  the ends of commands that came with a client's key, for 25 hours
//	dead-letters  stream  what could not be read as a command
//	values        hash    the partition's key–value space
//	meta          hash    head, mark, checkpoint, owner, fencing token, last batch, epoch, reported loss
//
// "tandem:nodes" says until when each node counts as alive, by the server's clock, and the channel
// "tandem:owners" that a partition was given up.
//
// # One command
//
// Send is one XADD. It goes out in a pipeline with everything else that was to be written while the
// pipeline before was under way, so that the server syncs its file once for all of it. The partition's
// owner finds the command by a blocking XREAD over all its inboxes, on a connection of its own. Append is
// one script: it compares fencing token, owner, head and checkpoint, and writes all of the batch and the
// new checkpoint, or nothing. A batch has a name; sent again after its answer got lost it changes
// nothing. So each command is handled exactly once: what moves the checkpoint is what stores the commit.
//
// The owner's node hands the appended batch to its own followers. Those of other nodes see the mark
// move and read what is new. Whatever is read must continue the follower's chain.
//
// # Ownership
//
// A node gives a sign of life five times a second. A partition is taken over when its owner has been
// silent for a second, has given it up, or has more than its share of the 64. Taking it raises the
// fencing token, and an append with an older one is refused; no clock decides about that. A node whose
// clock is more than 500 ms off the server's owns nothing, because what it records carries its time.
//
// # Durability
//
// Disk: the server writes every append to its append-only file and syncs it before it answers. A crash
// or power cut of the server loses nothing; a failover can lose what the replica had not got.
//
// Replicated: an append counts when WAIT has counted all configured replicas. Only then the mark moves,
// and nobody reads past it. A new owner first makes sure of what it inherits. With fewer replicas than
// configured nothing is acknowledged. WAIT speaks of the replicas' memory, not of their disks:
// https://redis.io/docs/latest/commands/wait/.
//
// Neither promises that nothing is ever lost. A loss is found: every second, and with everything that is
// read, by comparing what is stored with what was delivered.
//
// # Faults
//
//	the connection breaks          Append sends the same batch again; Send says that the outcome is unknown
//	LOADING, MASTERDOWN, READONLY  Send is ErrNotSent; Append tries again for 10 s, then its owner begins again
//	OOM, MISCONF, NOREPLICAS       the same; the script is refused before it writes anything
//	NOSCRIPT                       the script is loaded and run
//	NOGROUP                        cannot happen: there are no consumer groups
//	a flushed server               Send is ErrNotSent, Append a conflict; every partition that had commits is a lost tail
//	old backup, stale replica      every partition that has less, or something else, is a lost tail
//	a paused or cut-off owner      others take over; what it appends afterwards is refused
//	an entry written by hand       a message that no command can be read from: a dead letter
//
// All errors say what can be done. Settings that a promise rests on are checked by Open.
package redis
