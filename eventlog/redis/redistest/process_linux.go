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

// attributes put a server into its own process group and make the kernel end it with this program, so that a killed
// test leaves no server behind.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped reports whether all threads of a process are stopped.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		if fields := statOf(thread); fields == nil || fields[0] != "T" {
			return false
		}
	}
	return len(threads) > 0
}

// groupRuns reports whether a process of the group is running. A zombie is not: the time at which orphans are reaped
// depends on the machine.
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

// statOf parses state, parent and group of "pid (name) state parent group …", where the name may contain any
// characters. It returns nil if the process or thread does not exist.
func statOf(file string) []string {
	stat, _ := os.ReadFile(file)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 3 {
		return nil
	}
	return fields
}
