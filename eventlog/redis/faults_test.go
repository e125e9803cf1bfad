package redis

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// writeFault makes a server refuse writes.
type writeFault struct {
	options []string
	begin   func(*testing.T, *redistest.Server) (end func())
	message string
}

func configure(t *testing.T, server *redistest.Server, name, value string) {
	t.Helper()
	require.NoError(t, server.Client().ConfigSet(t.Context(), name, value).Err())
}

// settingFault is a fault that one value of a setting causes and another one ends.
func settingFault(name, wrong, right, message string) writeFault {
	return writeFault{message: message, begin: func(t *testing.T, server *redistest.Server) func() {
		configure(t, server, name, wrong)
		return func() { configure(t, server, name, right) }
	}}
}

// writeFaults are the faults in which a server replies with an error or refuses connections, so that it runs no
// command.
var writeFaults = map[string]writeFault{
	"READONLY": {message: "point --redis at the new master", begin: func(t *testing.T, server *redistest.Server) func() {
		require.NoError(t, server.Client().ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
		return func() { require.NoError(t, server.Client().ReplicaOf(t.Context(), "NO", "ONE").Err()) }
	}},
	"OOM":        settingFault("maxmemory", "1mb", "0", "raise it"),
	"NOREPLICAS": settingFault("min-replicas-to-write", "1", "0", "min-replicas-to-write"),
	"MISCONF": {options: []string{`save "3600 1000000"`}, message: "check its disk", begin: func(t *testing.T, server *redistest.Server) func() {
		inTheWay := filepath.Join(server.Client().ConfigGet(t.Context(), "dir").Val()["dir"], "dump.rdb")
		require.NoError(t, os.Mkdir(inTheWay, 0o700))
		saved := func() string {
			require.NoError(t, server.Client().BgSave(t.Context()).Err())
			status := func(name string) string {
				return server.Client().InfoMap(t.Context(), "persistence").Item("Persistence", name)
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
	"BUSY": {message: "SCRIPT KILL", begin: func(t *testing.T, server *redistest.Server) func() {
		configure(t, server, "busy-reply-threshold", "1")
		busy := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
		ended := async(func() error { return busy.Eval(context.Background(), "while true do end", nil).Err() })
		eventually(t, "a busy server", func() bool { return hasCode(server.Client().Ping(t.Context()).Err(), "BUSY") })
		return func() {
			require.NoError(t, server.Client().ScriptKill(t.Context()).Err())
			require.Error(t, <-ended)
			require.NoError(t, busy.Close())
		}
	}},
	"LOADING": {
		options: []string{"key-load-delay 1000", "loading-process-events-interval-bytes 1024"}, message: "still loading its file",
		begin: func(t *testing.T, server *redistest.Server) func() {
			fill := redis.NewScript(`for i = 1, 20000 do redis.call('SET', i, i) end`)
			require.ErrorIs(t, fill.Run(t.Context(), server.Client(), nil).Err(), redis.Nil)
			require.NoError(t, server.Client().BgRewriteAOF(t.Context()).Err())
			eventually(t, "a rewritten file", func() bool {
				return server.Client().InfoMap(t.Context(), "persistence").Item("Persistence", "aof_rewrite_in_progress") == "0"
			})
			server.Kill()
			begun := make(chan struct{})
			go func() {
				defer close(begun)
				server.Start()
			}()
			eventually(t, "a loading server", func() bool { return hasCode(server.Client().Ping(t.Context()).Err(), "LOADING") })
			return func() {
				configure(t, server, "key-load-delay", "0")
				<-begun
			}
		},
	},
	"connection refused": {message: "connect: connection refused", begin: func(_ *testing.T, server *redistest.Server) func() {
		server.Kill()
		return server.Start
	}},
}

// TestRefusingServer: while a server refuses writes, Health and errors give the reason and a remedy. Send is
// ErrNotSent and sends nothing. Append waits and stores the batch once when the server accepts it. Followers continue.
// No restart is needed.
func TestRefusingServer(t *testing.T) {
	for name, fault := range writeFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, fault.options...)
			log := open(t, Config{URL: server.URL()})
			owner := own(t, log, 3).mustAppend(2)
			follower := follow(t, log, eventlog.Positions{})
			require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "before"}))

			end := fault.begin(t, server)
			err := log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "refused"})
			require.ErrorIs(t, err, eventlog.ErrNotSent)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, fault.message)
			require.ErrorContains(t, log.Health(), name)
			require.ErrorContains(t, log.Health(), fault.message)
			appended := async(func() error { return owner.append(1) })
			require.Empty(t, appended, "Append waits")

			end()
			require.NoError(t, receive(t, appended, "the end of Append"))
			follower.await(owner)
			require.EqualValues(t, 3, owner.head.Seq)
			require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "after"}))
			got, err := log.Receive(t.Context(), eventlog.Topic(3), eventlog.Offset{}, 10)
			require.NoError(t, err)
			require.Equal(t, []string{"before", "after"}, []string{got[0].ID, got[1].ID})
			eventually(t, "health", func() bool { return log.Health() == nil })
			follower.end()
			owner.mustAppend(1)
		})
	}
}
