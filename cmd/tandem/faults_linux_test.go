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
	p := start(t, data, "serve")
	w := arrange(p)
	require.NoError(t, limitFiles(p.cmd.Process.Pid, 512<<10))
	path := w.milestone(w.agreements[0])
	var acknowledged int
	for {
		a, err := p.try(t.Context(), w.nokia, "POST", path+"/comment", `{"text":"until the disk is full, with a text of some length to get there sooner"}`)
		require.NoError(t, err)
		if a.status == 503 {
			// The fault is met by a command, or by the checkpoint between two of them.
			require.Regexp(t, `"code":"(outcome_unknown|unavailable)"`, string(a.body))
			break
		}
		require.Equalf(t, 200, a.status, "%s", a.body)
		acknowledged++
	}
	p.do(503, w.nokia, "POST", path+"/comment", `{"text":"after"}`)
	p.do(503, w.nokia, "GET", "/readyz", "")
	p.do(200, w.xiaomi, "GET", path, "")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	<-p.ended

	p = start(t, data, "serve")
	var m struct{ Version int }
	p.do(200, w.xiaomi, "GET", path, "").decode(t, &m)
	const before = 2 // planned and started
	require.GreaterOrEqual(t, m.Version, before+acknowledged)
	require.LessOrEqual(t, m.Version, before+acknowledged+1, "the one whose outcome was unknown")
	p.do(200, w.nokia, "POST", path+"/comment", `{"text":"it goes on"}`)
	p.stop()
}
