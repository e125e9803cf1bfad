package projections_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// saved returns a fixture with a snapshot and its configuration.
func saved(t *testing.T) (*fixture, projections.Config) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	cfg := h.config()
	cfg.Dir = t.TempDir()
	model := start(t, cfg)
	require.NoError(t, model.stop())
	require.FileExists(t, filepath.Join(cfg.Dir, "image.snapshot"))
	return h, cfg
}

func TestDamagedSnapshotIsNotUsed(t *testing.T) {
	_, cfg := saved(t)
	path := filepath.Join(cfg.Dir, "image.snapshot")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	good := start(t, cfg)
	want := dump(t, good.ReadModel, viewerOf("nokia"))
	require.NoError(t, good.stop())

	damaged := map[string][]byte{"empty": {}, "more": append(bytes.Clone(whole), 0), "text": []byte("not a snapshot at all, but long enough to be one")}
	for n := 0; n < len(whole); n += 1 + len(whole)/150 {
		damaged["cut at "+strconv.Itoa(n)] = whole[:n]
		flipped := bytes.Clone(whole)
		flipped[n] ^= 0x10
		damaged["flipped at "+strconv.Itoa(n)] = flipped
	}
	for name, file := range damaged {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, file, 0o600))
			var lines bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
			model := start(t, cfg)
			require.Contains(t, lines.String(), "not used")
			require.Equal(t, want, dump(t, model.ReadModel, viewerOf("nokia")))
			require.NoError(t, model.stop())
		})
	}
}

func TestSnapshotsInTheBackground(t *testing.T) {
	h := newFixture(t)
	h.settle()
	cfg := h.config()
	cfg.Dir = filepath.Join(t.TempDir(), "new")
	cfg.SnapshotEvery = 10
	model := h.follow(t, cfg)
	for n := range 200 {
		h.plan(domain.MilestoneID("m"+strconv.Itoa(n)), domain.NewDate(2018, 1, 1+n))
	}
	model.caughtUp(t)
	require.NoError(t, model.stop())
	left, err := os.ReadDir(cfg.Dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "the snapshot and the seen heads, no temporary file")
	again := h.follow(t, cfg)
	require.Equal(t, dump(t, model.ReadModel, viewerOf("xiaomi")), dump(t, again.ReadModel, viewerOf("xiaomi")))
}

func TestFailedSnapshotDoesNotHalt(t *testing.T) {
	h := newFixture(t)
	h.settle()
	cfg := h.config()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg.Dir = filepath.Join(file, "below")
	var lines bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	model := start(t, cfg)
	require.NoError(t, model.Health())
	require.NoError(t, model.stop())
	require.Contains(t, lines.String(), "no snapshot could be written")
}

// TestWaitHeadForCommitsOfTheSnapshot: restoring a snapshot wakes goroutines that wait for its commits.
func TestWaitHeadForCommitsOfTheSnapshot(t *testing.T) {
	h, cfg := saved(t)
	synctest.Test(t, func(t *testing.T) {
		model, err := projections.New(cfg)
		require.NoError(t, err)
		waited := make(chan error, len(h.heads))
		for partition, head := range h.heads {
			go func() { waited <- model.WaitHead(t.Context(), partition, head.Seq) }()
		}
		synctest.Wait()
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- model.Run(ctx) }()
		for range h.heads {
			require.NoError(t, <-waited)
		}
		stop()
		require.NoError(t, <-ran)
	})
}
