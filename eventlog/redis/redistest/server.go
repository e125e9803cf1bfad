package redistest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
)

// durableConfig has the settings that Tandem requires for disk durability. Without the last line the first
// synchronisation of a replica would start with a pause.
const durableConfig = `appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
maxmemory-policy noeviction
save ""
repl-diskless-sync-delay 0`

// Server is one redis-server with its data. It can be killed and started again.
type Server struct {
	t      testing.TB
	kind   serverKind
	dir    string // redis.conf, redis.log and data
	port   int
	client *redis.Client

	mu     sync.Mutex     // serialises the methods
	proc   *serverProcess // nil after Kill
	paused bool
	master string // address of the latest ReplicaOf
}

// Start runs a durable server on a free port: appendonly yes, appendfsync always, no-appendfsync-on-rewrite no,
// maxmemory-policy noeviction, no snapshots. The options are further lines of redis.conf, such as "maxmemory 50mb",
// and override those. The server ends with the test.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, databaseKind, freePort, options)
}

// Addr returns the server's host and port.
func (s *Server) Addr() string { return address(s.port) }

// URL returns the address as redis://127.0.0.1:port.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client returns the server's client, which is closed with the test. It retries no command. A kill breaks its
// connections; the first command after the next start connects again.
func (s *Server) Client() *redis.Client { return s.client }

// Pid returns the id of the server's process, or 0 if it is not running.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return 0
	}
	return s.proc.pid
}

// Kill ends the server with SIGKILL and waits for its end. It has no effect on a server that is not running.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

// Start starts a killed server again on its port with its data, and waits until it accepts commands.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Falsef(s.t, s.proc.running(), "Start: the redis-server at %s is already running", s.Addr())
	s.begin()
}

// Restart kills the server if it is running, and starts it again like Start.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	s.begin()
}

// Pause stops the server with SIGSTOP: it keeps its connections and runs no commands until Resume.
func (s *Server) Pause() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause()
}

// Resume continues a paused server.
func (s *Server) Resume() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Truef(s.t, s.proc.running(), "Resume: the redis-server at %s is not running", s.Addr())
	s.resume()
}

// Backup copies the data of one instant while the server continues, and returns the path of the copy.
func (s *Server) Backup() string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.running() && !s.paused {
		s.pause() // no write is half done, and the set of AOF files is stable
		defer s.resume()
	}
	backup := filepath.Join(s.t.TempDir(), "data")
	require.NoError(s.t, os.CopyFS(backup, os.DirFS(s.data())))
	return backup
}

// Restore kills the server, replaces its data by a copy of the backup and starts it again. The backup is not changed
// and can be restored again, also to another server.
func (s *Server) Restore(backup string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	require.NoError(s.t, os.RemoveAll(s.data()))
	require.NoError(s.t, os.CopyFS(s.data(), os.DirFS(backup)))
	s.begin()
}

// Log returns the server's standard output since Start.
func (s *Server) Log() string {
	s.t.Helper()
	written, err := os.ReadFile(s.logFile())
	require.NoError(s.t, err)
	return string(written)
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "redis.log") }
func (s *Server) config() string  { return filepath.Join(s.dir, "redis.conf") }

// newClient returns a client that reports every error at once: it does not retry, and it connects once.
func newClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
