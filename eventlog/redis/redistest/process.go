package redistest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a running program and all that it forks: a process group of its own.
type process struct {
	pid  int
	gone chan struct{} // closed when the program has ended
}

// run starts a program whose output goes to the file.
func run(output *os.File, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // Redis refuses to start under a locale that is not installed
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = attributes()
	p := &process{gone: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal that ends a child with its parent comes with the end of the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

func (p *process) running() bool {
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
func (p *process) kill() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.gone
	until(func() bool { return !groupRuns(p.pid) }) // nothing tells of the end of a grandchild
}

// pause returns when the program stands still; it tells whether it does.
func (p *process) pause() bool {
	_ = syscall.Kill(-p.pid, syscall.SIGSTOP)
	return until(func() bool { return stopped(p.pid) || !p.running() }) && p.running()
}

func (p *process) resume() { _ = syscall.Kill(-p.pid, syscall.SIGCONT) }
