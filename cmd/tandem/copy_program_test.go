package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// runCopy runs tandem log copy as a process, which must succeed, and returns its output.
func runCopy(t testing.TB, from, to string) string {
	t.Helper()
	program := launch(t, "log", "copy", "--from", from, "--to", to)
	require.NoError(t, <-program.ended, "%s", program.stderr)
	return program.stdout.String()
}

// TestCopyOfTheDemo copies a running installation to Redis and back. Every page, tag and position stays the
// same, and earlier idempotency keys stay known.
func TestCopyOfTheDemo(t *testing.T) {
	data, back, server := t.TempDir(), t.TempDir(), redistest.Start(t).URL()
	addr := freeAddr(t) // pages contain links with the address
	program := startAt(t, addr, data, "demo")
	visit := tour(t, program)
	visit.send(program, "")
	want := visit.pages(program)
	require.Greater(t, len(want), 60)
	program.stop()

	said := runCopy(t, "sqlite:"+data, server)
	require.Contains(t, said, "chain verified")
	program = startAt(t, addr, data, "serve", "--redis", server)
	require.Equal(t, want, visit.pages(program))
	visit.send(program, "true")
	require.Equal(t, want, visit.pages(program))
	program.stop()
	fresh := t.TempDir()
	require.Contains(t, ends(t, "serve", "--listen", addr, "--redis", server, "--data", fresh), "installation key")
	bringKey(t, data, fresh)
	program = startAt(t, addr, fresh, "serve", "--redis", server)
	require.Equal(t, want, visit.pages(program), "a node that has never seen the log reads it in another order")
	program.stop()

	require.Contains(t, runCopy(t, server, "sqlite:"+back), "provide the installation key")
	bringKey(t, data, back)
	program = startAt(t, addr, back, "serve")
	require.Equal(t, want, visit.pages(program))
	visit.send(program, "true")
	program.stop()
	require.Equal(t, contentsOf(t, data), contentsOf(t, back))
}

// bringKey copies the installation key, as the next steps say. The operator's token comes from the environment
// here.
func bringKey(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, keyFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, keyFile), key, 0o600))
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// visitor records the pages of the example that both partners can read, and the answers to their commands.
type visitor struct {
	t      *testing.T
	tokens map[string]string // of the managers, by partner
	paths  []string
	first  []answer // to the commands of send
}

// tour finds every page of the example.
func tour(t *testing.T, program *program) *visitor {
	t.Helper()
	var info demoInfo
	text, err := os.ReadFile(filepath.Join(program.dir, demoFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &info))
	guest := &visitor{t: t, tokens: map[string]string{"nokia": info.Tokens["nokia-manager"], "xiaomi": info.Tokens["xiaomi-manager"]}}
	guest.paths = []string{"/v1/agreements", "/v1/partners", "/v1/me"}
	for partner := range guest.tokens {
		for _, page := range []string{"", "/events?limit=200", "/inbox", "/members", "/milestones?limit=200", "/status", "/tokens"} {
			guest.paths = append(guest.paths, "/v1/partners/"+partner+page)
		}
	}
	for _, agreement := range guest.ids(program, "/v1/agreements", "agreements") {
		at := "/v1/agreements/" + agreement
		guest.paths = append(guest.paths, at, at+"/events?limit=200", at+"/instruments", at+"/projects")
		for _, project := range guest.ids(program, at+"/projects", "projects") {
			at := at + "/projects/" + project
			guest.paths = append(guest.paths, at, at+"/status", at+"/milestones")
			for _, milestone := range guest.ids(program, at+"/milestones", "milestones") {
				guest.paths = append(guest.paths, at+"/milestones/"+milestone, at+"/milestones/"+milestone+"/history")
			}
		}
	}
	return guest
}

// ids returns the ids of a list that Nokia can read.
func (v *visitor) ids(program *program, path, list string) (ids []string) {
	v.t.Helper()
	var page map[string]json.RawMessage
	program.do(200, v.tokens["nokia"], "GET", path, "").decode(v.t, &page)
	var items []struct{ ID string }
	require.NoError(v.t, json.Unmarshal(page[list], &items), "%v", page)
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	return ids
}

// pages reads every page as both partners: status, tag, position and bytes.
func (v *visitor) pages(program *program) map[string]string {
	v.t.Helper()
	pages := make(map[string]string)
	for partner, token := range v.tokens {
		for _, path := range v.paths {
			answer, err := program.try(v.t.Context(), token, "GET", path, "", "Tandem-Min-Position", "latest")
			require.NoError(v.t, err)
			text := string(answer.body)
			if answer.status != 200 {
				text = "" // it contains the request id
			} else {
				require.NotEmpty(v.t, answer.header.Get("Tandem-Position"), path)
			}
			pages[partner+" "+path] = fmt.Sprint(answer.status, answer.header.Get("Etag"), answer.header.Get("Tandem-Position"), text)
		}
	}
	return pages
}

// send sends a command that is committed and one that is refused, with keys, and requires that they are repeats
// or not.
func (v *visitor) send(program *program, replayed string) {
	v.t.Helper()
	at := "/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones/fp4-field-trial"
	for i, r := range [][2]string{
		{"/comment", `{"text":"before the move","audience":"shared"}`},
		{"/accept", `{}`},
	} {
		answer, err := program.try(v.t.Context(), v.tokens["xiaomi"], "POST", at+r[0], r[1], "Idempotency-Key", "move-"+r[0])
		require.NoError(v.t, err)
		require.Equal(v.t, replayed, answer.header.Get("Idempotency-Replayed"))
		if replayed == "" {
			v.first = append(v.first, answer)
			continue
		}
		require.Equal(v.t, v.first[i].status, answer.status)
		if answer.status == 200 {
			require.Equal(v.t, string(v.first[i].body), string(answer.body))
			require.Equal(v.t, v.first[i].header.Get("Etag"), answer.header.Get("Etag"))
		}
	}
	require.Equal(v.t, 200, v.first[0].status)
	require.Equal(v.t, 409, v.first[1].status, "%s", v.first[1].body)
}

// TestCopyKilled interrupts the copy with SIGKILL and SIGINT, in both directions. No node starts on the
// unfinished copy, and the next run finishes it.
func TestCopyKilled(t *testing.T) {
	dir, server, target := sourceDir(t, 62*300), redistest.Start(t).URL(), t.TempDir()
	t.Setenv("TANDEM_KEY", strings.Repeat("5c", keySize))
	serveOn := map[string][]string{
		server:             {"--redis", server, "--data", t.TempDir()},
		"sqlite:" + target: {"--data", target},
	}
	for _, way := range [][2]string{{"sqlite:" + dir, server}, {server, "sqlite:" + target}} {
		for _, how := range []os.Signal{syscall.SIGKILL, syscall.SIGINT} {
			program := launch(t, "log", "copy", "--from", way[0], "--to", way[1])
			<-program.line("Copying: ")
			require.NoError(t, program.cmd.Process.Signal(how))
			require.Error(t, <-program.ended)
			if how == syscall.SIGINT {
				require.Equal(t, exitError, program.cmd.ProcessState.ExitCode())
				require.Contains(t, program.stderr.String(), "Run the same command again to finish the copy")
			}
			said := ends(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, serveOn[way[1]]...)...)
			require.Contains(t, said, "this log is an unfinished copy of "+way[0])
		}
		require.Regexp(t, `Commits +18,600, of which an interrupted copy had stored [1-9]`, runCopy(t, way[0], way[1]))
	}
	require.Equal(t, contentsOf(t, dir), contentsOf(t, target))
}

// line returns a channel that receives the first line of the program's stderr with a prefix.
func (p *program) line(begin string) <-chan string {
	found := make(chan string, 1)
	go func() {
		log := p.stderr.follow()
		defer log.Close()
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), begin) {
				found <- lines.Text()
				return
			}
		}
	}()
	return found
}

// startAt runs tandem at an address.
func startAt(t *testing.T, addr, data string, args ...string) *program {
	t.Helper()
	program := launch(t, append(args, "--listen", addr, "--data", data)...)
	program.dir = data
	select {
	case program.url = <-program.readyURL():
	case err := <-program.ended:
		require.FailNowf(t, "the program ended before it was ready", "%v\n%s", err, program.stderr)
	}
	return program
}
