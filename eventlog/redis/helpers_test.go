package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// open opens a log and closes it after the test.
func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	log, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

// awaitHeartbeats waits until the node has sent n more heartbeats. The server stores the end of its lease.
func awaitHeartbeats(t *testing.T, server *redistest.Server, log *Log, n int) {
	t.Helper()
	leaseEnd := func() string { return server.Client().HGet(t.Context(), nodesKey, log.coordinator.node).Val() }
	last := leaseEnd()
	for range n {
		eventually(t, "a heartbeat", func() bool { return leaseEnd() != last && leaseEnd() != "" })
		last = leaseEnd()
	}
}

// calls returns how many times the server has run a command since its start.
func calls(t *testing.T, server *redistest.Server, command string) (n int) {
	t.Helper()
	stat := server.Client().InfoMap(t.Context(), "commandstats").Item("Commandstats", "cmdstat_"+command)
	_, _ = fmt.Sscanf(stat, "calls=%d", &n) // missing: 0
	return n
}

// logLines collects log lines.
type logLines struct {
	mu   sync.Mutex
	all  []string
	more chan struct{}
}

func newLogLines() *logLines { return &logLines{more: make(chan struct{})} }

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	close(l.more)
	l.more = make(chan struct{})
	return len(line), nil
}

// await waits for a line that contains the text and returns it.
func (l *logLines) await(t *testing.T, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Timeout)
	defer cancel()
	for {
		l.mu.Lock()
		all, more := l.all, l.more
		l.mu.Unlock()
		for _, line := range all {
			if strings.Contains(line, text) {
				return line
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			require.FailNowf(t, "no such line was logged", "%q is not in %q", text, all)
		}
	}
}

func (l *logLines) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
