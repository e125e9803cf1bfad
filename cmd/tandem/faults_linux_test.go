package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// limitFiles sets the greatest size of files that a running process may write, in bytes.
func limitFiles(pid int, size uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil)
}

// TestFullDisk limits how large the program's files may grow, so that a write fails in the middle
// of things. What was acknowledged is there after the limit is gone; the rest was not promised.
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
			// The fault is met by a command, or by the checkpoint between two of them.
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
	require.LessOrEqual(t, milestone.Version, before+acknowledged+1, "the one whose outcome was unknown")
	program.do(200, world.nokia, "POST", path+"/comment", `{"text":"it goes on"}`)
	program.stop()
}
