package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// Data of another version is written with
//
//	TANDEM_STORED_PROGRAM=/path/to/tandem TANDEM_STORED_VERSION=v1.2.3 go test ./cmd/tandem -run TestWriteStoredData
//
// where the program was built from that version. The fixtures go to testdata/stored/v1.2.3.
const (
	storedProgram = "TANDEM_STORED_PROGRAM"
	storedVersion = "TANDEM_STORED_VERSION"
)

const (
	storedOperator  = "operator-token-of-the-tests"
	storedPublicURL = "https://tandem.example"
)

// TestWriteStoredData writes the fixtures of TestStoredData with a program of another version.
func TestWriteStoredData(t *testing.T) {
	if os.Getenv(storedProgram) == "" {
		t.Skip("set " + storedProgram + " and " + storedVersion + " to write fixtures")
	}
	t.Run("sqlite", func(t *testing.T) {
		w := newStoredWriter(t, nil)
		w.start("demo")
		w.extend()
		w.ask()
		w.end(syscall.SIGTERM)
		w.save("sqlite-stopped")

		w.start("serve")
		w.post(200, "nokia-manager", w.milestone("ip-routing-fp4", "fp4-field-trial")+"/comment", `{"text":"Written before the process was killed"}`)
		w.ask()
		w.end(syscall.SIGKILL)
		w.save("sqlite-killed")
	})
	t.Run("redis", func(t *testing.T) {
		w := newStoredWriter(t, redistest.Start(t))
		w.start("demo")
		w.extend()
		w.deadLetter()
		w.ask()
		w.end(syscall.SIGTERM)
		w.save("redis")
	})
}

// storedWriter runs the program of another version on data of its own.
type storedWriter struct {
	*testing.T
	data     string
	server   *redistest.Server // nil: the embedded log
	receiver *httptest.Server  // of webhook messages
	url      string
	process  *exec.Cmd
	stderr   *lockedBuffer
	expected storedExpectation
}

func newStoredWriter(t *testing.T, server *redistest.Server) *storedWriter {
	w := &storedWriter{T: t, data: filepath.Join(t.TempDir(), "data"), server: server}
	w.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
	}))
	t.Cleanup(w.receiver.Close)
	w.expected = storedExpectation{Version: os.Getenv(storedVersion), PublicURL: storedPublicURL, Tokens: map[string]string{"operator": storedOperator}}
	return w
}

func (w *storedWriter) start(verb string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w, err)
	address := listener.Addr().String()
	require.NoError(w, listener.Close())
	args := []string{verb, "--listen", address, "--data", w.data, "--public-url", storedPublicURL, "--allow-private-webhooks", "127.0.0.0/8"}
	if w.server != nil {
		args = append(args, "--redis", w.server.URL())
	}
	w.url, w.process, w.stderr = "http://"+address, exec.Command(os.Getenv(storedProgram), args...), new(lockedBuffer)
	w.process.Env = append(os.Environ(), "TANDEM_OPERATOR_TOKEN="+storedOperator)
	output, err := w.process.StderrPipe()
	require.NoError(w, err)
	require.NoError(w, w.process.Start())
	lines := bufio.NewScanner(output)
	for lines.Scan() && !strings.Contains(lines.Text(), `"msg":"ready"`) {
		w.Log(lines.Text())
	}
	go func() { _, _ = io.Copy(w.stderr, output) }()
	if verb == "demo" {
		var state demoInfo
		text, err := os.ReadFile(filepath.Join(w.data, demoFile))
		require.NoError(w, err)
		require.NoError(w, json.Unmarshal(text, &state))
		for name, token := range state.Tokens {
			if strings.HasSuffix(name, "-manager") || strings.HasSuffix(name, "-viewer") {
				w.expected.Tokens[name] = token
			}
		}
	}
}

func (w *storedWriter) end(signal syscall.Signal) {
	require.NoError(w, w.process.Process.Signal(signal))
	_ = w.process.Wait()
}

// call sends a request; who is the name of a token.
func (w *storedWriter) call(who, method, path, body string, header ...string) (int, []byte) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	require.NoError(w, err)
	request.Header.Set("Authorization", "Bearer "+w.expected.Tokens[who])
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(w, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(w, err)
	return response.StatusCode, content
}

// post sends a command with an idempotency key and remembers how it was answered.
func (w *storedWriter) post(status int, who, path, body string) map[string]any {
	w.Helper()
	key := fmt.Sprint("stored-", len(w.expected.Repeats))
	got, content := w.call(who, http.MethodPost, path, body, "Idempotency-Key", key)
	require.Equal(w, status, got, "%s: %s", path, content)
	w.expected.Repeats = append(w.expected.Repeats, storedRepeat{
		storedAnswer: storedAnswer{Token: who, Path: path, Status: got, Body: content}, Request: json.RawMessage(body), Key: key,
	})
	var fields map[string]any
	require.NoError(w, json.Unmarshal(content, &fields))
	return fields
}

const storedAgreement = "/v1/agreements/nokia-xiaomi-2017"

func (w *storedWriter) milestone(project, id string) string {
	return storedAgreement + "/projects/" + project + "/milestones/" + id
}

// extend adds data that the example lacks: members, webhooks, a third partner, refused commands, an erased profile.
func (w *storedWriter) extend() {
	members := "/v1/partners/nokia/members"
	kept := w.post(201, "nokia-manager", members, `{"name":"Aino Virtanen","email":"aino.virtanen@nokia.example","role":"manager"}`)
	gone := w.post(201, "nokia-manager", members, `{"name":"Matti Erased","email":"matti.erased@nokia.example","role":"viewer"}`)
	token := w.post(201, "nokia-manager", "/v1/partners/nokia/tokens", fmt.Sprintf(`{"name":"laptop","role":"manager","member":%q}`, kept["id"]))
	w.expected.Tokens["nokia-member"] = token["token"].(string)
	status, content := w.call("nokia-manager", http.MethodDelete, members+"/"+gone["id"].(string), "")
	require.Equal(w, 204, status, "%s", content)
	trial := w.milestone("ip-routing-fp4", "fp4-field-trial")
	for id, path := range map[string]string{"ops": "/ok", "closed": "/gone"} {
		w.post(201, "xiaomi-manager", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
			`{"id":%q,"url":%q,"format":"standard","events":["milestone.commented"]}`, id, w.receiver.URL+path))
	}
	w.post(200, "nokia-member", trial+"/comment", `{"text":"完成 — first pass of the field trial"}`)
	w.post(200, "nokia-member", trial+"/comment", `{"text":"Nokia's own remark","audience":"private"}`)
	w.post(200, "nokia-manager", trial+"/forecast", `{"on":"2031-01-31","reason":"Boards are late","audience":"private"}`)
	w.post(422, "nokia-manager", trial+"/comment", `{"text":""}`)
	w.post(404, "nokia-manager", w.milestone("ip-routing-fp4", "no-such")+"/comment", `{"text":"x"}`)
	w.thirdPartner()
	require.Eventually(w, func() bool {
		_, content := w.call("xiaomi-manager", http.MethodGet, "/v1/partners/xiaomi/webhooks", "")
		return bytes.Contains(content, []byte(`"disabled"`)) || bytes.Contains(content, []byte(`410`))
	}, time.Minute, 10*time.Millisecond)
	require.Eventually(w, func() bool {
		_, content := w.call("xiaomi-manager", http.MethodGet, "/v1/partners/xiaomi/webhooks/ops/deliveries", "")
		return bytes.Contains(content, []byte(`200`))
	}, time.Minute, 10*time.Millisecond)
}

// thirdPartner makes an agreement of three parties, which ends.
func (w *storedWriter) thirdPartner() {
	w.post(201, "operator", "/v1/partners", `{"id":"oulu","name":"University of Oulu","country":"FI","time_zone":"Europe/Helsinki"}`)
	first := w.post(201, "operator", "/v1/partners/oulu/tokens", `{"id":"first","name":"first","role":"manager"}`)
	w.expected.Tokens["oulu-first"] = first["token"].(string)
	w.post(200, "oulu-first", "/v1/partners/oulu/tokens/first/confirm", ``)
	member := w.post(201, "oulu-first", "/v1/partners/oulu/members", `{"name":"Office","email":"office@oulu.example","role":"manager","may_sign":true}`)
	token := w.post(201, "oulu-first", "/v1/partners/oulu/tokens", fmt.Sprintf(`{"name":"office","role":"manager","member":%q}`, member["id"]))
	w.expected.Tokens["oulu-manager"] = token["token"].(string)
	w.post(201, "operator", "/v1/agreements", `{"id":"radio","title":"Radio research","parties":["nokia","xiaomi","oulu"],`+
		`"effective_on":"2020-01-01","acceptance_days":10,"deemed_acceptance":false,"forecast_tolerance_days":7}`)
	for _, who := range []string{"nokia-manager", "xiaomi-manager", "oulu-manager"} {
		w.post(200, who, "/v1/agreements/radio/sign", `{"signatory":"Somebody"}`)
	}
	project := w.post(201, "oulu-manager", "/v1/agreements/radio/projects",
		`{"id":"antenna","title":"Antenna","stage":"committed","lead":"oulu","participants":["nokia","oulu"]}`)
	w.post(200, "nokia-manager", fmt.Sprintf("/v1/agreements/radio/projects/%s/commit", project["id"]), `{}`)
	milestones := fmt.Sprintf("/v1/agreements/radio/projects/%s/milestones", project["id"])
	milestone := w.post(201, "oulu-manager", milestones, `{"id":"model","title":"Model","owner":"oulu","due_on":"2030-06-30"}`)
	w.post(200, "oulu-manager", fmt.Sprintf("%s/%s/start", milestones, milestone["id"]), `{}`)
}

// deadLetter puts an entry into a command queue that cannot be read as a command.
func (w *storedWriter) deadLetter() {
	require.NoError(w, w.server.Client().Do(w.Context(), "XADD", "tandem:{07}:inbox", "*", "from", "elsewhere").Err())
	require.Eventually(w, func() bool {
		_, content := w.call("operator", http.MethodGet, "/v1/deadletters", "")
		return bytes.Contains(content, []byte("unnamed-"))
	}, time.Minute, 10*time.Millisecond)
}

// ask reads every JSON resource of the API, with every token.
func (w *storedWriter) ask() {
	w.expected.At, w.expected.Answers = time.Now().UTC(), nil
	_, content := w.call("operator", http.MethodGet, "/openapi.json", "")
	var description struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(w, json.Unmarshal(content, &description))
	var templates []string
	for path, methods := range description.Paths {
		changing := path == "/v1/log" || path == "/v1/commands/{id}" || strings.HasSuffix(path, "/preview")
		if methods["get"] != nil && strings.HasPrefix(path, "/v1/") && !changing {
			templates = append(templates, path)
		}
	}
	slices.Sort(templates) // a collection comes before its elements
	var names []string
	for name := range w.expected.Tokens {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, who := range names {
		known := map[string][]string{} // ids by the collection's path
		for _, template := range templates {
			for _, path := range expand(template, known) {
				w.askOne(who, path, known)
			}
		}
	}
	w.expected.compact()
}

// compact replaces each body that an earlier answer has too by the number of that answer.
func (e *storedExpectation) compact() {
	slices.SortStableFunc(e.Answers, func(a, b storedAnswer) int { return strings.Compare(a.Path, b.Path) })
	first := map[string]int{}
	for i := range e.Answers {
		body := string(e.Answers[i].Body)
		if body == "" {
			continue
		}
		if at, known := first[body]; known {
			e.Answers[i].Body, e.Answers[i].Same = nil, &at
			continue
		}
		first[body] = i
	}
}

// expand fills in the parameters of a path with the ids from the collections before them.
func expand(template string, known map[string][]string) []string {
	paths := []string{""}
	for _, part := range strings.Split(strings.TrimPrefix(template, "/"), "/") {
		var longer []string
		for _, path := range paths {
			if !strings.HasPrefix(part, "{") {
				longer = append(longer, path+"/"+part)
				continue
			}
			for _, id := range known[path] {
				longer = append(longer, path+"/"+id)
			}
		}
		paths = longer
	}
	return paths
}

func (w *storedWriter) askOne(who, path string, known map[string][]string) {
	query := ""
	if strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/history") {
		query = "?limit=200&after="
	}
	status, content := w.call(who, http.MethodGet, path+query, "")
	content = withoutProse(w, content)
	if status == http.StatusForbidden || status == http.StatusNotFound {
		content = []byte(`{}`) // a problem, whose wording may change
	}
	answer := storedAnswer{Token: who, Path: path + query, Status: status, Body: content}
	if query != "" && path != storedAgreement+"/events" {
		answer.Body, answer.Digest = nil, feedDigest(w, content)
	}
	w.expected.Answers = append(w.expected.Answers, answer)
	var page map[string]json.RawMessage
	require.NoError(w, json.Unmarshal(content, &page), "%s", path)
	for _, value := range page {
		var items []struct {
			ID     string
			Number int
			Part   *int `json:"partition"`
		}
		if json.Unmarshal(value, &items) != nil {
			continue
		}
		for _, item := range items {
			switch {
			case item.ID != "":
				known[path] = append(known[path], item.ID)
			case item.Number != 0:
				known[path] = append(known[path], fmt.Sprint(item.Number))
			}
		}
	}
}

// save packs the data, and the server's, and the answers.
func (w *storedWriter) save(name string) {
	dir := filepath.Join("testdata", "stored", w.expected.Version)
	require.NoError(w, os.MkdirAll(dir, 0o755))
	dirs := map[string]string{"data": w.data}
	if w.server != nil {
		dirs["redis"] = w.server.Backup()
	}
	var packed bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	archive := tar.NewWriter(zip)
	for prefix, source := range dirs {
		require.NoError(w, filepath.WalkDir(source, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "-shm") {
				return err
			}
			content, err := os.ReadFile(path)
			require.NoError(w, err)
			relative, err := filepath.Rel(source, path)
			require.NoError(w, err)
			header := &tar.Header{Name: filepath.ToSlash(filepath.Join(prefix, relative)), Mode: 0o600, Size: int64(len(content))}
			require.NoError(w, archive.WriteHeader(header))
			_, err = archive.Write(content)
			return err
		}))
	}
	require.NoError(w, archive.Close())
	require.NoError(w, zip.Close())
	require.NoError(w, os.WriteFile(filepath.Join(dir, name+".tar.gz"), packed.Bytes(), 0o644))

	var answers bytes.Buffer
	zip, _ = gzip.NewWriterLevel(&answers, gzip.BestCompression)
	require.NoError(w, json.NewEncoder(zip).Encode(w.expected))
	require.NoError(w, zip.Close())
	require.NoError(w, os.WriteFile(filepath.Join(dir, name+".json.gz"), answers.Bytes(), 0o644))
	w.Logf("%s: %d answers, %d bytes of data, %d bytes of answers", name, len(w.expected.Answers), packed.Len(), answers.Len())
}
