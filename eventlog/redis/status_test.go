package redis

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestCapacity: above 70 % of the server's memory limit a warning is logged once. Above 90 % CheckCapacity returns an
// error, until memory is free again or the limit is removed.
func TestCapacity(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	logged := newLogLines()
	log := open(t, Config{URL: server.URL(), Logger: logged.logger()})
	limit := func(share float64) {
		used, err := strconv.ParseFloat(server.Client().InfoMap(t.Context(), "memory").Item("Memory", "used_memory"), 64)
		require.NoError(t, err)
		configure(t, server, "maxmemory", strconv.FormatFloat(used/share, 'f', 0, 64))
		require.NoError(t, log.measureMemory(t.Context()))
	}
	limit(0.5)
	require.NoError(t, log.CheckCapacity())
	require.Zero(t, logged.count("is low on memory"))
	limit(0.8)
	require.NoError(t, log.CheckCapacity())
	limit(0.95)
	require.ErrorContains(t, log.CheckCapacity(), "raise maxmemory")
	require.Regexp(t, `uses 9\d % of its memory limit of \d+ MB`, log.CheckCapacity())
	require.Equal(t, 1, logged.count("is low on memory"))
	configure(t, server, "maxmemory", "0")
	require.NoError(t, log.measureMemory(t.Context()))
	require.NoError(t, log.CheckCapacity())
}

// TestStatusOfARefusingServer: Status works while a server refuses writes.
func TestStatusOfARefusingServer(t *testing.T) {
	t.Parallel()
	for name, fault := range writeFaults {
		if name == "BUSY" || name == "LOADING" || name == "connection refused" {
			continue // they reply to no command
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, fault.options...)
			log := open(t, Config{URL: server.URL()})
			owner := own(t, log, 3).mustAppend(2)
			require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
			end := fault.begin(t, server)
			found, err := log.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, owner.head, found.Partitions[3].Head)
			require.EqualValues(t, 1, found.Partitions[3].Waiting)
			require.NotZero(t, found.Bytes)
			end()
		})
	}
}
