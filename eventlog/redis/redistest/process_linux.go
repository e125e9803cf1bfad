package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// attributes put a server into a group of its own, and end it when this program ends in
// whatever way: a test that was killed leaves no server behind.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped tells whether all threads of a process stand still.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		if fields := statOf(thread); fields == nil || fields[0] != "T" {
			return false
		}
	}
	return len(threads) > 0
}

// groupRuns tells whether a process of the group still runs. One that has ended and that nobody has asked
// for its result yet does not: who collects orphans, and when, depends on the machine.
func groupRuns(group int) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	return slices.ContainsFunc(processes, func(process string) bool {
		fields := statOf(process)
		return fields != nil && fields[0] != "Z" && fields[2] == strconv.Itoa(group)
	})
}

// statOf reads state, parent and group of "pid (name) state parent group …"; the name may hold anything. It
// returns nil when there is no such process or thread.
func statOf(file string) []string {
	stat, _ := os.ReadFile(file)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 3 {
		return nil
	}
	return fields
}
