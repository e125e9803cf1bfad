package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// harness opens an empty log for a test of the suite. The server is shared and flushed before.
func harness(t *testing.T, flush func(), cfg Config) eventlogtest.Harness {
	flush()
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

func flush(t *testing.T, s *redistest.Server) func() {
	return func() { require.NoError(t, s.Client().FlushAll(t.Context()).Err()) }
}

func TestConformance(t *testing.T) {
	s := redistest.Start(t)
	for name, l := range map[string]limits{"as usual": defaultLimits(), "with small limits": quick()} {
		t.Run(name, func(t *testing.T) {
			eventlogtest.Run(t, func(t *testing.T) eventlogtest.Harness {
				return harness(t, flush(t, s), Config{URL: s.URL(), limits: l})
			})
		})
	}
}
