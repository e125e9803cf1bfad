// Package redis stores a log in Redis streams: on one server, behind Sentinel, or on a cluster. Any number of
// processes may open the same log and share its partitions. It needs Redis 7.0 or newer.
//
// # Keys
//
// All keys of partition 7 start with "tandem:{07}:"; the hash tag lets one script reach all of them on a cluster.
//
//	inbox         stream  commands from every node in order of arrival; trimmed with each append
//	log           stream  commits, with id <seq>-0; never trimmed
//	outcomes      stream  outcomes without a commit, with id <seq>-<n> after commit seq; the last 4,096 or so
//	mark          stream  one entry: the durable mark; followers on other nodes block on it
//	records       stream  receipts of commands with a client's idempotency key, for 25 hours
//	dead-letters  stream  messages that could not be read as commands
//	values        hash    the partition's key–value space
//	meta          hash    head, durable mark, checkpoint, owner, fencing token, last batch, epoch, reported loss
//
// "tandem:erasure" holds the time of the last erasure that a server's file may still contain, or is empty.
// "tandem:nodes" holds for each node how long it counts as alive, by the server's clock. Nodes announce on the channel
// "tandem:owners" that they released a partition. Topics that belong to no partition use "tandem:{topic NAME}:inbox"
// and ":checkpoint".
//
// # Life of a command
//
// Send is one XADD. Writes that queue while a pipeline is under way go out together in the next one, so the server
// syncs its file once for all of them. The partition's owner receives the command through a blocking XREAD over all
// its queues, on a separate connection. Append is one script: it compares fencing token, owner, head and checkpoint,
// and writes the whole batch with the new checkpoint, or fails. A batch has a unique name; when its reply is lost and
// it is sent again, the script recognises the name and skips it. A command is therefore handled exactly once: the step
// that moves the checkpoint also stores the commit.
//
// The owner's node passes the batch to its own followers. Followers on other nodes see the durable mark move and read
// the new entries. Everything a follower reads must continue its chain.
//
// # Ownership
//
// A node sends a heartbeat five times a second. Another node takes a partition over when its owner has sent none for a
// second, has released it, or owns more than its share of the 64 partitions. A takeover raises the fencing token and
// sets the owner's name; the append script requires both. The token alone is not enough, because a server that lost
// its latest writes hands out the same token again.
//
// Ownership does not depend on synchronised clocks. But commits carry the owner's time: a node whose clock differs
// from the server's by more than 500 ms owns no partitions, and its Health reports it; the other nodes share the
// partitions without it. When the server was unreachable for longer than a second, every node missed its heartbeats;
// then no node takes partitions from another one before that one had time to send a heartbeat.
//
// # Durability
//
// [Disk]: the server writes every append to its append-only file and syncs it before it replies. A crash or power loss
// of the server loses no commits. A failover can lose commits that the replica did not have.
//
// [Replicated]: an append counts when WAIT has counted all configured replicas. Only then the durable mark moves, and
// no reader sees commits beyond it. A new owner first confirms the state that it inherits. With fewer replicas than
// configured no append is acknowledged; a new replica counts up to a second after it connects, because replication
// starts with its first acknowledgement. If there are more replicas than configured, any of them may confirm; make
// sure that only those can be promoted. WAIT confirms the replicas' memory, not their disks.
//
// Neither mode rules out a loss. The log detects it: once a second, and with every read, it compares the stored chain
// with the delivered one, and names each partition that has fewer or other commits. The loss is recorded, stops the
// partition, and is for an operator to accept. A durable mark behind the chain is no loss: the promoted replica had
// the commits but not the mark. Commands that were sent but not handled are not tracked. When a failover loses them,
// the callers that wait for their outcome learn that it is unknown.
//
// # Server requirements
//
// A writing connection first checks the server, once per start of the server and per change of its role. Open returns
// all problems of all servers of a cluster, with remedies. Later, for example after a failover, the log does not write
// to a server that fails the checks; Health and errors give the reason until it is fixed. The checks cover the
// version, the role and maxmemory-policy noeviction; with Disk appendonly yes, appendfsync always and
// no-appendfsync-on-rewrite no (the user needs CONFIG GET); with Replicated the permission to call WAIT.
//
// A replica that received a full copy of its master rewrites its append-only file in the background. If it is promoted
// and killed before that is complete, it restarts empty, even with appendfsync always (observed with 7.0.15). With
// Disk the log waits for such a server: Open for up to a minute, and later writes until it is ready. Two cases remain:
// a server that becomes a replica and then a master again is not checked on connections that stay open, and a setting
// that is changed at run time is found with the server's next start or change of role.
//
// A user needs these permissions, plus config|get for Disk, wait for Replicated, and cluster|slots and command on a
// cluster:
//
//	~tandem:* &tandem:* +@stream +@hash +get +set +exists +evalsha +eval +script|load
//	+publish +subscribe +ping +info +time +client|id +client|unblock
//
// With +bgrewriteaof erased data leaves the append-only file at once; see Erasing.
//
// A single server may use TLS (rediss://) and another database (/2). Sentinels and clusters support neither, and
// Sentinels no password of their own.
//
// # Erasing
//
// When an append with Erase returns, no key holds the erased value. The append-only file still has the commands that
// wrote it; therefore the node calls BGREWRITEAOF on every server, again after a restart if it ended before that was
// complete. Some seconds later no file of the server has the value. If the server refuses, as managed services do, a
// warning is logged, and the value disappears with the server's next rewrite (auto-aof-rewrite-percentage). The log
// cannot reach: the files of replicas, which need BGREWRITEAOF each; dump.rdb, which the next snapshot replaces
// ("save" settings, or BGSAVE); SLOWLOG, in memory; copies and backups.
//
// # Failures
//
// Each line is tested on a real server.
//
//	READONLY, LOADING, OOM, MISCONF,  Send returns ErrNotSent; Append retries for 10 s, then its owner restarts from the
//	NOREPLICAS, BUSY, refused         stored state; followers wait. Health and every error give a remedy, and the log
//	connections                       continues without intervention.
//	NOSCRIPT                          The script is loaded and run.
//	NOGROUP                           Cannot occur: there are no consumer groups.
//	server killed and restarted       No acknowledged batch is lost or doubled. Append sends its batch again.
//	reply to an append lost           The batch is sent again and stored once. If another node has appended meanwhile,
//	                                  the error is not ErrConflict, because the outcome is unknown.
//	reply to a send lost              The error is not ErrNotSent.
//	server does not respond           Calls fail after 3 to 4 s, blocking reads too.
//	FLUSHALL                          Send returns ErrNotSent, Append ErrConflict, both with "the log is gone"; Follow
//	                                  ends with the losses of all partitions that had commits; Health reports it. The
//	                                  log starts again when an operator has accepted a loss.
//	some partitions missing           Health names them; the others continue.
//	old backup restored               Follow ends with the losses: partitions and commits. The rest can be read. An owner
//	                                  that received commands which are lost restarts from its checkpoint.
//	stale replica promoted            The same.
//	replicas disconnected             (Replicated) Append and Send fail with an unknown outcome, no reader sees the
//	                                  commit, the lease ends, and the partition has no owner until a replica has
//	                                  everything that is stored.
//	replica promoted                  (Replicated) All acknowledged commits and all that were read are present.
//	Sentinel failover                 Nodes find the new master.
//	cluster slots move                Appends continue; a concurrent send may return ErrNotSent.
//	cluster server hangs              Partitions on the other servers continue while the cluster accepts commands.
//	node closes                       Other nodes own its partitions within milliseconds.
//	node paused, disconnected, dead   Other nodes own its partitions after a second and a heartbeat. Its later appends,
//	                                  and those that it had sent before, are refused; its leases end when it notices.
//	wrong clock                       See Ownership.
//	entry written by hand             A message that is no command, with all its fields, becomes a dead letter.
//	key of a wrong type               No queue is read until the key is removed. Use a server or a database for Tandem
//	                                  alone.
//
// # Goroutines
//
// A log has one goroutine each for heartbeats, for announcements of other nodes, for the comparison every second, for
// probing servers that refused a write, and for rewriting files after an erasure; two that block in XREAD, for command
// queues and for durable marks (on a cluster two for each partition, with a connection each); one for each server that
// is being written to, and one for each partition that is being taken over.
//
// # Sources
//
// - https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ (append-only file)
// - https://redis.io/docs/latest/operate/oss_and_stack/management/replication/ (replication ids, partial copies)
// - https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ (acknowledged writes may be lost)
// - https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (redirections, hash tags)
// - https://redis.io/docs/latest/commands/wait/ (meaning and limits of WAIT)
// - https://redis.io/docs/latest/commands/xadd/ (ids that the server completes, NOMKSTREAM)
// - https://redis.io/docs/latest/commands/client-unblock/
// - https://redis.io/docs/latest/develop/programmability/eval-intro/ (script flags: refused before they begin)
// - the comments of redis.conf 7.0
package redis
