package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// platformRoles are the roles that need Linux.
func platformRoles() map[string]role {
	return map[string]role{
		"write, syncs fail":     func(dir string) error { return writeUntil(dir, failSyncs) },
		"write, disk full":      func(dir string) error { return writeUntil(dir, failWrites) },
		"open as a mere reader": openUnprivileged,
	}
}

// failSyncs makes the kernel fail every later sync of this process with "input/output error".
func failSyncs() error {
	return refuse(unix.EIO, unix.SYS_FSYNC, unix.SYS_FDATASYNC)
}

// failWrites makes the kernel fail every later write to a file with "no space left". Writes to standard output use
// another system call.
func failWrites() error {
	return refuse(unix.ENOSPC, unix.SYS_PWRITE64)
}

// refuse installs a filter of system calls in all threads of this process.
func refuse(with syscall.Errno, calls ...uint32) error {
	const number = 0 // offset of the system call's number in the filter's input
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number}}
	for i, call := range calls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(calls) - i), K: call})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(with)},
	)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // both calls must come from one thread; the second applies to all threads
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	_, _, err := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if err != 0 {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// TestFaults makes system calls of the writing process fail. The process checks that its log has stopped; the file
// must have every acknowledged commit.
func TestFaults(t *testing.T) {
	for role, want := range map[string]string{
		"write, syncs fail": "check the disk and its space",
		"write, disk full":  "free space on the disk",
	} {
		t.Run(role, func(t *testing.T) {
			dir := t.TempDir()
			c := startChild(t, role, dir)
			out, err := c.wait()
			require.NoError(t, err, out)
			require.Contains(t, out, want)
			require.Len(t, c.acked, childWriters)
			c.requireKept(dir)
		})
	}
}

// openUnprivileged opens the log as a user without rights, because a superuser may write everywhere.
func openUnprivileged(dir string) error {
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return err
		}
	}
	_, err := Open(context.Background(), Config{Dir: dir})
	fmt.Println("open:", err)
	return nil
}

func TestOpenInReadOnlyDirectory(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(parent), 0o755)) // so that the other user can reach it
	refused := func() {
		t.Helper()
		require.NoError(t, os.Chmod(dir, 0o555))
		out, err := startChild(t, "open as a mere reader", dir).wait()
		require.NoError(t, err, out)
		require.Contains(t, out, "writable for this user")
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	refused()
	log := mustOpen(t, Config{Dir: dir})
	fill(t, log, 100)
	require.NoError(t, log.Close())
	for _, name := range []string{FileName, lockName} {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o444))
	}
	refused()
	for _, name := range []string{FileName, lockName} {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o644))
	}
	log = mustOpen(t, Config{Dir: dir})
	defer log.Close()
	require.EqualValues(t, 100, log.index.last())
}
