package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// filesWith returns the files of a directory that contain the text.
func filesWith(t testing.TB, dir, text string) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		if bytes.Contains(content, []byte(text)) {
			files = append(files, e.Name())
		}
	}
	return files
}

// TestErase puts values of all sizes under changing keys, which splits and merges pages of the table, and erases some
// of them repeatedly. No file of the open log contains an erased value.
func TestErase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := mustOpen(t, Config{Dir: dir})
	owner := newTestOwner(t, log, 7)
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[string]string{}
	for round := range eventlogtest.Rounds(20, 60) {
		batch := owner.batch(1)
		for n := range 20 {
			key := fmt.Sprintf("profile/%d/%d", random.IntN(1000), n)
			kept[key] = fmt.Sprintf("<%d-%d>", round, n) + strings.Repeat("x", random.IntN(3)*random.IntN(700))
			batch.Puts = append(batch.Puts, eventlog.KV{Key: key, Value: []byte(kept[key])})
		}
		require.NoError(t, log.Append(t.Context(), batch))
		batch = owner.batch(1)
		var gone []string
		for key, value := range kept {
			if len(gone) == 15 {
				break
			}
			batch.Puts = append(batch.Puts, eventlog.KV{Key: key, Erase: true})
			gone = append(gone, value[:strings.Index(value, ">")+1])
			delete(kept, key)
		}
		require.NoError(t, log.Append(t.Context(), batch))
		for _, text := range gone {
			require.Emptyf(t, filesWith(t, dir, text), "%s in round %d", text, round)
		}
	}
	require.NoError(t, log.Close())
}

// TestEraseBesideAnotherReader erases while another program reads the file. The log continues, and the value
// disappears when the log is opened again.
func TestEraseBesideAnotherReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := mustOpen(t, Config{Dir: dir})
	owner := newTestOwner(t, log, 7)
	put := func(kv eventlog.KV) {
		t.Helper()
		batch := owner.batch(1)
		batch.Puts = []eventlog.KV{kv}
		require.NoError(t, log.Append(t.Context(), batch))
	}
	put(eventlog.KV{Key: "profile/a", Value: []byte("Unmistakable Person")})
	other, err := connect(filepath.Join(dir, FileName), "BEGIN", "SELECT count(*) FROM kv")
	require.NoError(t, err)
	put(eventlog.KV{Key: "profile/a", Erase: true})
	require.NoError(t, log.Health())
	require.Equal(t, []string{FileName + "-wal"}, filesWith(t, dir, "Unmistakable Person"))
	put(eventlog.KV{Key: "profile/b", Value: []byte("x")})

	require.NoError(t, other.close())
	log.writer.close() // like a kill, without truncating the file
	require.NoError(t, log.lock.Close())
	again := mustOpen(t, Config{Dir: dir})
	require.Empty(t, filesWith(t, dir, "Unmistakable Person"))
	value, err := again.Get(t.Context(), 7, "profile/b")
	require.NoError(t, err)
	require.Equal(t, "x", string(value))
	require.NoError(t, again.Close())
	require.NoError(t, errors.Join(log.readers.close(), log.writer.conn.close()))
}
