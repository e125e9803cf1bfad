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

// serverKind is what the program runs as.
type serverKind struct {
	config string   // lines of redis.conf
	args   []string // after the name of that file
	ready  string   // what it writes when it serves commands
}

// databaseKind is what Start runs.
var databaseKind = serverKind{config: durableConfig, ready: "Ready to accept connections"}

// errPortTaken says that somebody else listens on the port.
var errPortTaken = errors.New("the port is taken")

const (
	portTries = 20
	logLines  = 20 // shown of a server when its test has failed

	notInstalled = `redis-server is not on the PATH, and this test runs a real one. To install it:
  Debian, Ubuntu, macOS   go run github.com/go-task/task/v3/cmd/task@v3.53.1 setup
  elsewhere               the system's package of Redis 7 or newer`
)

// start runs a server on a port of choose, and on the next one where somebody else was faster.
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

// begin starts the server on its old port. Whoever tries whether a port is free holds it for an instant.
func (s *Server) begin() {
	s.t.Helper()
	var err error
	waitUntil(func() bool {
		err = s.launch()
		return !errors.Is(err, errPortTaken)
	})
	require.NoError(s.t, err)
}

// launch runs the program once, until it serves commands.
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

// awaitReady reads what the server has written from the offset on. The log is sure to be of this
// server; an answer on the port might be another one's.
func (s *Server) awaitReady(offset int) error {
	var written []byte
	ready := false
	late := !waitUntil(func() bool {
		running := s.proc.running() // asked first: what it wrote before its end is read below
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
		return fmt.Errorf("redis-server did not get ready within %v:\n%s", Timeout, lastLines(written))
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
	require.Truef(s.t, s.proc.running(), "the redis-server at %s does not run", s.Addr())
	require.Truef(s.t, s.proc.pause(), "the redis-server at %s does not stop", s.Addr())
	s.paused = true
}

func (s *Server) resume() {
	s.proc.resume()
	s.paused = false
}

// end is called after the test.
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
