package redistest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// serverProcess is a running program with its child processes, in a process group of its own.
type serverProcess struct {
	pid  int
	gone chan struct{} // closed when the program has ended
}

// runProcess starts a program that writes its output to the file.
func runProcess(output *os.File, name string, args ...string) (*serverProcess, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // Redis does not start under a locale that is not installed
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = attributes()
	process := &serverProcess{gone: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal of a child follows the thread that started it.
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

// kill kills the program and its children and waits for their end. A child that writes a snapshot or an AOF would
// outlive the server and write to a directory that is being removed.
func (p *serverProcess) kill() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.gone
	waitUntil(func() bool { return !groupRuns(p.pid) }) // the end of a grandchild sends no signal
}

// pause stops the program and waits until it has stopped. It returns false if the program has ended.
func (p *serverProcess) pause() bool {
	_ = syscall.Kill(-p.pid, syscall.SIGSTOP)
	return waitUntil(func() bool { return stopped(p.pid) || !p.running() }) && p.running()
}

func (p *serverProcess) resume() { _ = syscall.Kill(-p.pid, syscall.SIGCONT) }
