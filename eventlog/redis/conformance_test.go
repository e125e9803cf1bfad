package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestConformance runs the suite on every kind of server that a URL can name. The servers of a kind are started once
// and flushed before every test. Without TANDEM_TORTURE it skips Sentinel, which differs in connecting only.
func TestConformance(t *testing.T) {
	kinds := map[string]struct {
		limits limits
		start  func(*testing.T) (Config, []*redistest.Server)
	}{
		"one server": {
			defaultLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				server := redistest.Start(t)
				return Config{URL: server.URL()}, []*redistest.Server{server}
			},
		},
		"a replica": {
			smallLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				server := redistest.Start(t)
				redistest.StartReplica(t, server, nil)
				return Config{URL: server.URL(), Durability: Replicated}, []*redistest.Server{server}
			},
		},
		"a cluster": {
			smallLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				cluster := redistest.StartCluster(t, 3)
				return Config{URL: cluster.URL()}, cluster.Servers
			},
		},
		"a sentinel": {
			defaultLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				sentinel := redistest.StartSentinel(t)
				return Config{URL: sentinel.URL()}, []*redistest.Server{sentinel.Master}
			},
		},
	}
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			if kind == "a sentinel" && eventlogtest.Rounds(0, 1) == 0 {
				t.Skip("set TANDEM_TORTURE to run the suite behind Sentinel")
			}
			cfg, servers := k.start(t)
			cfg.limits = k.limits
			eventlogtest.Run(t, func(t *testing.T) eventlogtest.Harness { return harness(t, servers, cfg) })
		})
	}
}

// harness opens an empty log for a test of the suite.
func harness(t *testing.T, servers []*redistest.Server, cfg Config) eventlogtest.Harness {
	for _, server := range servers {
		require.NoError(t, server.Client().FlushAll(t.Context()).Err())
	}
	log, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return eventlogtest.Harness{
		Log: log,
		Reopen: func(t *testing.T) eventlog.Log {
			require.NoError(t, log.Close())
			log, err = Open(t.Context(), cfg)
			require.NoError(t, err)
			return log
		},
	}
}

// smallLimits are limits that every test reaches.
func smallLimits() limits {
	l := defaultLimits()
	l.pageCommits, l.pagePartitions, l.tailBytes, l.prefetch, l.pipeline = 7, 3, 2000, 5, 16
	return l
}
