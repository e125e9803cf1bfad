package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return l
}

// harness opens logs with the limits for the conformance suite.
func harness(most limits) func(t *testing.T) eventlogtest.Harness {
	return func(t *testing.T) eventlogtest.Harness {
		cfg := Config{Dir: t.TempDir(), limits: most}
		log := mustOpen(t, cfg)
		return eventlogtest.Harness{
			Log: log,
			Reopen: func(t *testing.T) eventlog.Log {
				require.NoError(t, log.Close())
				log = mustOpen(t, cfg)
				return log
			},
		}
	}
}

func TestConformance(t *testing.T) {
	eventlogtest.Run(t, harness(defaultLimits()))
}

// TestConformanceWithTinyLimits runs the suite where every limit is met all the time: followers
// read the file, pages are short, the write-ahead file begins again, tables are trimmed.
func TestConformanceWithTinyLimits(t *testing.T) {
	eventlogtest.Run(t, harness(limits{
		group: 3, groupBytes: 4000, tailCommits: 2, tailBytes: 4000, tailOutcomes: 1000, page: 3, pageBytes: 1500,
		walBytes: 8192, walFrames: 2, trimEvery: 2, readers: 2, location: 4, recordsAtOnce: 3,
	}))
}
