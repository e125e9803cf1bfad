package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// limitFiles sets the maximum size of files that a running process may write, in bytes.
func limitFiles(pid int, size uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil)
}

// TestFullDisk limits the size of the program's files, so that a write fails during a command. After the limit
// is removed, every acknowledged command is in the log.
func TestFullDisk(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	world := arrange(program)
	require.NoError(t, limitFiles(program.cmd.Process.Pid, 512<<10))
	path := world.milestone(world.agreements[0])
	var acknowledged int
	for {
		answer, err := program.try(t.Context(), world.nokia, "POST", path+"/comment", `{"text":"until the disk is full, with a text of some length to get there sooner"}`)
		require.NoError(t, err)
		if answer.status == 503 {
			// The failing write belongs to a command, or to a checkpoint of SQLite between two commands.
			require.Regexp(t, `"code":"(outcome_unknown|unavailable)"`, string(answer.body))
			break
		}
		require.Equalf(t, 200, answer.status, "%s", answer.body)
		acknowledged++
	}
	program.do(503, world.nokia, "POST", path+"/comment", `{"text":"after"}`)
	program.do(503, world.nokia, "GET", "/readyz", "")
	program.do(200, world.xiaomi, "GET", path, "")
	require.NoError(t, program.cmd.Process.Signal(syscall.SIGKILL))
	<-program.ended

	program = start(t, data, "serve")
	var milestone struct{ Version int }
	program.do(200, world.xiaomi, "GET", path, "").decode(t, &milestone)
	const before = 2 // planned and started
	require.GreaterOrEqual(t, milestone.Version, before+acknowledged)
	require.LessOrEqual(t, milestone.Version, before+acknowledged+1, "at most one command more than acknowledged: the failed one")
	program.do(200, world.nokia, "POST", path+"/comment", `{"text":"it goes on"}`)
	program.stop()
}
