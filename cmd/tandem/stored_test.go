package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// storedExpectation holds the answers of the version that wrote the data beside it.
type storedExpectation struct {
	Version   string            `json:"version"`
	At        time.Time         `json:"at"` // time of the answers; some depend on the day
	PublicURL string            `json:"public_url"`
	Tokens    map[string]string `json:"tokens"` // by name
	Repeats   []storedRepeat    `json:"repeats"`
	Answers   []storedAnswer    `json:"answers"`
}

// storedAnswer is the answer to a GET. The body is in Body, or equals that of answer Same, or has the digest Digest.
type storedAnswer struct {
	Token  string          `json:"token"`
	Path   string          `json:"path"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
	Same   *int            `json:"same,omitempty"`
	Digest string          `json:"digest,omitempty"` // see feedDigest
}

// storedRepeat is the answer to a command with an idempotency key.
type storedRepeat struct {
	storedAnswer
	Request json.RawMessage `json:"request"`
	Key     string          `json:"key"`
}

// TestStoredData opens data that earlier versions wrote, in each of the three forms in which a version leaves it: the
// embedded log after a shutdown, the embedded log of a killed process with its write-ahead file, and a Redis server.
// The chains verify, every view and feed is the same as then, and a repeated command gets its first answer.
// The clock stands at the time of the first answers, because some of them depend on the day.
func TestStoredData(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/stored/*/*.json.gz")
	require.NoError(t, err)
	require.NotEmpty(t, fixtures)
	for _, fixture := range fixtures {
		name := strings.TrimSuffix(fixture, ".json.gz")
		t.Run(strings.TrimPrefix(filepath.ToSlash(name), "testdata/stored/"), func(t *testing.T) {
			t.Parallel()
			var expected storedExpectation
			require.NoError(t, json.Unmarshal(gunzip(t, fixture), &expected))
			application := openStored(t, name+".tar.gz", &expected)
			requireChains(t, application.log)
			for i := range expected.Answers {
				expected.requireAnswer(t, application, &expected.Answers[i])
			}
			for i := range expected.Repeats {
				expected.requireRepeat(t, application, &expected.Repeats[i])
			}
			heads, err := application.log.Heads(t.Context())
			require.NoError(t, err)
			requireChains(t, application.log)
			after, err := application.log.Heads(t.Context())
			require.NoError(t, err)
			require.Equal(t, heads, after, "a repeated command appends no commit")
		})
	}
}

func gunzip(t *testing.T, file string) []byte {
	t.Helper()
	packed, err := os.Open(file)
	require.NoError(t, err)
	defer packed.Close()
	reader, err := gzip.NewReader(packed)
	require.NoError(t, err)
	content, err := io.ReadAll(reader)
	require.NoError(t, err)
	return content
}

// openStored unpacks the data and opens it with the application, whose clock stands at the time of the answers.
func openStored(t *testing.T, archive string, expected *storedExpectation) *app {
	t.Helper()
	dir := t.TempDir()
	unpack(t, archive, dir)
	cfg := config{
		listen: "127.0.0.1:0", data: filepath.Join(dir, "data"), durability: "disk", replicas: 1, publicURL: expected.PublicURL,
		operatorToken: expected.Tokens["operator"], privatePrefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		now: func() time.Time { return expected.At },
	}
	if stored := filepath.Join(dir, "redis"); isDir(stored) {
		server := redistest.Start(t)
		server.Restore(stored)
		cfg.redis = server.URL()
	}
	ctx, cancel := context.WithCancel(t.Context())
	application := &app{cfg: cfg, logger: newLogger(io.Discard)}
	t.Cleanup(func() {
		cancel()
		require.NoError(t, application.close())
	})
	require.NoError(t, application.open(ctx, io.Discard))
	require.NoError(t, application.startWorkers(ctx))
	return application
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	reader := tar.NewReader(bytes.NewReader(gunzip(t, archive)))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		file := filepath.Join(dir, filepath.FromSlash(header.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, content, 0o600))
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// requireChains reads every commit from the first one on and verifies it against its predecessor.
func requireChains(t *testing.T, log eventlog.Log) {
	t.Helper()
	commits := 0
	for partition := range eventlog.Partition(eventlog.Partitions) {
		want, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		var head eventlog.Head
		for seq := uint64(1); seq <= want.Seq; seq++ {
			read, err := log.Read(t.Context(), partition, []uint64{seq})
			require.NoError(t, err)
			require.NoError(t, read[0].Verify(head))
			head = read[0].Head()
			commits++
		}
		require.Equal(t, want, head)
	}
	require.Greater(t, commits, 100)
}

// ask sends a request to the application and returns the status and the body.
func (e *storedExpectation) ask(t *testing.T, application *app, answer *storedAnswer, method string, body []byte, header ...string) (int, []byte) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, answer.Path, bytes.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+e.Tokens[answer.Token])
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	application.server.Handler().ServeHTTP(response, request)
	return response.Code, response.Body.Bytes()
}

func (e *storedExpectation) requireAnswer(t *testing.T, application *app, answer *storedAnswer) {
	t.Helper()
	status, body := e.ask(t, application, answer, http.MethodGet, nil)
	require.Equal(t, answer.Status, status, "%s for %s: %s", answer.Path, answer.Token, body)
	if answer.Digest != "" {
		require.Equal(t, answer.Digest, feedDigest(t, body), "%s for %s: %s", answer.Path, answer.Token, body)
		return
	}
	want := answer.Body
	if answer.Same != nil {
		want = e.Answers[*answer.Same].Body
	}
	requireContains(t, answer.Path+" for "+answer.Token, want, withoutProse(t, body))
}

func (e *storedExpectation) requireRepeat(t *testing.T, application *app, repeat *storedRepeat) {
	t.Helper()
	status, body := e.ask(t, application, &repeat.storedAnswer, http.MethodPost, repeat.Request, "Idempotency-Key", repeat.Key)
	require.Equal(t, repeat.Status, status, "%s: %s", repeat.Path, body)
	if status < 300 {
		requireContains(t, repeat.Path, withoutProse(t, repeat.Body), withoutProse(t, body))
	}
}

// withoutProse returns a JSON document without sentences, whose wording may change.
func withoutProse(t testing.TB, body []byte) []byte {
	t.Helper()
	var document any
	require.NoError(t, json.Unmarshal(body, &document), "%s", body)
	stripped, err := json.Marshal(dropProse(document))
	require.NoError(t, err)
	return stripped
}

func dropProse(value any) any {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "sentence")
		for _, member := range value {
			dropProse(member)
		}
	case []any:
		for _, element := range value {
			dropProse(element)
		}
	}
	return value
}

// feedDigest returns a hash of the events of a feed or a history: of their subjects and their order.
func feedDigest(t testing.TB, body []byte) string {
	t.Helper()
	var page struct {
		Events []struct {
			ID, Position, RecordedAt, Partner, Member, Type, Audience, Agreement, Project, Milestone any
			At                                                                                       any `json:"recorded_at"`
		}
	}
	require.NoError(t, json.Unmarshal(body, &page))
	canonical, err := json.Marshal(page)
	require.NoError(t, err)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
}

// requireContains requires that got has every member of want. It may have more: a later version adds members.
func requireContains(t *testing.T, where string, want, got []byte) {
	t.Helper()
	var wanted, found any
	require.NoError(t, json.Unmarshal(want, &wanted))
	require.NoError(t, json.Unmarshal(got, &found))
	contains(t, where, wanted, found)
}

// changedMembers returns the members of an object that later versions show differently on purpose.
func changedMembers(object map[string]any) []string {
	state, _ := object["state"].(string)
	_, milestone := object["progress"]
	if _, counts := object["state"].(map[string]any); counts {
		return []string{"health"} // counts open milestones only
	}
	if milestone && domain.MilestoneState(state).Final() {
		// In a final state there is no health and no disagreement, and an accepted milestone is done.
		return []string{"progress", "health", "health_note", "private_health", "private_health_note", "disagreement"}
	}
	return nil
}

func contains(t *testing.T, where string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		found, ok := got.(map[string]any)
		require.True(t, ok, where)
		changed := changedMembers(want)
		for name, value := range want {
			if name == "reason" && strings.Contains(where, "/inbox for ") {
				continue // a sentence, too
			}
			if slices.Contains(changed, name) {
				continue
			}
			contains(t, where+" "+name, value, found[name])
		}
	case []any:
		found, ok := got.([]any)
		require.True(t, ok, where)
		require.Len(t, found, len(want), where)
		for i := range want {
			contains(t, where, want[i], found[i])
		}
	default:
		require.Equal(t, want, got, where)
	}
}
