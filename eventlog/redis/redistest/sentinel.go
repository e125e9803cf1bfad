package redistest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// MasterName is what a Sentinel calls its master.
const MasterName = "mymaster"

// sentinelKind is what StartSentinel runs beside its two servers.
var sentinelKind = serverKind{args: []string{"--sentinel"}, ready: "+monitor master " + MasterName}

// Sentinel is a master, a replica and one sentinel that promotes the replica, about 2 s after the master was
// killed or paused. A master that comes back is made a replica.
type Sentinel struct {
	Master, Replica *Server // as they were at the start
	Process         *Server // the sentinel; its Client speaks to it

	t testing.TB
}

// StartSentinel runs them (down-after-milliseconds 500, failover-timeout 2000, quorum 1), and waits until the
// sentinel knows the replica.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	master := Start(t)
	sentinel := &Sentinel{t: t, Master: master, Replica: StartReplica(t, master, nil)}
	sentinel.Process = start(t, sentinelKind, freePort, []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", MasterName, master.port),
		"sentinel down-after-milliseconds " + MasterName + " 500",
		"sentinel failover-timeout " + MasterName + " 2000",
	})
	var replicas []any
	known := waitUntil(func() bool {
		replicas, _ = sentinel.Process.client.Do(t.Context(), "SENTINEL", "REPLICAS", MasterName).Slice()
		return len(replicas) == 1 && fieldOf(replicas[0], "flags") == "slave" && fieldOf(replicas[0], "master-link-status") == "ok"
	})
	require.Truef(t, known, "the sentinel does not know the replica at %s; it says %v", sentinel.Replica.Addr(), replicas)
	return sentinel
}

// URL returns the address as redis+sentinel://127.0.0.1:port/mymaster.
func (s *Sentinel) URL() string { return "redis+sentinel://" + s.Process.Addr() + "/" + MasterName }

// AwaitMaster waits until the sentinel names the server as the master and it takes writes.
func (s *Sentinel) AwaitMaster(want *Server) {
	s.t.Helper()
	var named []string
	promoted := waitUntil(func() bool {
		named, _ = s.Process.client.Do(s.t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
		return len(named) == 2 && named[0]+":"+named[1] == want.Addr() && replication(s.t, want.client)["role"] == "master"
	})
	require.Truef(s.t, promoted, "the sentinel names the master %v, not %s", named, want.Addr())
}

// fieldOf returns a value of what a sentinel says of a server: a map, or names and values by turns.
func fieldOf(said any, name string) any {
	if values, ok := said.(map[any]any); ok {
		return values[name]
	}
	pairs, _ := said.([]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	return nil
}
