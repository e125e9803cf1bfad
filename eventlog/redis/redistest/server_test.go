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
	s := Start(t, "maxmemory 50mb")
	want := map[string]string{
		"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no",
		"maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1", "maxmemory": "52428800",
	}
	for name, value := range want {
		require.Equal(t, map[string]string{name: value}, s.Client().ConfigGet(t.Context(), name).Val())
	}
	options, err := redis.ParseURL(s.URL())
	require.NoError(t, err)
	require.Equal(t, s.Addr(), options.Addr)
	require.Contains(t, s.Log(), "Ready to accept connections")
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	s := Start(t)
	require.NoError(t, s.Client().Set(t.Context(), "k", "before", 0).Err())
	pid := s.Pid()
	require.NoError(t, syscall.Kill(pid, 0))

	s.Kill()
	s.Kill()
	require.Zero(t, s.Pid())
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.Error(t, s.Client().Ping(t.Context()).Err())

	s.Begin()
	require.Equal(t, "before", s.Client().Get(t.Context(), "k").Val())
	s.Restart()
	require.Equal(t, "before", s.Client().Get(t.Context(), "k").Val())
	require.NotEqual(t, pid, s.Pid())
}

// TestBeginWaitsForLoading fills a log whose loading takes a while; without the wait the first
// command would be answered with LOADING.
func TestBeginWaitsForLoading(t *testing.T) {
	t.Parallel()
	s := Start(t, "appendfsync no", "key-load-delay 100", "loading-process-events-interval-bytes 1024")
	fill := redis.NewScript(`for i = 1, 2000 do redis.call('SET', i, i) end`)
	require.ErrorIs(t, fill.Run(t.Context(), s.Client(), nil).Err(), redis.Nil)
	require.NoError(t, s.Client().BgRewriteAOF(t.Context()).Err())
	require.True(t, until(func() bool {
		return strings.Contains(s.Log(), "Background AOF rewrite finished successfully")
	}))
	s.Restart()
	require.Equal(t, "2000", s.Client().Get(t.Context(), "2000").Val())
}

func TestPausedServerAnswersNothing(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Pause()
	answer := make(chan error, 1)
	go func() { answer <- s.Client().Set(t.Context(), "k", "v", 0).Err() }()
	select {
	case err := <-answer:
		require.Failf(t, "a paused server answered", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Resume()
	require.NoError(t, <-answer)

	s.Pause()
	s.Restart()
	require.Equal(t, "v", s.Client().Get(t.Context(), "k").Val())
}

func TestRestoreBringsTheBackupBack(t *testing.T) {
	t.Parallel()
	s := Start(t)
	require.NoError(t, s.Client().Set(t.Context(), "k", "old", 0).Err())
	backup := s.Backup()
	require.NoError(t, s.Client().Set(t.Context(), "k", "new", 0).Err())
	for range 2 {
		s.Restore(backup)
		require.Equal(t, "old", s.Client().Get(t.Context(), "k").Val())
		require.NoError(t, s.Client().Set(t.Context(), "k", "newer", 0).Err())
	}
	s.Restart()
	require.Equal(t, "newer", s.Client().Get(t.Context(), "k").Val())
}

func TestTakenPortIsTriedElsewhere(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	tries := 0
	s := start(t, database, func() int {
		if tries++; tries == 1 {
			return taken.Addr().(*net.TCPAddr).Port
		}
		return freePort()
	}, nil)
	require.NotEqual(t, taken.Addr().String(), s.Addr())
	require.Equal(t, 2, tries)
	require.NoError(t, s.Client().Ping(t.Context()).Err())
}

// TestBeginWaitsForItsPort shows that a port which somebody holds for a moment fails no test.
func TestBeginWaitsForItsPort(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Kill()
	holder, err := net.Listen("tcp", s.Addr())
	require.NoError(t, err)
	before := len(s.Log())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Begin()
	}()
	require.True(t, until(func() bool { return strings.Contains(s.Log()[before:], "Address already in use") }))
	require.NoError(t, holder.Close())
	<-done
	require.NoError(t, s.Client().Ping(t.Context()).Err())
}

func TestServerAndItsChildrenEndWithTheTest(t *testing.T) {
	t.Parallel()
	var s *Server
	var group int
	t.Run("inner", func(t *testing.T) {
		s = Start(t, "rdb-key-save-delay 1000000") // a child that writes a snapshot for ever
		group = s.Pid()
		require.NoError(t, s.Client().MSet(t.Context(), "a", 1, "b", 2).Err())
		require.NoError(t, s.Client().BgSave(t.Context()).Err())
		require.True(t, groupRuns(group))
	})
	require.False(t, groupRuns(group))
	require.NoDirExists(t, s.dir)
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

// failure runs a test that is to fail and returns what it said.
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
	return r.said.String()
}

// recorder takes a test's failure for itself.
type recorder struct {
	testing.TB
	failed   bool
	said     strings.Builder
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return r.failed }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Logf(format string, args ...any) { r.Errorf(format, args...) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	fmt.Fprintf(&r.said, format, args...)
}

func (r *recorder) FailNow() {
	r.failed = true
	runtime.Goexit()
}
