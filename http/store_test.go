package http

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

// onRedis makes this package's tests run on Redis servers instead of the embedded log.
const onRedis = "TANDEM_TEST_HTTP_ON_REDIS"

// dependsOnStore matches the tests whose result can depend on the store.
const dependsOnStore = "^Test(.*(Loss|Lost|Log|Key|Feed|Stream|Poll|Command|MinPosition|DeadLetter|Replay).*|Operations|Prefer|Paging)$"

// TestOnRedis runs the tests of this package again on Redis servers, one per environment: those that depend on the
// store, and in task torture all.
func TestOnRedis(t *testing.T) {
	if os.Getenv(onRedis) != "" {
		return // the nested run
	}
	tests := dependsOnStore
	if eventlogtest.AllRounds() {
		tests = "."
	}
	self, err := os.Executable()
	require.NoError(t, err)
	again := exec.Command(self, "-test.timeout=0", "-test.run="+tests)
	again.Env = append(os.Environ(), onRedis+"=1")
	out, err := again.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	t.Logf("%s", out)
}

// store is an environment's log while no node has it open.
type store interface {
	kind() string
	open() eventlog.Log
	// backup copies the closed log.
	backup() string
	// restore replaces the log by a copy.
	restore(backup string)
}

func newStore(e *env) store {
	if os.Getenv(onRedis) != "" {
		return &redisStore{e.t, redistest.Start(e.t)}
	}
	return &sqliteStore{e.t, sqlite.Config{Dir: e.dir, Now: e.clock.Now}}
}

type sqliteStore struct {
	t   testing.TB
	cfg sqlite.Config
}

func (s *sqliteStore) kind() string { return "sqlite" }

func (s *sqliteStore) open() eventlog.Log {
	log, err := sqlite.Open(s.t.Context(), s.cfg)
	require.NoError(s.t, err)
	return log
}

func (s *sqliteStore) backup() string {
	to := filepath.Join(s.t.TempDir(), sqlite.FileName)
	s.replace(to, filepath.Join(s.cfg.Dir, sqlite.FileName))
	return to
}

func (s *sqliteStore) restore(backup string) {
	s.replace(filepath.Join(s.cfg.Dir, sqlite.FileName), backup)
}

func (s *sqliteStore) replace(to, from string) {
	s.t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(to, data, 0o600))
}

type redisStore struct {
	t      testing.TB
	server *redistest.Server
}

func (s *redisStore) kind() string { return "redis" }

func (s *redisStore) open() eventlog.Log {
	log, err := redis.Open(s.t.Context(), redis.Config{URL: s.server.URL()})
	require.NoError(s.t, err)
	return log
}

func (s *redisStore) backup() string        { return s.server.Backup() }
func (s *redisStore) restore(backup string) { s.server.Restore(backup) }
