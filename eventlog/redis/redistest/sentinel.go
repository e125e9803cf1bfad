package redistest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// MasterName is the name of a Sentinel's master.
const MasterName = "mymaster"

// sentinelKind is the Sentinel process of StartSentinel.
var sentinelKind = serverKind{args: []string{"--sentinel"}, ready: "+monitor master " + MasterName}

// Sentinel is a master, a replica and one Sentinel that promotes the replica, about 2 s after the master was killed or
// paused. A master that returns becomes a replica.
type Sentinel struct {
	Master, Replica *Server // their roles at the start
	Process         *Server // the Sentinel; its Client talks to it

	t testing.TB
}

// StartSentinel runs them (down-after-milliseconds 500, failover-timeout 2000, quorum 1), and waits until the Sentinel
// has found the replica.
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
	require.Truef(t, known, "the Sentinel has not found the replica at %s; it reports %v", sentinel.Replica.Addr(), replicas)
	return sentinel
}

// URL returns the address as redis+sentinel://127.0.0.1:port/mymaster.
func (s *Sentinel) URL() string { return "redis+sentinel://" + s.Process.Addr() + "/" + MasterName }

// AwaitMaster waits until the server is the Sentinel's master and accepts writes.
func (s *Sentinel) AwaitMaster(want *Server) {
	s.t.Helper()
	var named []string
	promoted := waitUntil(func() bool {
		named, _ = s.Process.client.Do(s.t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
		return len(named) == 2 && named[0]+":"+named[1] == want.Addr() && replication(s.t, want.client)["role"] == "master"
	})
	require.Truef(s.t, promoted, "the Sentinel's master is %v, not %s", named, want.Addr())
}

// fieldOf returns a value from a Sentinel's reply about a server: a map, or alternating names and values.
func fieldOf(reply any, name string) any {
	if values, ok := reply.(map[any]any); ok {
		return values[name]
	}
	pairs, _ := reply.([]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	return nil
}
