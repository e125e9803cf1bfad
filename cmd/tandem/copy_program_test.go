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

// runCopy runs tandem log copy as a process of its own, which must succeed, and returns what it said.
func runCopy(t testing.TB, from, to string) string {
	t.Helper()
	p := launch(t, "log", "copy", "--from", from, "--to", to)
	require.NoError(t, <-p.ended, "%s", p.log)
	return p.stdout.String()
}

// TestCopyOfTheDemo moves a running installation to Redis and back. Nobody can tell: every page, tag and
// position is the same, and what was sent before with a key is known.
func TestCopyOfTheDemo(t *testing.T) {
	data, back, server := t.TempDir(), t.TempDir(), redistest.Start(t).URL()
	addr := freeAddr(t) // the pages have links
	p := startAt(t, addr, data, "demo")
	visit := tour(t, p)
	visit.send(p, "")
	want := visit.pages(p)
	require.Greater(t, len(want), 60)
	p.stop()

	said := runCopy(t, "sqlite:"+data, server)
	require.Contains(t, said, "chain verified")
	p = startAt(t, addr, data, "serve", "--redis", server)
	require.Equal(t, want, visit.pages(p))
	visit.send(p, "true")
	require.Equal(t, want, visit.pages(p))
	p.stop()
	fresh := t.TempDir()
	require.Contains(t, ends(t, "serve", "--listen", addr, "--redis", server, "--data", fresh), "installation key")
	bringKey(t, data, fresh)
	p = startAt(t, addr, fresh, "serve", "--redis", server)
	require.Equal(t, want, visit.pages(p), "a node that has never seen the log reads it in another order")
	p.stop()

	require.Contains(t, runCopy(t, server, "sqlite:"+back), "bring the installation key")
	bringKey(t, data, back)
	p = startAt(t, addr, back, "serve")
	require.Equal(t, want, visit.pages(p))
	visit.send(p, "true")
	p.stop()
	require.Equal(t, contentsOf(t, data), contentsOf(t, back))
}

// bringKey does what the guide says. The operator's token comes from the environment here.
func bringKey(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, keyFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, keyFile), key, 0o600))
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// visitor is what the two partners of the example can see and have done.
type visitor struct {
	t      *testing.T
	tokens map[string]string // of the managers, by partner
	paths  []string
	first  []answer // to what send sent
}

// tour finds every page of the example.
func tour(t *testing.T, p *program) *visitor {
	t.Helper()
	var d demo
	text, err := os.ReadFile(filepath.Join(p.dir, demoFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	v := &visitor{t: t, tokens: map[string]string{"nokia": d.Tokens["nokia-manager"], "xiaomi": d.Tokens["xiaomi-manager"]}}
	v.paths = []string{"/v1/agreements", "/v1/partners", "/v1/me"}
	for partner := range v.tokens {
		for _, page := range []string{"", "/events?limit=200", "/inbox", "/members", "/milestones?limit=200", "/status", "/tokens"} {
			v.paths = append(v.paths, "/v1/partners/"+partner+page)
		}
	}
	for _, agreement := range v.ids(p, "/v1/agreements", "agreements") {
		at := "/v1/agreements/" + agreement
		v.paths = append(v.paths, at, at+"/events?limit=200", at+"/instruments", at+"/projects")
		for _, project := range v.ids(p, at+"/projects", "projects") {
			at := at + "/projects/" + project
			v.paths = append(v.paths, at, at+"/status", at+"/milestones")
			for _, milestone := range v.ids(p, at+"/milestones", "milestones") {
				v.paths = append(v.paths, at+"/milestones/"+milestone, at+"/milestones/"+milestone+"/history")
			}
		}
	}
	return v
}

// ids are those of a list as Nokia sees it.
func (v *visitor) ids(p *program, path, list string) (ids []string) {
	v.t.Helper()
	var page map[string]json.RawMessage
	p.do(200, v.tokens["nokia"], "GET", path, "").decode(v.t, &page)
	var items []struct{ ID string }
	require.NoError(v.t, json.Unmarshal(page[list], &items), "%v", page)
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	return ids
}

// pages reads everything as both partners: status, tag, position and bytes.
func (v *visitor) pages(p *program) map[string]string {
	v.t.Helper()
	pages := make(map[string]string)
	for partner, token := range v.tokens {
		for _, path := range v.paths {
			a, err := p.try(v.t.Context(), token, "GET", path, "", "Tandem-Min-Position", "latest")
			require.NoError(v.t, err)
			text := string(a.body)
			if a.status != 200 {
				text = "" // it has the request's id
			} else {
				require.NotEmpty(v.t, a.header.Get("Tandem-Position"), path)
			}
			pages[partner+" "+path] = fmt.Sprint(a.status, a.header.Get("Etag"), a.header.Get("Tandem-Position"), text)
		}
	}
	return pages
}

// send sends an accepted and a refused request with keys, and requires that it is known as a repeat or not.
func (v *visitor) send(p *program, replayed string) {
	v.t.Helper()
	at := "/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones/fp4-field-trial"
	for i, r := range [][2]string{
		{"/comment", `{"text":"before the move","audience":"shared"}`},
		{"/accept", `{}`},
	} {
		a, err := p.try(v.t.Context(), v.tokens["xiaomi"], "POST", at+r[0], r[1], "Idempotency-Key", "move-"+r[0])
		require.NoError(v.t, err)
		require.Equal(v.t, replayed, a.header.Get("Idempotency-Replayed"))
		if replayed == "" {
			v.first = append(v.first, a)
			continue
		}
		require.Equal(v.t, v.first[i].status, a.status)
		if a.status == 200 {
			require.Equal(v.t, string(v.first[i].body), string(a.body))
			require.Equal(v.t, v.first[i].header.Get("Etag"), a.header.Get("Etag"))
		}
	}
	require.Equal(v.t, 200, v.first[0].status)
	require.Equal(v.t, 409, v.first[1].status, "%s", v.first[1].body)
}

// TestCopyKilled ends the copy with SIGKILL and with SIGINT in the middle, both ways. No node starts on
// what is there then, and the next run finishes it.
func TestCopyKilled(t *testing.T) {
	dir, server, target := sourceDir(t, 62*1000), redistest.Start(t).URL(), t.TempDir()
	t.Setenv("TANDEM_KEY", strings.Repeat("5c", keySize))
	serveOn := map[string][]string{
		server:             {"--redis", server, "--data", t.TempDir()},
		"sqlite:" + target: {"--data", target},
	}
	for _, way := range [][2]string{{"sqlite:" + dir, server}, {server, "sqlite:" + target}} {
		for _, how := range []os.Signal{syscall.SIGKILL, syscall.SIGINT} {
			p := launch(t, "log", "copy", "--from", way[0], "--to", way[1])
			<-p.line("Copying: ")
			require.NoError(t, p.cmd.Process.Signal(how))
			require.Error(t, <-p.ended)
			if how == syscall.SIGINT {
				require.Equal(t, exitFault, p.cmd.ProcessState.ExitCode())
				require.Contains(t, p.log.String(), "the same command goes on with it")
			}
			said := ends(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, serveOn[way[1]]...)...)
			require.Contains(t, said, "this log is an unfinished copy of "+way[0])
		}
		require.Regexp(t, `Commits +62,000, of which an interrupted copy had brought [1-9]`, runCopy(t, way[0], way[1]))
	}
	require.Equal(t, contentsOf(t, dir), contentsOf(t, target))
}

// line delivers the first line of the program's log that begins so.
func (p *program) line(begin string) <-chan string {
	found := make(chan string, 1)
	go func() {
		log := p.log.follow()
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
	p := launch(t, append(args, "--listen", addr, "--data", data)...)
	p.dir = data
	select {
	case p.url = <-p.readyURL():
	case err := <-p.ended:
		require.FailNowf(t, "the program ended before it was ready", "%v\n%s", err, p.log)
	}
	return p
}
