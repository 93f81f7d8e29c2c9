package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long the command may take to end after it was asked to.
const grace = 5 * time.Second

// up makes the namespaces, waits for what runs in them, and returns the exit
// code of the command.
//
// Nothing survives it. Whatever ends this process, the kernel kills init (its
// parent-death signal) and with init every process of its PID namespace; the
// janitor then removes the state directory and the control groups.
func up(kubernetes string, command []string) (int, error) {
	// The parent-death signal is about the thread that started the child.
	runtime.LockOSThread()
	defer keepTerminal()()

	state, err := os.MkdirTemp("", "registrycheck-ground-")
	if err != nil {
		return 1, err
	}
	if state, err = filepath.Abs(state); err != nil {
		return 1, err
	}
	if kubernetes, err = filepath.Abs(kubernetes); err != nil {
		return 1, err
	}
	init, err := startInit(append([]string{initCommand, state, kubernetes}, command...))
	if err != nil {
		return 1, errors.Join(err, os.RemoveAll(state))
	}
	janitor, err := startJanitor(init.pidfd, state)
	if err != nil {
		return 1, errors.Join(err, init.kill(), os.RemoveAll(state))
	}
	if err := init.release(); err != nil {
		return 1, errors.Join(err, init.kill(), janitor.finish())
	}
	code := init.supervise()
	return code, janitor.finish()
}

// initProcess is the first process of the namespaces, seen from outside.
type initProcess struct {
	cmd     *exec.Cmd
	pidfd   int
	release func() error
}

// startInit starts init, which waits for release before it does anything: so
// the janitor is there before there is anything to clean up.
func startInit(args []string) (*initProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	gate, opener, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	p := &initProcess{pidfd: -1, release: func() error {
		_, err := opener.Write([]byte{1})
		return errors.Join(err, opener.Close())
	}}
	p.cmd = exec.Command(self, args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	p.cmd.ExtraFiles = []*os.File{gate}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
		Pdeathsig:  unix.SIGKILL,
		PidFD:      &p.pidfd,
	}
	if err := p.cmd.Start(); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: making namespaces needs CAP_SYS_ADMIN; in a container, run it privileged", err)
		}
		return nil, err
	}
	return p, nil
}

func (p *initProcess) kill() error {
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // It was killed, and says so.
	return err
}

// supervise waits for the end and hastens it where it must: it passes signals
// on to the command, and kills init when that was in vain, when a second
// signal comes, or when the parent of this process is gone.
func (p *initProcess) supervise() int {
	ended := make(chan int, 1)
	go func() {
		_ = p.cmd.Wait()
		ended <- exitCode(p.cmd.ProcessState)
	}()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	orphaned := watchParent()
	var timeout <-chan time.Time
	result := -1
	for {
		select {
		case code := <-ended:
			if result >= 0 {
				return result
			}
			return code
		case s := <-signals:
			if result >= 0 {
				_ = p.cmd.Process.Kill()
				continue
			}
			result = 128 + int(s.(syscall.Signal))
			_ = p.cmd.Process.Signal(s)
			timeout = time.After(grace)
		case <-timeout:
			_ = p.cmd.Process.Kill()
		case <-orphaned:
			result = 128 + int(unix.SIGKILL)
			_ = p.cmd.Process.Kill()
		}
	}
}

// watchParent returns a channel that is closed when the parent has died, so
// that a ground does not outlive a make or cargo that was killed. A pidfd is
// better here than a parent-death signal, which is sent already when the
// *thread* ends that started this process, as those of a test harness do.
func watchParent() <-chan struct{} {
	fd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		// The parent is in another PID namespace: nothing to watch.
		return nil
	}
	gone := make(chan struct{})
	go func() {
		waitReadable(fd)
		close(gone)
	}()
	return gone
}

// waitReadable blocks until fd is readable: for a pidfd, until its process is dead.
func waitReadable(fd int) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n > 0 || err != nil && err != unix.EINTR {
			return
		}
	}
}

// exitCode is what a shell would say of a process that ended.
func exitCode(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// keepTerminal returns what makes this process group the terminal's foreground
// one again, which meanwhile the command's is.
func keepTerminal() (restore func()) {
	group := unix.Getpgrp()
	if !ownsTerminal(group) {
		return func() {}
	}
	return func() {
		signal.Ignore(unix.SIGTTOU) // else this, from the background, would stop us
		_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, group)
	}
}

// ownsTerminal says whether that process group is the foreground one.
func ownsTerminal(group int) bool {
	foreground, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && foreground == group
}

// groupName is the parent control group of all pods of the ground with that
// state directory, so that the janitor can tell its own.
func groupName(state string) string {
	return filepath.Base(state)
}
