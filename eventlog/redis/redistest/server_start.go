package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serverKind is a mode of the redis-server program.
type serverKind struct {
	config string   // lines of redis.conf
	args   []string // after the name of the file
	ready  string   // line that it writes when it accepts commands
}

// databaseKind is the mode of Start.
var databaseKind = serverKind{config: durableConfig, ready: "Ready to accept connections"}

// errPortTaken: another process listens on the port.
var errPortTaken = errors.New("the port is taken")

const (
	portTries = 20
	logLines  = 20 // lines of the server's log that a failed test shows

	notInstalled = `redis-server is not on the PATH, and this test runs a real one. To install it:
  Debian, Ubuntu, macOS   go run github.com/go-task/task/v3/cmd/task@v3.53.1 setup
  elsewhere               the system's package of Redis 7 or newer`
)

// start runs a server on a port of choose, and on the next one if another process took it.
func start(t testing.TB, kind serverKind, choose func() int, options []string) *Server {
	t.Helper()
	server := &Server{t: t, kind: kind, dir: t.TempDir()}
	require.NoError(t, os.Mkdir(server.data(), 0o700))
	t.Cleanup(server.end)
	err := errPortTaken
	for try := 0; errors.Is(err, errPortTaken) && try < portTries; try++ {
		server.port = choose()
		lines := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\n%s\n%s\n",
			server.port, strconv.Quote(server.data()), kind.config, strings.Join(options, "\n"))
		require.NoError(t, os.WriteFile(server.config(), []byte(lines), 0o600))
		err = server.launch()
	}
	require.NoError(t, err)
	server.client = newClient(server.Addr())
	return server
}

// begin starts the server on its old port. It retries, because freePort in another process may hold the port for an
// instant.
func (s *Server) begin() {
	s.t.Helper()
	var err error
	waitUntil(func() bool {
		err = s.launch()
		return !errors.Is(err, errPortTaken)
	})
	require.NoError(s.t, err)
}

// launch runs the program once, until it accepts commands.
func (s *Server) launch() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New(notInstalled)
	}
	output, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	before, err := output.Stat()
	if err != nil {
		return err
	}
	s.proc, err = runProcess(output, program, append([]string{s.config()}, s.kind.args...)...)
	if err != nil {
		return err
	}
	s.paused = false
	return s.awaitReady(int(before.Size()))
}

// awaitReady waits for the line in the log, from the offset on, that the server is ready. The log belongs to this
// server, whereas another one might reply on the port.
func (s *Server) awaitReady(offset int) error {
	var written []byte
	ready := false
	late := !waitUntil(func() bool {
		running := s.proc.running() // checked first: output before its end is read below
		all, _ := os.ReadFile(s.logFile())
		written = all[min(offset, len(all)):]
		ready = bytes.Contains(written, []byte(s.kind.ready))
		return ready || !running
	})
	switch {
	case ready:
		return nil
	case bytes.Contains(written, []byte("Address already in use")):
		s.kill()
		return errPortTaken
	case late:
		s.kill()
		return fmt.Errorf("redis-server was not ready within %v:\n%s", Timeout, lastLines(written))
	default:
		return fmt.Errorf("redis-server does not start:\n%s", lastLines(written))
	}
}

func (s *Server) kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

func (s *Server) pause() {
	s.t.Helper()
	require.Truef(s.t, s.proc.running(), "the redis-server at %s is not running", s.Addr())
	require.Truef(s.t, s.proc.pause(), "the redis-server at %s does not stop", s.Addr())
	s.paused = true
}

func (s *Server) resume() {
	s.proc.resume()
	s.paused = false
}

// end runs after the test.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	if s.client != nil {
		_ = s.client.Close()
	}
	if written, err := os.ReadFile(s.logFile()); err == nil && s.t.Failed() {
		s.t.Logf("the last lines of the redis-server at %s:\n%s", s.Addr(), lastLines(written))
	}
}

func lastLines(written []byte) string {
	lines := strings.Split(strings.TrimRight(string(written), "\n"), "\n")
	return strings.Join(lines[max(len(lines)-logLines, 0):], "\n")
}
