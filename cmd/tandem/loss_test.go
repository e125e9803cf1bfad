package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
)

// TestAnOlderLogIsNoticed puts an older copy of the log's file in the place of a killed program's. The
// program names what is missing, serves the rest, and goes on, in the same process and on the same
// address, with what there is once the operator accepts that.
func TestAnOlderLogIsNoticed(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, "serve")
	for _, id := range []string{"nokia", "xiaomi"} {
		p.do(201, operatorSecret, "POST", "/v1/partners", fmt.Sprintf(`{"id":%q,"name":%q,"country":"FI","time_zone":"Europe/Helsinki"}`, id, id))
	}
	p.stop()
	file, older := filepath.Join(data, "tandem.db"), filepath.Join(t.TempDir(), "older.db")
	copyFile(t, older, file)
	p = start(t, data, "serve")
	p.do(200, operatorSecret, "PATCH", "/v1/partners/nokia", `{"country":"SE"}`)
	nokia := eventlog.PartitionOf(domain.Stream{Partner: "nokia"}.Root())
	require.Eventually(t, func() bool { return seenOf(t, data, nokia) == 2 }, 10*time.Second, 20*time.Millisecond)
	p.kill()
	for _, left := range []string{file + "-wal", file + "-shm"} {
		require.NoError(t, os.RemoveAll(left))
	}
	copyFile(t, file, older)

	p = start(t, data, "serve")
	missing := fmt.Sprintf("partition %d lost commits 2 to 2", nokia)
	require.Contains(t, p.log.String(), missing)
	require.Contains(t, string(p.do(503, "", "GET", "/readyz", "").body), missing)
	require.Equal(t, "history_lost", p.do(503, operatorSecret, "GET", "/v1/partners/nokia", "").field(t, "code"))
	p.do(200, operatorSecret, "GET", "/v1/partners/xiaomi", "")
	p.do(200, operatorSecret, "PATCH", "/v1/partners/xiaomi", `{"country":"CN"}`)
	p.do(200, operatorSecret, "POST", "/v1/log/accept-loss", fmt.Sprintf(`{"partitions":[%d]}`, nokia))
	require.Eventually(t, func() bool {
		a, err := p.try(t.Context(), "", "GET", "/readyz", "")
		return err == nil && a.status == 200
	}, 20*time.Second, 50*time.Millisecond, "%s", p.log)
	a := p.do(200, operatorSecret, "GET", "/v1/partners/nokia", "")
	require.Equal(t, "FI", a.field(t, "country"))
	p.do(410, operatorSecret, "GET", "/v1/partners/nokia", "", "Tandem-Min-Position", "1.@nokia.1")
	p.do(200, operatorSecret, "GET", "/v1/partners/nokia", "", "Tandem-Min-Position", a.header.Get("Tandem-Position"))
	p.do(200, operatorSecret, "PATCH", "/v1/partners/nokia", `{"country":"NO"}`)
	require.Equal(t, 2, strings.Count(p.log.String(), `"msg":"ready"`))
	require.NotContains(t, p.log.String(), "has halted")
	p.stop()
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

// seenOf is how far a partition was seen, by the file of marks.
func seenOf(t *testing.T, data string, p eventlog.Partition) (seq uint64) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "marks"))
	require.NoError(t, err)
	var list []struct {
		Partition eventlog.Partition
		Seq       uint64
	}
	require.NoError(t, json.Unmarshal(b, &list))
	for _, m := range list {
		if m.Partition == p {
			return m.Seq
		}
	}
	return 0
}
