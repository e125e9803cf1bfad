package redis

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// fault is something that makes a server refuse what is written.
type fault struct {
	options []string
	begin   func(*testing.T, *redistest.Server) (end func())
	says    string
}

func configure(t *testing.T, s *redistest.Server, name, value string) {
	t.Helper()
	require.NoError(t, s.Client().ConfigSet(t.Context(), name, value).Err())
}

// setting is a fault that one setting makes and another value of it ends.
func settingFault(name, wrong, right, says string) fault {
	return fault{says: says, begin: func(t *testing.T, s *redistest.Server) func() {
		configure(t, s, name, wrong)
		return func() { configure(t, s, name, right) }
	}}
}

// refusals are the faults under which a server answers, or refuses to be called, and so nothing of what is
// sent is done.
var refusals = map[string]fault{
	"READONLY": {says: "point --redis at the new master", begin: func(t *testing.T, s *redistest.Server) func() {
		require.NoError(t, s.Client().ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
		return func() { require.NoError(t, s.Client().ReplicaOf(t.Context(), "NO", "ONE").Err()) }
	}},
	"OOM":        settingFault("maxmemory", "1mb", "0", "raise it"),
	"NOREPLICAS": settingFault("min-replicas-to-write", "1", "0", "min-replicas-to-write"),
	"MISCONF": {options: []string{`save "3600 1000000"`}, says: "look at its disk", begin: func(t *testing.T, s *redistest.Server) func() {
		inTheWay := filepath.Join(s.Client().ConfigGet(t.Context(), "dir").Val()["dir"], "dump.rdb")
		require.NoError(t, os.Mkdir(inTheWay, 0o700))
		saved := func() string {
			require.NoError(t, s.Client().BgSave(t.Context()).Err())
			status := func(name string) string {
				return s.Client().InfoMap(t.Context(), "persistence").Item("Persistence", name)
			}
			eventually(t, "the end of BGSAVE", func() bool { return status("rdb_bgsave_in_progress") == "0" })
			return status("rdb_last_bgsave_status")
		}
		require.Equal(t, "err", saved())
		return func() {
			require.NoError(t, os.Remove(inTheWay))
			require.Equal(t, "ok", saved())
		}
	}},
	"BUSY": {says: "SCRIPT KILL", begin: func(t *testing.T, s *redistest.Server) func() {
		configure(t, s, "busy-reply-threshold", "1")
		busy := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
		ended := started(func() error { return busy.Eval(context.Background(), "while true do end", nil).Err() })
		eventually(t, "a busy server", func() bool { return hasWord(s.Client().Ping(t.Context()).Err(), "BUSY") })
		return func() {
			require.NoError(t, s.Client().ScriptKill(t.Context()).Err())
			require.Error(t, <-ended)
			require.NoError(t, busy.Close())
		}
	}},
	"LOADING": {
		options: []string{"key-load-delay 200", "loading-process-events-interval-bytes 1024"}, says: "still reading its file",
		begin: func(t *testing.T, s *redistest.Server) func() {
			fill := redis.NewScript(`for i = 1, 20000 do redis.call('SET', i, i) end`)
			require.ErrorIs(t, fill.Run(t.Context(), s.Client(), nil).Err(), redis.Nil)
			require.NoError(t, s.Client().BgRewriteAOF(t.Context()).Err())
			eventually(t, "a rewritten file", func() bool {
				return s.Client().InfoMap(t.Context(), "persistence").Item("Persistence", "aof_rewrite_in_progress") == "0"
			})
			s.Kill()
			begun := make(chan struct{})
			go func() {
				defer close(begun)
				s.Begin()
			}()
			eventually(t, "a loading server", func() bool { return hasWord(s.Client().Ping(t.Context()).Err(), "LOADING") })
			return func() { <-begun }
		},
	},
	"connection refused": {says: "connect: connection refused", begin: func(_ *testing.T, s *redistest.Server) func() {
		s.Kill()
		return s.Begin
	}},
}

// TestRefusingServer: while a server refuses what is written, Health tells why and what can be done about it; a
// Send is ErrNotSent, with that reason, and really was not sent; an Append waits, and is stored once when the
// server takes it; whoever follows goes on. None of that needs a restart.
func TestRefusingServer(t *testing.T) {
	for name, f := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, f.options...)
			l := open(t, Config{URL: s.URL()})
			o := own(t, l, 3).must(2)
			r := follow(t, l, eventlog.Positions{})
			require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "before"}))

			end := f.begin(t, s)
			err := l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "refused"})
			require.ErrorIs(t, err, eventlog.ErrNotSent)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, f.says)
			require.ErrorContains(t, l.Health(), name)
			require.ErrorContains(t, l.Health(), f.says)
			appended := started(func() error { return o.append(1) })
			select {
			case err := <-appended:
				require.FailNowf(t, "the server took an append", "%v", err)
			case <-time.After(100 * time.Millisecond):
			}

			end()
			require.NoError(t, within(t, appended, "the end of Append"))
			r.await(o)
			require.EqualValues(t, 3, o.head.Seq)
			require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "after"}))
			got, err := l.Receive(t.Context(), eventlog.Topic(3), eventlog.Offset{}, 10)
			require.NoError(t, err)
			require.Equal(t, []string{"before", "after"}, []string{got[0].ID, got[1].ID})
			eventually(t, "health", func() bool { return l.Health() == nil })
			r.end()
			o.must(1)
		})
	}
}
