//go:build !linux

package redistest

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopped reports whether a process is stopped.
func stopped(pid int) bool {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(state)), "T")
}

// groupRuns reports whether the group has a process.
func groupRuns(group int) bool { return !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }
