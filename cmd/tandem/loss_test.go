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

// TestAnOlderLogIsNoticed replaces the log's file of a killed program by an older copy. The program reports the
// lost commits and serves the other partitions. After the operator accepts the loss, it continues in the same
// process and on the same address.
func TestAnOlderLogIsNoticed(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	for _, id := range []string{"nokia", "xiaomi"} {
		program.do(201, operatorSecret, "POST", "/v1/partners", fmt.Sprintf(`{"id":%q,"name":%q,"country":"FI","time_zone":"Europe/Helsinki"}`, id, id))
	}
	program.stop()
	file, older := filepath.Join(data, "tandem.db"), filepath.Join(t.TempDir(), "older.db")
	copyFile(t, older, file)
	program = start(t, data, "serve")
	program.do(200, operatorSecret, "PATCH", "/v1/partners/nokia", `{"country":"SE"}`)
	nokia := eventlog.PartitionOf(domain.Stream{Partner: "nokia"}.Root())
	require.Eventually(t, func() bool { return seenOf(t, data, nokia) == 2 }, 10*time.Second, 20*time.Millisecond)
	program.kill()
	for _, left := range []string{file + "-wal", file + "-shm"} {
		require.NoError(t, os.RemoveAll(left))
	}
	copyFile(t, file, older)

	program = start(t, data, "serve")
	missing := fmt.Sprintf("partition %d lost commits 2 to 2", nokia)
	require.Contains(t, program.stderr.String(), missing)
	require.Contains(t, string(program.do(503, "", "GET", "/readyz", "").body), missing)
	require.Equal(t, "history_lost", program.do(503, operatorSecret, "GET", "/v1/partners/nokia", "").field(t, "code"))
	program.do(200, operatorSecret, "GET", "/v1/partners/xiaomi", "")
	program.do(200, operatorSecret, "PATCH", "/v1/partners/xiaomi", `{"country":"CN"}`)
	program.do(200, operatorSecret, "POST", "/v1/log/accept-loss", fmt.Sprintf(`{"partitions":[%d]}`, nokia))
	require.Eventually(t, func() bool {
		answer, err := program.try(t.Context(), "", "GET", "/readyz", "")
		return err == nil && answer.status == 200
	}, 20*time.Second, 50*time.Millisecond, "%s", program.stderr)
	answer := program.do(200, operatorSecret, "GET", "/v1/partners/nokia", "")
	require.Equal(t, "FI", answer.field(t, "country"))
	program.do(410, operatorSecret, "GET", "/v1/partners/nokia", "", "Tandem-Min-Position", "1.@nokia.1")
	program.do(200, operatorSecret, "GET", "/v1/partners/nokia", "", "Tandem-Min-Position", answer.header.Get("Tandem-Position"))
	program.do(200, operatorSecret, "PATCH", "/v1/partners/nokia", `{"country":"NO"}`)
	require.Equal(t, 2, strings.Count(program.stderr.String(), `"msg":"ready"`))
	require.NotContains(t, program.stderr.String(), "has halted")
	program.stop()
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

// seenOf returns the number of commits that the file of marks has for a partition.
func seenOf(t *testing.T, data string, partition eventlog.Partition) (seq uint64) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "marks"))
	require.NoError(t, err)
	var list []struct {
		Partition eventlog.Partition
		Seq       uint64
	}
	require.NoError(t, json.Unmarshal(b, &list))
	for _, mark := range list {
		if mark.Partition == partition {
			return mark.Seq
		}
	}
	return 0
}
