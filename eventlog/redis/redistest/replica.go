package redistest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// StartReplica runs a durable replica of a server, with options as for Start, and waits until it has the data on its
// disk. It connects to its master through the proxy, or directly if the proxy is nil.
func StartReplica(t testing.TB, master *Server, proxy *Proxy, options ...string) *Server {
	t.Helper()
	server := Start(t, options...)
	if proxy != nil {
		server.ReplicaOf(proxy.Addr())
	} else {
		server.ReplicaOf(master.Addr())
	}
	return server
}

// ReplicaOf makes the server a replica of the one at an address, which may be that of a proxy, and waits until it has
// the data on its disk. Its own data is lost. It stays a replica when it is restarted.
func (s *Server) ReplicaOf(addr string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(s.t, err)
	s.follow(host, port)
	s.master = addr
	s.awaitSync()
}

// Promote makes a replica a master with its present data. It stays a master when it is restarted.
func (s *Server) Promote() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow("NO", "ONE")
	s.master = ""
}

// AwaitSync waits until a replica's link is up, its master lists it as online, and it has on its disk everything that
// the master had when AwaitSync was called.
func (s *Server) AwaitSync() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmptyf(s.t, s.master, "AwaitSync: the redis-server at %s is not a replica", s.Addr())
	s.awaitSync()
}

// follow sends REPLICAOF and makes the server write it to its redis.conf.
func (s *Server) follow(host, port string) {
	s.t.Helper()
	require.NoError(s.t, s.client.ReplicaOf(s.t.Context(), host, port).Err())
	require.NoError(s.t, s.client.ConfigRewrite(s.t.Context()).Err())
}

func (s *Server) awaitSync() {
	s.t.Helper()
	master := newClient(s.master)
	defer master.Close()
	var mine, its map[string]string
	goal := ""
	synced := waitUntil(func() bool {
		mine, its = replication(s.t, s.client), replication(s.t, master)
		if goal == "" {
			goal = its["master_repl_offset"]
		}
		return mine["master_link_status"] == "up" && online(its, s.port) && atLeast(mine["slave_repl_offset"], goal) && s.aofComplete()
	})
	require.Truef(s.t, synced, "the replica at %s is not synchronised with %s: it reports %v, its master %v", s.Addr(), s.master, mine, its)
}

// aofComplete reports whether the append-only file has the data. A replica that received a full copy rewrites the file
// in the background; until that is complete, it would restart empty after a crash, also after a promotion.
func (s *Server) aofComplete() bool {
	persistence := s.client.InfoMap(s.t.Context(), "persistence").Val()["Persistence"]
	return persistence["aof_enabled"] == "0" || persistence["aof_rewrite_in_progress"] == "0" && persistence["aof_rewrite_scheduled"] == "0"
}

// replication returns the replication section of INFO. It is nil if the server does not reply.
func replication(t testing.TB, client *redis.Client) map[string]string {
	return client.InfoMap(t.Context(), "replication").Val()["Replication"]
}

// online reports whether a master lists the replica on a port as online.
func online(master map[string]string, port int) bool {
	want := fmt.Sprintf(",port=%d,state=online,", port)
	for name, value := range master {
		if strings.HasPrefix(name, "slave") && strings.Contains(value, want) {
			return true
		}
	}
	return false
}

func atLeast(offset, goal string) bool {
	has, err := strconv.ParseInt(offset, 10, 64)
	wants, failed := strconv.ParseInt(goal, 10, 64)
	return err == nil && failed == nil && has >= wants
}
