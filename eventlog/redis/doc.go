// Package redis keeps a log on Redis streams: on one server, behind Sentinel, or on a cluster. Any
// number of processes have the same log open and share its partitions. It needs Redis 7.0 or newer.
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
// "tandem:erasure" says when something was erased that may still be in a server's file; empty: nothing.
// "tandem:nodes" says until when each node counts as alive, by the server's clock, and the channel
// "tandem:owners" that a partition was given up. Other topics than those of the partitions have
// "tandem:{topic NAME}:inbox" and ":checkpoint".
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
// fencing token and names the owner; an append is refused unless both are right. (The token alone would
// not do: a server that lost its latest writes gives the same one out again.) No clock decides about
// that. A node whose clock is more than 500 ms off the server's owns nothing, because what it records
// carries its time, and its Health says so; the others share out all partitions without it. When the
// server was away for longer than a second, all nodes were silent, and none takes from another before
// that one had the time to notice.
//
// # Durability
//
// Disk: the server writes every append to its append-only file and syncs it before it answers. A crash
// or power cut of the server loses nothing. A failover can lose what the replica had not got.
//
// Replicated: an append counts when WAIT has counted all configured replicas. Only then the mark moves,
// and nobody reads past it. A new owner first makes sure of what it inherits. With fewer replicas than
// configured nothing is acknowledged, and for up to a second after one has come: its stream begins with
// its first sign. Of more replicas than configured any may confirm; see that none other is promoted.
// WAIT speaks of the replicas' memory, not of their disks.
//
// Neither promises that nothing is ever lost. A loss is found: every second, and with everything that is
// read, by comparing what is stored with what was delivered; each partition that has less, or something
// else, is named with its commits. It is kept, halts the partition, and is for a person to accept. A mark
// that is behind the chain is no loss: the replica that was promoted had the commits and not the mark.
// Commands that were sent and not handled are not counted, and not named, when a failover loses them;
// whoever waits for one is told that its outcome is unknown.
//
// # What a server must be
//
// Every connection over which something is written begins with a look at the server, once for each start of
// it and each change of its role. Open returns all that is wrong, of all servers of a cluster, and how to
// mend it; later, as after a failover, nothing is written to a server that is not fit, and Health and the
// errors say why, until it is mended. Looked at are the version, the role, maxmemory-policy noeviction;
// with Disk appendonly yes, appendfsync always, no-appendfsync-on-rewrite no, for which the user needs
// CONFIG GET; with Replicated the right to WAIT.
//
// A replica that took a whole copy of its master writes its append-only file anew in the background. When it
// is promoted before that is done, and killed, it comes up empty, with appendfsync always too (seen on
// 7.0.15). With Disk such a server is waited for: Open does for up to a minute, and later nothing is
// written to it meanwhile. What remains: a server to which connections are open, and which is made a
// replica and a master again meanwhile, is not looked at over those, and a setting that is changed at a
// running server is found with its next start or change of role.
//
// These are all the rights that a user needs, with config|get for Disk, wait for Replicated, and cluster|slots
// and command on a cluster:
//
//	~tandem:* &tandem:* +@stream +@hash +get +set +exists +evalsha +eval +script|load
//	+publish +subscribe +info +time +client|id +client|unblock
//
// And +bgrewriteaof, so that what is erased leaves the append-only file at once; see Erasing.
//
// One server may be reached with TLS (rediss://) and in another database (/2); Sentinels and clusters
// without both, and Sentinels without a password of their own.
//
// # Erasing
//
// What an append erases is gone from every key when it returns. The append-only file still has the commands
// that wrote it, so the node has every server write that file anew (BGREWRITEAOF), and again after a restart
// if it ended before that was done; some seconds later the bytes are in no file of that server. Where the
// server refuses, as managed services do, a warning says so, and the bytes go with the server's next rewrite
// (auto-aof-rewrite-percentage). Not reached from here: the files of replicas, which need a BGREWRITEAOF
// each; dump.rdb, which the next snapshot replaces ("save" settings, or BGSAVE); SLOWLOG, in memory; copies
// and backups.
//
// # Faults
//
// Each line has tests on a real server.
//
//	READONLY, LOADING, OOM, MISCONF,  Send is ErrNotSent and was not sent; Append tries again for 10 s, then its
//	NOREPLICAS, BUSY, refused         owner begins again at what is stored; followers wait. Health and every error
//	connections                       say what can be done, and all goes on by itself afterwards.
//	NOSCRIPT                          The script is loaded and run; nobody notices.
//	NOGROUP                           Cannot happen: there are no consumer groups.
//	the server is killed and started  Nothing acknowledged is lost or doubled. Append sends its batch again.
//	the answer to an append is lost   The batch is sent again and stored once. If another node has gone on meanwhile,
//	                                  the error is not ErrConflict: nobody can tell any more.
//	the answer to a send is lost      The error is not ErrNotSent.
//	the server is silent              It is given up after 3 to 4 s, also by reads that wait for something new.
//	FLUSHALL                          Send is ErrNotSent, Append ErrConflict, both as "the log is gone"; Follow ends
//	                                  with the losses of all partitions that had commits; Health says so. Nothing is
//	                                  begun anew before a person has accepted a loss.
//	a part is gone                    Its partitions are named by Health; the rest goes on.
//	an old backup is restored         Follow ends with the losses: partitions and commits. What is left can be read.
//	                                  An owner that has read commands which are gone begins again at its checkpoint.
//	a stale replica is promoted       The same.
//	replicas are cut off              (Replicated) Append and Send fail with an open outcome, nobody sees the commit, the
//	                                  lease ends, and nobody owns the partition before a replica has what is stored.
//	a replica is promoted             (Replicated) All that was acknowledged, and all that anybody saw, is there.
//	Sentinel fails over               Nodes find the new master by themselves.
//	slots of a cluster move           Appends go on; a send in between may be ErrNotSent.
//	a server of a cluster hangs       What the others hold goes on, as long as the cluster takes commands.
//	a node closes                     Others have its partitions in some milliseconds.
//	a node is paused, cut off, dead   Others have its partitions after a second and a beat. What it appends then, or
//	                                  had sent before, is refused, and its leases are lost when it can see that.
//	a clock is wrong                  See Ownership.
//	an entry written by hand          A message that no command can be read from, with all fields: a dead letter.
//	a key with a value of a wrong     Nobody reads any inbox until the key is removed. Use a server, or a database,
//	type, made by hand                for Tandem alone.
//
// # Goroutines
//
// A log has one goroutine each for signs of life, for signals of other nodes, for the comparison of
// every second, to find out whether a server that refused takes writes again, and to have files written anew
// after an erasure; two that wait with
// XREAD, for inboxes and for marks (on a cluster two for each partition, with a connection each); one
// for each server that is being written to, and one for each partition that is being taken over.
//
// # Sources
//
//   - https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ (append-only file)
//   - https://redis.io/docs/latest/operate/oss_and_stack/management/replication/ (replication ids, partial copies)
//   - https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ (acknowledged writes may be lost)
//   - https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (redirections, hash tags)
//   - https://redis.io/docs/latest/commands/wait/ (what WAIT says, and what not)
//   - https://redis.io/docs/latest/commands/xadd/ (ids that the server completes, NOMKSTREAM)
//   - https://redis.io/docs/latest/commands/client-unblock/
//   - https://redis.io/docs/latest/develop/programmability/eval-intro/ (script flags: refused before they begin)
//   - the comments of redis.conf 7.0
package redis
