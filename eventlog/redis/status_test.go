package redis

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestRoom: from 70 % of the server's memory limit on there is a warning, once; from 90 % on nothing new is to
// begin, and the reason is given, until there is room again or no limit.
func TestRoom(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	said := newLines()
	l := open(t, Config{URL: s.URL(), Logger: said.logger()})
	limit := func(share float64) {
		used, err := strconv.ParseFloat(s.Client().InfoMap(t.Context(), "memory").Item("Memory", "used_memory"), 64)
		require.NoError(t, err)
		configure(t, s, "maxmemory", strconv.FormatFloat(used/share, 'f', 0, 64))
		require.NoError(t, l.measure(t.Context()))
	}
	limit(0.5)
	require.NoError(t, l.Room())
	require.Zero(t, said.count("runs short of memory"))
	limit(0.8)
	require.NoError(t, l.Room())
	limit(0.95)
	require.ErrorContains(t, l.Room(), "raise maxmemory")
	require.Regexp(t, `uses 9\d % of its memory limit of \d+ MB`, l.Room())
	require.Equal(t, 1, said.count("runs short of memory"))
	configure(t, s, "maxmemory", "0")
	require.NoError(t, l.measure(t.Context()))
	require.NoError(t, l.Room())
}

// TestStatusOfARefusingServer: the status can be asked for while a server takes nothing, when it is needed.
func TestStatusOfARefusingServer(t *testing.T) {
	t.Parallel()
	for name, f := range refusals {
		if name == "BUSY" || name == "LOADING" || name == "connection refused" {
			continue // they answer nothing at all
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, f.options...)
			l := open(t, Config{URL: s.URL()})
			o := own(t, l, 3).must(2)
			require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
			end := f.begin(t, s)
			found, err := l.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, o.head, found.Partitions[3].Head)
			require.EqualValues(t, 1, found.Partitions[3].Waiting)
			require.NotZero(t, found.Bytes)
			end()
		})
	}
}
