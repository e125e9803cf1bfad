package main

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

const pauseTime = 3 * time.Second // twice the duration of a lease

var nodePauses = eventlogtest.Rounds(2, 10)

// TestNodesPaused stops the owner of a partition with SIGSTOP for longer than its lease, under load. Another
// node takes over. After SIGCONT the old owner continues, but no append under its old lease enters the log.
func TestNodesPaused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server.URL())
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	seen := watchAppends(t, server)
	load := startImpatientTraffic(nodes, world, time.Second)
	var takeovers []time.Duration
	for round := range nodePauses {
		load.more(150)
		owner := nodes.at(ownerOf(t, nodes, server, world.agreements[round%len(world.agreements)]))
		paused := time.Now()
		require.NoError(t, owner.cmd.Process.Signal(syscall.SIGSTOP))
		takeovers = append(takeovers, load.recovery(paused))
		time.Sleep(time.Until(paused.Add(pauseTime)))
		require.NoError(t, owner.cmd.Process.Signal(syscall.SIGCONT))
		eventually(t, 10*time.Second, "the old owner to be ready", func() bool {
			answer, err := owner.try(t.Context(), "", "GET", "/readyz", "")
			return err == nil && answer.status == 200
		})
	}
	load.recovery(time.Now())
	comments := load.stop()
	load.requireWhole()
	appended, refused, stale := seen.stop()
	require.GreaterOrEqual(t, appended, comments/trafficWriters, "an append has at most one comment of each writer, so MONITOR has missed some")
	t.Logf("%d pauses of an owner of %v: %d comments acknowledged, 0 lost, 0 doubled, 0 out of order; %d appends in the log, %d refused, %d by an old owner; takeover median %v, worst %v",
		nodePauses, pauseTime, comments, appended, refused, len(stale), median(takeovers).Round(time.Millisecond), slices.Max(takeovers).Round(time.Millisecond))
	require.Empty(t, stale)
	if eventlogtest.AllRounds() {
		require.Less(t, median(takeovers), takeoverGoal)
	}
	nodes.stop()
}

// ownerOf waits until a node owns the agreement's partition, and returns its number.
func ownerOf(t *testing.T, nodes *fleet, server *redistest.Server, agreement string) (node int) {
	t.Helper()
	meta := fmt.Sprintf("tandem:{%02d}:meta", eventlog.PartitionOf("agreement/"+agreement))
	eventually(t, 10*time.Second, "an owner", func() bool {
		name, err := server.Client().HGet(t.Context(), meta, "owner").Result()
		require.NoError(t, err)
		for node = range nodes.live {
			if strings.Contains(name, fmt.Sprintf(":%d/", nodes.at(node).cmd.Process.Pid)) {
				return true
			}
		}
		return false
	})
	return node
}

// appends watches the append scripts that a server executes.
type appends struct {
	conn net.Conn
	done sync.WaitGroup

	tried    map[string]bool   // batches, by meta hash and name
	appended map[string]bool   // those of them that wrote
	fences   map[string]uint64 // the highest fencing token, by meta hash
	stale    []string          // batches appended with a lower token
}

// watchAppends starts to monitor all commands that the server executes, those of scripts included.
func watchAppends(t *testing.T, server *redistest.Server) *appends {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(t, err)
	lines := bufio.NewReader(conn)
	ok, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", ok)
	watcher := &appends{conn: conn, tried: make(map[string]bool), appended: make(map[string]bool), fences: make(map[string]uint64)}
	watcher.done.Go(func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			watcher.take(arguments.FindAllString(line, -1))
		}
	})
	return watcher
}

// arguments matches the quoted arguments of a command in a line of MONITOR.
var arguments = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// take evaluates three kinds of commands: calls of append.lua, with eight keys and then the batch's name; HSET
// of the head and the batch's name, with which a successful append ends; and HSET of the fencing token by a new
// owner.
func (a *appends) take(command []string) {
	if len(command) < 5 {
		return
	}
	last := command[len(command)-1]
	switch {
	case strings.EqualFold(command[0], `"EVALSHA"`) && command[2] == `"8"`:
		a.tried[command[3]+command[11]] = true
	case command[0] != `"HSET"`:
	case command[2] == `"fence"`:
		a.fences[command[1]] = max(a.fences[command[1]], number(command[3]))
	case command[2] == `"seq"` && command[len(command)-2] == `"batch"`:
		a.appended[command[1]+last] = true
		if part := strings.Split(last, "-"); number(part[len(part)-2]) < a.fences[command[1]] {
			a.stale = append(a.stale, command[1]+last)
		}
	}
}

func number(quoted string) uint64 {
	n, _ := strconv.ParseUint(strings.Trim(quoted, `"`), 10, 64)
	return n
}

// stop stops watching. It returns the number of appended and refused batches, and the batches that were appended
// under a superseded fencing token.
func (a *appends) stop() (appended, refused int, stale []string) {
	_ = a.conn.Close()
	a.done.Wait()
	return len(a.appended), len(a.tried) - len(a.appended), a.stale
}
