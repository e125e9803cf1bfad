package redistest

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestServerIsDurable(t *testing.T) {
	t.Parallel()
	server := Start(t, "maxmemory 50mb")
	want := map[string]string{
		"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no",
		"maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1", "maxmemory": "52428800",
	}
	for name, value := range want {
		require.Equal(t, map[string]string{name: value}, server.Client().ConfigGet(t.Context(), name).Val())
	}
	options, err := redis.ParseURL(server.URL())
	require.NoError(t, err)
	require.Equal(t, server.Addr(), options.Addr)
	require.Contains(t, server.Log(), "Ready to accept connections")
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	server := Start(t)
	require.NoError(t, server.Client().Set(t.Context(), "k", "before", 0).Err())
	pid := server.Pid()
	require.NoError(t, syscall.Kill(pid, 0))

	server.Kill()
	server.Kill()
	require.Zero(t, server.Pid())
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.Error(t, server.Client().Ping(t.Context()).Err())

	server.Start()
	require.Equal(t, "before", server.Client().Get(t.Context(), "k").Val())
	server.Restart()
	require.Equal(t, "before", server.Client().Get(t.Context(), "k").Val())
	require.NotEqual(t, pid, server.Pid())
}

// TestStartWaitsForLoading fills a log that takes a while to load. Without the wait the first command would fail with
// LOADING.
func TestStartWaitsForLoading(t *testing.T) {
	t.Parallel()
	server := Start(t, "appendfsync no", "key-load-delay 100", "loading-process-events-interval-bytes 1024")
	fill := redis.NewScript(`for i = 1, 2000 do redis.call('SET', i, i) end`)
	require.ErrorIs(t, fill.Run(t.Context(), server.Client(), nil).Err(), redis.Nil)
	require.NoError(t, server.Client().BgRewriteAOF(t.Context()).Err())
	require.True(t, waitUntil(func() bool {
		return strings.Contains(server.Log(), "Background AOF rewrite finished successfully")
	}))
	server.Restart()
	require.Equal(t, "2000", server.Client().Get(t.Context(), "2000").Val())
}

func TestPausedServerAnswersNothing(t *testing.T) {
	t.Parallel()
	server := Start(t)
	server.Pause()
	answer := make(chan error, 1)
	go func() { answer <- server.Client().Set(t.Context(), "k", "v", 0).Err() }()
	select {
	case err := <-answer:
		require.Failf(t, "a paused server answered", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	server.Resume()
	require.NoError(t, <-answer)

	server.Pause()
	server.Restart()
	require.Equal(t, "v", server.Client().Get(t.Context(), "k").Val())
}

func TestRestoreBringsTheBackupBack(t *testing.T) {
	t.Parallel()
	server := Start(t)
	require.NoError(t, server.Client().Set(t.Context(), "k", "old", 0).Err())
	backup := server.Backup()
	require.NoError(t, server.Client().Set(t.Context(), "k", "new", 0).Err())
	for range 2 {
		server.Restore(backup)
		require.Equal(t, "old", server.Client().Get(t.Context(), "k").Val())
		require.NoError(t, server.Client().Set(t.Context(), "k", "newer", 0).Err())
	}
	server.Restart()
	require.Equal(t, "newer", server.Client().Get(t.Context(), "k").Val())
}

func TestTakenPortIsTriedElsewhere(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	tries := 0
	server := start(t, databaseKind, func() int {
		if tries++; tries == 1 {
			return taken.Addr().(*net.TCPAddr).Port
		}
		return freePort()
	}, nil)
	require.NotEqual(t, taken.Addr().String(), server.Addr())
	require.Equal(t, 2, tries)
	require.NoError(t, server.Client().Ping(t.Context()).Err())
}

// TestStartWaitsForItsPort: a port that another process holds for a moment fails no test.
func TestStartWaitsForItsPort(t *testing.T) {
	t.Parallel()
	server := Start(t)
	server.Kill()
	holder, err := net.Listen("tcp", server.Addr())
	require.NoError(t, err)
	before := len(server.Log())
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Start()
	}()
	require.True(t, waitUntil(func() bool { return strings.Contains(server.Log()[before:], "Address already in use") }))
	require.NoError(t, holder.Close())
	<-done
	require.NoError(t, server.Client().Ping(t.Context()).Err())
}

func TestServerAndItsChildrenEndWithTheTest(t *testing.T) {
	t.Parallel()
	var server *Server
	var group int
	t.Run("inner", func(t *testing.T) {
		server = Start(t, "rdb-key-save-delay 1000000") // a child process that never finishes its snapshot
		group = server.Pid()
		require.NoError(t, server.Client().MSet(t.Context(), "a", 1, "b", 2).Err())
		require.NoError(t, server.Client().BgSave(t.Context()).Err())
		require.True(t, groupRuns(group))
	})
	require.False(t, groupRuns(group))
	require.NoDirExists(t, server.dir)
}

func TestFailureNamesItsCause(t *testing.T) {
	t.Run("an option that Redis does not know", func(t *testing.T) {
		failed := failure(t, func(tb testing.TB) { Start(tb, "no-such-option yes") })
		require.Contains(t, failed, "no-such-option yes")
	})
	t.Run("no redis-server", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		failed := failure(t, func(tb testing.TB) { Start(tb) })
		require.Contains(t, failed, "redis-server is not on the PATH")
		require.Contains(t, failed, "setup")
	})
	t.Run("the log of a failed test", func(t *testing.T) {
		failed := failure(t, func(tb testing.TB) {
			Start(tb)
			tb.FailNow()
		})
		require.Contains(t, failed, "Ready to accept connections")
	})
}

// failure runs a test that must fail and returns its messages.
func failure(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	require.True(t, r.failed)
	return r.messages.String()
}

// recorder records a test's failure instead of failing.
type recorder struct {
	testing.TB
	failed   bool
	messages strings.Builder
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return r.failed }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Logf(format string, args ...any) { r.Errorf(format, args...) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	fmt.Fprintf(&r.messages, format, args...)
}

func (r *recorder) FailNow() {
	r.failed = true
	runtime.Goexit()
}
