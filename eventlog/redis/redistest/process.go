package redistest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// serverProcess is a running program and all that it forks: a process group of its own.
type serverProcess struct {
	pid  int
	gone chan struct{} // closed when the program has ended
}

// runProcess starts a program whose output goes to the file.
func runProcess(output *os.File, name string, args ...string) (*serverProcess, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // Redis refuses to start under a locale that is not installed
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = attributes()
	process := &serverProcess{gone: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal that ends a child with its parent comes with the end of the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(process.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	process.pid = cmd.Process.Pid
	return process, nil
}

func (p *serverProcess) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// kill ends the program and what it forked, and waits until both are gone. A child that writes a snapshot
// or a new AOF would outlive its server otherwise, and write into a directory that is being removed.
func (p *serverProcess) kill() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.gone
	waitUntil(func() bool { return !groupRuns(p.pid) }) // nothing tells of the end of a grandchild
}

// pause returns when the program stands still; it tells whether it does.
func (p *serverProcess) pause() bool {
	_ = syscall.Kill(-p.pid, syscall.SIGSTOP)
	return waitUntil(func() bool { return stopped(p.pid) || !p.running() }) && p.running()
}

func (p *serverProcess) resume() { _ = syscall.Kill(-p.pid, syscall.SIGCONT) }
