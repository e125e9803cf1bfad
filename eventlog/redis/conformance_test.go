package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestConformance runs the suite on every kind of server that a URL can name. The servers of a kind are
// started once and flushed before every test.
func TestConformance(t *testing.T) {
	kinds := map[string]struct {
		limits limits
		start  func(*testing.T) (Config, []*redistest.Server)
	}{
		"one server": {
			defaultLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				s := redistest.Start(t)
				return Config{URL: s.URL()}, []*redistest.Server{s}
			},
		},
		"a replica": {
			quick(),
			func(t *testing.T) (Config, []*redistest.Server) {
				s := redistest.Start(t)
				redistest.StartReplica(t, s, nil)
				return Config{URL: s.URL(), Durability: Replicated}, []*redistest.Server{s}
			},
		},
		"a cluster": {
			quick(),
			func(t *testing.T) (Config, []*redistest.Server) {
				c := redistest.StartCluster(t, 3)
				return Config{URL: c.URL()}, c.Servers
			},
		},
		"a sentinel": {
			defaultLimits(),
			func(t *testing.T) (Config, []*redistest.Server) {
				s := redistest.StartSentinel(t)
				return Config{URL: s.URL()}, []*redistest.Server{s.Master}
			},
		},
	}
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg, servers := k.start(t)
			cfg.limits = k.limits
			eventlogtest.Run(t, func(t *testing.T) eventlogtest.Harness { return harness(t, servers, cfg) })
		})
	}
}

// harness opens an empty log for a test of the suite.
func harness(t *testing.T, servers []*redistest.Server, cfg Config) eventlogtest.Harness {
	for _, s := range servers {
		require.NoError(t, s.Client().FlushAll(t.Context()).Err())
	}
	log, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return eventlogtest.Harness{
		Log: log, InboxSurvives: true,
		Reopen: func(t *testing.T) eventlog.Log {
			require.NoError(t, log.Close())
			log, err = Open(t.Context(), cfg)
			require.NoError(t, err)
			return log
		},
	}
}

// quick are limits under which everything happens that happens in a large log.
func quick() limits {
	l := defaultLimits()
	l.page, l.pages, l.tailBytes, l.prefetch, l.pipeline = 7, 3, 2000, 5, 16
	return l
}
