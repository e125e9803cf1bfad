package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asProgram is the environment variable that makes the test binary run as the program itself, so that tests
// start, stop and kill real processes.
const asProgram = "TANDEM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asProgram) != "":
		signal.Ignore(syscall.SIGXFSZ) // a write beyond the file size limit fails like on a full disk, instead of ending the process
		main()
	case os.Getenv(asReference) != "":
		serveReference()
	}
	os.Exit(m.Run())
}

const operatorSecret = "operator-token-of-the-tests"

// program is a running tandem process.
type program struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	dir    string
	stdout bytes.Buffer // read only after the end
	stderr *lockedBuffer
	ended  chan error
}

// start runs tandem and waits until it is ready. The data directory remains after the end.
func start(t testing.TB, data string, args ...string) *program {
	t.Helper()
	return startWith(t, nil, data, args...)
}

// startWith is start with additional environment variables.
func startWith(t testing.TB, env []string, data string, args ...string) *program {
	t.Helper()
	program := launchWith(t, env, append(args, "--listen", "127.0.0.1:0", "--data", data)...)
	program.dir = data
	select {
	case program.url = <-program.readyURL():
	case err := <-program.ended:
		require.FailNowf(t, "the program ended before it was ready", "%v\n%s", err, program.stderr)
	}
	return program
}

// launch runs tandem without waiting.
func launch(t testing.TB, args ...string) *program {
	t.Helper()
	return launchWith(t, nil, args...)
}

func launchWith(t testing.TB, env []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	program := &program{t: t, cmd: exec.Command(self, args...), stderr: new(lockedBuffer), ended: make(chan error, 1)}
	program.cmd.Env = append(append(os.Environ(), asProgram+"=1", "TANDEM_OPERATOR_TOKEN="+operatorSecret), env...)
	program.cmd.Stdout, program.cmd.Stderr = &program.stdout, program.stderr
	require.NoError(t, program.cmd.Start())
	go func() { program.ended <- program.cmd.Wait() }()
	t.Cleanup(func() { _ = program.cmd.Process.Kill() })
	return program
}

// readyURL returns a channel that receives the URL of the log line "ready".
func (p *program) readyURL() <-chan string {
	found := make(chan string, 1)
	go func() {
		log := p.stderr.follow()
		defer log.Close()
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			var line struct{ Msg, URL string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
				found <- line.URL
				return
			}
		}
	}()
	return found
}

// kill ends the program with SIGKILL.
func (p *program) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	<-p.ended
}

// stop ends the program with SIGTERM and requires exit status 0.
func (p *program) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, <-p.ended, "%s", p.stderr)
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(a.body, into), "%s", a.body)
}

func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	var fields map[string]any
	a.decode(t, &fields)
	value, ok := fields[name].(string)
	require.Truef(t, ok, "no %s in %s", name, a.body)
	return value
}

// try sends a request. The error is that of the connection.
func (p *program) try(ctx context.Context, token, method, path, body string, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, content}, err
}

var client = &http.Client{
	Timeout:   time.Minute,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64},
}

// do sends a request and requires the status.
func (p *program) do(status int, token, method, path, body string, header ...string) answer {
	p.t.Helper()
	answer, err := p.try(p.t.Context(), token, method, path, body, header...)
	require.NoError(p.t, err)
	require.Equalf(p.t, status, answer.status, "%s %s: %s", method, path, answer.body)
	return answer
}

// lockedBuffer stores the output of a program, and lets one reader follow it.
type lockedBuffer struct {
	mu   sync.Mutex
	kept bytes.Buffer
	pipe *io.PipeWriter
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	b.kept.Write(p)
	pipe := b.pipe
	b.mu.Unlock()
	if pipe != nil {
		_, _ = pipe.Write(p) // fails after the reader has been closed
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.String()
}

// follow returns a reader of all past and future output. Writes wait for the reader until it is closed.
func (b *lockedBuffer) follow() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	reader, writer := io.Pipe()
	b.pipe = writer
	past := bytes.NewReader(bytes.Clone(b.kept.Bytes()))
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(past, reader), reader}
}
