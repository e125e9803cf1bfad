package bus_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// monitor watches the commands of a server. The returned function returns those since the call, one line each:
//
//	1700000000.123456 [0 127.0.0.1:40000] "XADD" "tandem:{07}:inbox" …
//
// Commands of scripts have "lua" in place of the address.
func monitor(t *testing.T, server *redistest.Server) (commands func() []string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, conn.SetDeadline(time.Now().Add(redistest.Timeout)))
	_, err = fmt.Fprint(conn, "MONITOR\r\n")
	require.NoError(t, err)
	lines := bufio.NewReader(conn)
	ok, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", ok)
	return func() (all []string) {
		const end = "the end of the test"
		require.NoError(t, server.Client().Echo(t.Context(), end).Err())
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if strings.Contains(line, end) {
				return all
			}
			all = append(all, line)
		}
	}
}

// Every command is written once to the stream of its command queue.
func TestOneXADDPerCommand(t *testing.T) {
	server := redistest.Start(t)
	node := startNode(t, openRedis(t, server))
	defer node.stop()
	node.activateAgreement()
	node.do(nokia, plan("m"))
	before := len(node.commits())
	seen := monitor(t, server)
	const commands = 50
	var ids []string
	for range commands {
		request := newRequest(nokia, domain.CommentMilestone{MilestoneRef: ref("m"), Text: "counted"})
		ids = append(ids, request.ID.String())
		node.send(request)
	}
	var sent, appended []string
	for _, line := range seen() {
		_, words, _ := strings.Cut(line, "] ")
		fields := strings.Fields(words)
		if fields[0] != `"XADD"` {
			continue
		}
		switch script := strings.Contains(line, " lua] "); {
		case strings.HasSuffix(fields[1], `:inbox"`):
			require.False(t, script, line)
			sent = append(sent, words)
		case strings.HasSuffix(fields[1], `:log"`):
			require.True(t, script, line)
			appended = append(appended, words)
		}
	}
	require.Len(t, sent, commands)
	for i, id := range ids {
		require.Contains(t, sent[i], fmt.Sprintf("%q", id))
	}
	partition := eventlog.PartitionOf("agreement/a")
	require.Len(t, appended, commands)
	require.Contains(t, appended[0], fmt.Sprintf("tandem:{%02d}:log", partition))
	require.Len(t, node.commits(), before+commands)
}
