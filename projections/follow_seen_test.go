package projections_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

func TestSeenHeadsAreWrittenAtMostOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.settle()
		cfg := h.config()
		cfg.Dir = t.TempDir()
		model := start(t, cfg)
		synctest.Wait()
		require.EqualValues(t, 4, seenSeq(t, cfg, atAgreement))
		h.plan("fp4", domain.NewDate(2018, 3, 30))
		model.caughtUp(t)
		synctest.Wait()
		require.EqualValues(t, 4, seenSeq(t, cfg, atAgreement), "less than a second has passed")
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 5, seenSeq(t, cfg, atAgreement))
		h.plan("fp5", domain.NewDate(2018, 3, 30))
		model.caughtUp(t)
		require.NoError(t, model.stop())
		require.EqualValues(t, 6, seenSeq(t, cfg, atAgreement), "written at the end")
	})
}

// seenSeq returns the number of a partition's seen head.
func seenSeq(t *testing.T, cfg projections.Config, partition eventlog.Partition) (seq float64) {
	b, err := os.ReadFile(filepath.Join(cfg.Dir, "marks"))
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(b, &list))
	for _, saved := range list {
		if saved["partition"] == float64(partition) {
			return saved["seq"].(float64)
		}
	}
	return 0
}

func TestMalformedSeenHeadsAreSetAside(t *testing.T) {
	_, cfg := seen(t)
	path := filepath.Join(cfg.Dir, "marks")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	hash := strings.Repeat("0", 64)
	for name, text := range map[string]string{
		"empty": "", "cut": string(whole[:len(whole)-1]), "more": string(whole) + "1", "another shape": `{"partition":1}`,
		"another field": `[{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0,"more":1}]`,
		"no partition":  `[{"partition":64,"seq":1,"hash":"` + hash + `","epoch":0}]`,
		"no commit":     `[{"partition":1,"seq":0,"hash":"` + hash + `","epoch":0}]`,
		"short hash":    `[{"partition":1,"seq":1,"hash":"00","epoch":0}]`,
		"long hash":     `[{"partition":1,"seq":1,"hash":"` + hash + `00","epoch":0}]`,
		"no hash":       `[{"partition":1,"seq":1,"hash":"` + strings.Repeat("x", 64) + `","epoch":0}]`,
		"twice":         `[{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0},{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0}]`,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			var lines bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
			model := start(t, cfg)
			require.Contains(t, lines.String(), "set aside")
			require.FileExists(t, path+".broken")
			require.Empty(t, model.OpenLosses())
			require.NoError(t, model.stop())
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(whole), string(now))
		})
	}
}
