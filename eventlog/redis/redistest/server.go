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

// durableConfig is what Tandem asks of a server in disk mode. Without the last line a replica's first
// synchronisation would begin with a pause.
const durableConfig = `appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
maxmemory-policy noeviction
save ""
repl-diskless-sync-delay 0`

// Server is one redis-server and its data. It can be killed and started again.
type Server struct {
	t      testing.TB
	kind   serverKind
	dir    string // redis.conf, redis.log and data
	port   int
	client *redis.Client

	mu     sync.Mutex     // one verb at a time
	proc   *serverProcess // nil: killed
	paused bool
	master string // the address that ReplicaOf was told
}

// Start runs a durable server on a free port: appendonly yes, appendfsync always, no-appendfsync-on-rewrite
// no, maxmemory-policy noeviction, no snapshots. The options are further lines of redis.conf
// ("maxmemory 50mb"); they override those. The server ends with the test.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, databaseKind, freePort, options)
}

// Addr returns the host and port that clients dial.
func (s *Server) Addr() string { return address(s.port) }

// URL returns the address as redis://127.0.0.1:port.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client returns the server's one client, which is closed with the test. It repeats no command. A
// kill breaks its connections; the first command after the next start dials again.
func (s *Server) Client() *redis.Client { return s.client }

// Pid returns the id of the server's process, 0 when it does not run.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return 0
	}
	return s.proc.pid
}

// Kill ends the server with SIGKILL and waits until it is gone. A server that does not run stays so.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

// Start starts a killed server again on its port with its data, and waits until it serves commands.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Falsef(s.t, s.proc.running(), "Begin: the redis-server at %s runs already", s.Addr())
	s.begin()
}

// Restart kills the server if it runs, and starts it again as Begin does.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	s.begin()
}

// Pause stops the server with SIGSTOP: it keeps its connections and executes nothing until Resume.
func (s *Server) Pause() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause()
}

// Resume lets a paused server go on.
func (s *Server) Resume() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Truef(s.t, s.proc.running(), "Resume: the redis-server at %s does not run", s.Addr())
	s.resume()
}

// Backup copies the data as it is at one instant, while the server goes on, and returns the path of the copy.
func (s *Server) Backup() string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.running() && !s.paused {
		s.pause() // no write is half done, and no file of the AOF comes or goes
		defer s.resume()
	}
	backup := filepath.Join(s.t.TempDir(), "data")
	require.NoError(s.t, os.CopyFS(backup, os.DirFS(s.data())))
	return backup
}

// Restore kills the server, puts a copy of what Backup made in place of its data, and starts it
// again. The backup stays as it is and can be restored once more, to another server too.
func (s *Server) Restore(backup string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	require.NoError(s.t, os.RemoveAll(s.data()))
	require.NoError(s.t, os.CopyFS(s.data(), os.DirFS(backup)))
	s.begin()
}

// Log returns what the server has written to its standard output since Start.
func (s *Server) Log() string {
	s.t.Helper()
	written, err := os.ReadFile(s.logFile())
	require.NoError(s.t, err)
	return string(written)
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "redis.log") }
func (s *Server) config() string  { return filepath.Join(s.dir, "redis.conf") }

// newClient makes a client that reports every fault at once: it repeats nothing and dials once.
func newClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
