package redis

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestWrongSettingsAreNamed: Open checks every required setting. The error has all wrong ones, each with the command
// that corrects it.
func TestWrongSettingsAreNamed(t *testing.T) {
	server := redistest.Start(t)
	set := func(name, value string) {
		require.NoError(t, server.Client().ConfigSet(t.Context(), name, value).Err())
	}
	wrong := map[string]string{
		"appendonly": "no", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "yes", "maxmemory-policy": "allkeys-lru",
	}
	right := map[string]string{
		"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory-policy": "noeviction",
	}
	named := func(err error, name string) {
		require.ErrorContains(t, err, name+" is "+wrong[name]+", but must be "+right[name])
		require.ErrorContains(t, err, "redis-cli CONFIG SET "+name+" "+right[name])
	}
	for name := range wrong {
		set(name, wrong[name])
		_, err := Open(t.Context(), Config{URL: server.URL()})
		named(err, name)
		for other := range wrong {
			require.Equal(t, other == name, strings.Contains(err.Error(), other+" is "), other)
		}
		set(name, right[name])
	}
	for name, value := range wrong {
		set(name, value)
	}
	_, err := Open(t.Context(), Config{URL: server.URL()})
	for name := range wrong {
		named(err, name)
	}
	_, err = Open(t.Context(), Config{URL: server.URL(), Durability: Replicated})
	named(err, "maxmemory-policy")
	require.NotContains(t, err.Error(), "appendfsync", "replicas are what it rests on")
	require.Zero(t, server.Client().DBSize(t.Context()).Val(), "an unfit server is not written to")
	for name, value := range right {
		set(name, value)
	}
	open(t, Config{URL: server.URL()})
}

// TestEveryServerOfAClusterIsNamed: the error has all servers of a cluster with wrong settings.
func TestEveryServerOfAClusterIsNamed(t *testing.T) {
	cluster := redistest.StartCluster(t, 3)
	for _, server := range cluster.Servers[1:] {
		require.NoError(t, server.Client().ConfigSet(t.Context(), "appendfsync", "everysec").Err())
	}
	_, err := Open(t.Context(), Config{URL: cluster.URL()})
	require.ErrorContains(t, err, cluster.Servers[1].Addr()+": appendfsync is everysec")
	require.ErrorContains(t, err, cluster.Servers[2].Addr()+": appendfsync is everysec")
	require.NotContains(t, err.Error(), cluster.Servers[0].Addr()+": ")
}

// TestReplicaIsRefused: a replica is refused, and the error names its master.
func TestReplicaIsRefused(t *testing.T) {
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master, nil)
	require.NoError(t, replica.Client().ConfigSet(t.Context(), "appendfsync", "no").Err())
	_, err := Open(t.Context(), Config{URL: replica.URL()})
	require.ErrorContains(t, err, "the server is a replica of "+master.Addr())
	require.ErrorContains(t, err, "appendfsync is no", "what else is wrong is named too")
}

// TestOldVersionIsRefused: servers before 7.0 lack commands of the scripts.
func TestOldVersionIsRefused(t *testing.T) {
	for version, fit := range map[string]bool{
		"2.8.1": false, "6.2.14": false, "7.0.0": true, "7.0.15": true, "8.2.1": true, "10.0.0": true, "": true, "unstable": true,
	} {
		t.Run("version "+version, func(t *testing.T) {
			err := checkVersion(map[string]map[string]string{"Server": {"redis_version": version}})
			if fit {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "the server is Redis "+version+"; 7.0 or newer is needed: upgrade it")
		})
	}
}

// TestCONFIGNotPermitted: many managed servers forbid CONFIG. With Disk the log cannot check its settings and does not
// open; with Replicated INFO is enough.
func TestCONFIGNotPermitted(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(t, server.Client().ACLSetUser(t.Context(), "tandem", "on", ">secret", "~*", "&*", "+@all", "-config").Err())
	withUser := "redis://tandem:secret@" + server.Addr()
	_, err := Open(t.Context(), Config{URL: withUser})
	for _, name := range []string{"appendonly", "appendfsync", "no-appendfsync-on-rewrite"} {
		require.ErrorContains(t, err, name+" cannot be read (NOPERM")
	}
	require.ErrorContains(t, err, "allow CONFIG GET to this user, or use --redis-durability replicated")
	require.NotContains(t, err.Error(), "maxmemory-policy")
	require.NotContains(t, err.Error(), "secret")
	require.NoError(t, open(t, Config{URL: withUser, Durability: Replicated}).Close())
	require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory-policy", "volatile-ttl").Err())
	_, err = Open(t.Context(), Config{URL: withUser, Durability: Replicated})
	require.ErrorContains(t, err, "maxmemory-policy is volatile-ttl, but must be noeviction")
}

// TestWAITNotPermitted: with Replicated Open fails for a user without the permission for WAIT.
func TestWAITNotPermitted(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(t, server.Client().ACLSetUser(t.Context(), "tandem", "on", ">secret", "~*", "&*", "+@all", "-wait").Err())
	withUser := "redis://tandem:secret@" + server.Addr()
	_, err := Open(t.Context(), Config{URL: withUser, Durability: Replicated})
	require.ErrorContains(t, err, "WAIT is not permitted, but every append needs it: NOPERM")
	open(t, Config{URL: withUser})
}

// TestWrongPassword: the error has a remedy and does not repeat the password.
func TestWrongPassword(t *testing.T) {
	server := redistest.Start(t, "requirepass correct-horse")
	_, err := Open(t.Context(), Config{URL: server.URL()})
	require.ErrorContains(t, err, "the server requires a password: add it to the URL")
	u := url.URL{Scheme: "redis", Host: server.Addr(), User: url.UserPassword("", "battery-staple")}
	_, err = Open(t.Context(), Config{URL: u.String()})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "battery-staple")
}

// TestUnreachableServer: Open fails and names the server.
func TestUnreachableServer(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	_, err := Open(t.Context(), Config{URL: server.URL()})
	require.ErrorContains(t, err, "open the log at "+server.URL())
	require.ErrorContains(t, err, "connection refused")
}

// TestPromotedReplicaIsWaitedFor: after a full copy a replica rewrites its append-only file in the background. If it
// is promoted and crashes before, it restarts empty, whatever appendfsync is. Open waits for it, logs that, and fails
// after a limit.
func TestPromotedReplicaIsWaitedFor(t *testing.T) {
	master := redistest.Start(t)
	require.NoError(t, open(t, Config{URL: master.URL()}).Close())
	replica := redistest.Start(t, "rdb-key-save-delay 20000000") // its snapshots never finish
	host, port, _ := strings.Cut(master.Addr(), ":")
	require.NoError(t, replica.Client().ReplicaOf(t.Context(), host, port).Err())
	info := func(section, name string) string {
		return replica.Client().InfoMap(t.Context(), strings.ToLower(section)).Item(section, name)
	}
	require.Eventually(t, func() bool {
		return info("Persistence", "aof_rewrite_in_progress") == "1" && info("Replication", "master_link_status") == "up"
	}, redistest.Timeout, time.Millisecond)
	require.NoError(t, replica.Client().ReplicaOf(t.Context(), "NO", "ONE").Err())

	short := defaultLimits()
	short.serverWait = time.Millisecond
	_, err := Open(t.Context(), Config{URL: replica.URL(), limits: short})
	require.ErrorContains(t, err, "is still writing its first append-only file")

	logged := newLogLines()
	opened := make(chan error, 1)
	go func() {
		log, err := Open(t.Context(), Config{URL: replica.URL(), Logger: logged.logger()})
		if err == nil {
			err = log.Close()
		}
		opened <- err
	}()
	logged.await(t, "waiting for the log's server")
	require.Empty(t, opened)
	require.NoError(t, replica.Client().ConfigSet(t.Context(), "rdb-key-save-delay", "0").Err())
	writer := regexp.MustCompile(`rewriting started by pid (\d+)`).FindStringSubmatch(replica.Log())
	pid, err := strconv.Atoi(writer[1])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "the server begins again, and is quick now")
	require.NoError(t, <-opened)
	require.Equal(t, "0", info("Persistence", "aof_rewrite_in_progress"))
}

// leastRights are the permissions in the package comment.
const leastRights = "~tandem:* &tandem:* +@stream +@hash +get +set +exists +evalsha +eval +script|load " +
	"+publish +subscribe +ping +info +time +client|id +client|unblock"

// TestLeastRights: a user with these permissions can use all methods.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	for durability, more := range map[Durability]string{Disk: " +config|get", Replicated: " +wait"} {
		require.NoError(t, servers.master.Client().ACLSetUser(t.Context(), string(durability), strings.Fields("on >secret "+leastRights+more)...).Err())
		log := open(t, Config{URL: "redis://" + string(durability) + ":secret@" + servers.master.Addr(), Durability: durability})
		load := startLoad(t, 2, log)
		follower := follow(t, log, eventlog.Positions{})
		load.progress(20)
		load.check(log)
		owner := own(t, log, 5).mustAppend(1)
		follower.await(owner)
		follower.end()
		require.NoError(t, log.Send(t.Context(), "other", eventlog.Message{ID: "a"}))
		got, err := log.Receive(t.Context(), "other", eventlog.Offset{}, 1)
		require.NoError(t, err)
		require.NoError(t, log.Advance(t.Context(), "other", got[0].Offset))
		loss := eventlog.LostTailError{Partition: 5, Known: eventlog.Head{Seq: 9}}
		require.NoError(t, log.ReportLoss(t.Context(), loss))
		require.NoError(t, log.AcceptLoss(t.Context(), 5))
		require.NoError(t, log.ClaimInstallation(t.Context(), "claim"))
		require.NoError(t, log.measureMemory(t.Context()))
		pings := calls(t, servers.master, "ping")
		eventually(t, "a ping on the idle subscription", func() bool { return calls(t, servers.master, "ping") > pings })
		require.NoError(t, log.Health())
		require.NoError(t, log.Close())
		require.NoError(t, servers.master.Client().FlushAll(t.Context()).Err())
	}
	refused, err := servers.master.Client().ACLLog(t.Context(), 10).Result()
	require.NoError(t, err)
	require.Len(t, refused, 1, "what INFO tells instead: %v", refused)
	require.Equal(t, "config|get", refused[0].Object)
}

// TestLeastRightsOnACluster: on a cluster a user needs two more.
func TestLeastRightsOnACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	rights := "on >secret " + leastRights + " +config|get +cluster|slots +command"
	for _, server := range cluster.Servers {
		require.NoError(t, server.Client().ACLSetUser(t.Context(), "tandem", strings.Fields(rights)...).Err())
	}
	log := open(t, Config{URL: strings.Replace(cluster.URL(), "://", "://tandem:secret@", 1)})
	load := startLoad(t, 6, log)
	follower := follow(t, log, eventlog.Positions{})
	load.progress(20)
	load.check(log)
	follower.end()
	for _, server := range cluster.Servers {
		require.Empty(t, server.Client().ACLLog(t.Context(), 10).Val())
	}
}
