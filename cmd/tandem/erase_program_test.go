package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// person has all names and addresses of a member who is erased.
var person = []string{"Quirina Xylander", "quirina.xylander@nokia.example", "Quirina Zwiebelfisch", "zwiebelfisch@nokia.example"}

// traces returns the names and addresses of the person that the content contains, plain or encoded.
func traces(content []byte) (found []string) {
	for _, text := range person {
		for _, form := range []string{
			text, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(text)), "="), hex.EncodeToString([]byte(text)),
		} {
			if bytes.Contains(bytes.ToLower(content), bytes.ToLower([]byte(form[:len(form)-2]))) {
				found = append(found, text)
				break
			}
		}
	}
	return found
}

// tracesIn returns the files below a directory that contain traces, with the traces.
func tracesIn(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if texts := traces(content); len(texts) > 0 {
			found[strings.TrimPrefix(path, dir)] = texts
		}
		return err
	}))
	return found
}

// erasureTest is one run of the test: an installation, a member of it, and all programs that ran there.
type erasureTest struct {
	t        *testing.T
	world    world
	member   string // path of the member
	token    string // of the member
	programs []*program
}

func (f *erasureTest) start(data string, args ...string) *program {
	f.t.Helper()
	program := start(f.t, data, append([]string{"serve"}, args...)...)
	f.programs = append(f.programs, program)
	return program
}

// join adds the member, who acts with her own token and then changes name and address. Every request has an
// idempotency key, so that receipts are stored too.
func (f *erasureTest) join(program *program) {
	f.t.Helper()
	f.world = arrangeAgreements(program, 1)
	members := "/v1/partners/nokia/members"
	body := func(name, email string) string {
		return `{"name":"` + name + `","email":"` + email + `","role":"manager"}`
	}
	f.member = members + "/" + program.do(201, f.world.nokia, "POST", members, body(person[0], person[1]), "Idempotency-Key", "join").field(f.t, "id")
	program.do(201, f.world.nokia, "POST", members, body("Somebody Else", "else@nokia.example"))
	f.token = program.do(201, f.world.nokia, "POST", "/v1/partners/nokia/tokens",
		`{"name":"laptop","role":"manager","member":"`+filepath.Base(f.member)+`"}`).field(f.t, "token")
	program.do(200, f.token, "POST", f.world.milestone(f.world.agreements[0])+"/comment", `{"text":"I was here"}`)
	program.do(422, f.world.nokia, "PATCH", f.member, `{"name":"`+person[2]+`","email":"`+person[3]+`@"}`, "Idempotency-Key", "wrong")
	program.do(200, f.world.nokia, "PATCH", f.member, `{"name":"`+person[2]+`","email":"`+person[3]+`"}`, "Idempotency-Key", "wed")
	require.NotEmpty(f.t, traces(f.views(program)), "the search finds the person before the erasure")
}

// erase removes the member.
func (f *erasureTest) erase(program *program) {
	f.t.Helper()
	program.do(204, f.world.nokia, "DELETE", f.member, "", "Idempotency-Key", "forget")
	f.check(program)
}

// check requires that no view contains the person, that the events of the member still have her id, and that her
// token is invalid.
func (f *erasureTest) check(program *program) {
	f.t.Helper()
	require.Empty(f.t, traces(f.views(program)))
	require.Contains(f.t, string(program.do(200, f.world.xiaomi, "GET", f.world.milestone(f.world.agreements[0])+"/history", "").body), filepath.Base(f.member))
	program.do(401, f.token, "GET", "/v1/me", "")
}

// views returns all JSON resources that can be read with the ids of the test, as the operator and as both
// partners.
func (f *erasureTest) views(program *program) []byte {
	f.t.Helper()
	var description struct {
		Paths map[string]map[string]json.RawMessage
	}
	program.do(200, f.world.nokia, "GET", "/openapi.json", "").decode(f.t, &description)
	names := strings.NewReplacer("{partner}", "nokia", "{agreement}", f.world.agreements[0], "{project}", "p", "{milestone}", "m",
		"{member}", filepath.Base(f.member), "{token}", "laptop")
	var all bytes.Buffer
	read := 0
	for path, methods := range description.Paths {
		path = names.Replace(path)
		if methods["get"] == nil || strings.Contains(path, "{") {
			continue
		}
		for _, token := range []string{f.world.nokia, f.world.xiaomi, operatorSecret} {
			answer, err := program.try(f.t.Context(), token, "GET", path, "")
			require.NoError(f.t, err)
			all.Write(answer.body)
			read++
		}
	}
	require.Greater(f.t, read, 50)
	return all.Bytes()
}

// said requires that no program has logged the person.
func (f *erasureTest) said() {
	f.t.Helper()
	for _, program := range f.programs {
		require.Empty(f.t, traces([]byte(program.stderr.String())))
	}
}

// TestForgottenOnSQLite erases a member. Immediately, and after a kill, a stop, a copy and a replay of the whole
// log, no file, view or log line contains the name or the address, and the chain is valid.
func TestForgottenOnSQLite(t *testing.T) {
	t.Parallel()
	data, copied := t.TempDir(), t.TempDir()
	erasure := &erasureTest{t: t}
	program := erasure.start(data)
	erasure.join(program)
	program.stop() // writes a snapshot
	require.NotEmpty(t, tracesIn(t, data), "the search finds the person before the erasure")
	program = erasure.start(data)
	erasure.erase(program)
	require.Empty(t, tracesIn(t, data), "while the program runs")
	program.kill()
	require.Empty(t, tracesIn(t, data))
	program = erasure.start(data)
	erasure.check(program)
	program.stop()
	require.Empty(t, tracesIn(t, data))

	require.Contains(t, runCopy(t, "sqlite:"+data, "sqlite:"+copied), "chain verified")
	require.Empty(t, tracesIn(t, copied))
	program = erasure.start(copied) // without a snapshot: the whole log is replayed and verified
	erasure.check(program)
	program.stop()
	erasure.said()
}

// TestForgottenOnRedis does the same on a Redis server, which rewrites its append-only file.
func TestForgottenOnRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "rdbcompression no") // otherwise the search could miss traces
	data, copied := t.TempDir(), t.TempDir()
	erasure := &erasureTest{t: t}
	program := erasure.start(data, "--redis", server.URL())
	erasure.join(program)
	require.NotEmpty(t, tracesIn(t, server.Backup()), "the search finds the person before the erasure")
	program.stop()
	program = erasure.start(data, "--redis", server.URL())
	rewritten := func() bool { return server.Client().Get(t.Context(), "tandem:erasure").Val() == "" }
	require.Eventually(t, rewritten, redistest.Timeout, time.Millisecond, "the first name was not forgotten")
	erasure.erase(program)
	require.Eventually(t, rewritten, redistest.Timeout, time.Millisecond)
	require.Empty(t, tracesIn(t, server.Backup()))
	require.Empty(t, tracesIn(t, data))
	program.stop()
	require.Empty(t, tracesIn(t, data))
	server.Restart()

	require.Contains(t, runCopy(t, server.URL(), "sqlite:"+copied), "chain verified")
	require.Empty(t, tracesIn(t, copied))
	bringKey(t, data, copied)
	program = erasure.start(copied)
	erasure.check(program)
	program.stop()
	erasure.said()
}
