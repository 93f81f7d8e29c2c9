package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const janitorCommand = "janitor"

// janitorProcess cleans up after the ground, whoever is killed. It has a
// session of its own, so that no Ctrl-C reaches it, and is told of the end by
// the kernel: the other end of its standard input is closed.
type janitorProcess struct {
	cmd  *exec.Cmd
	hold *os.File
}

func startJanitor(initPidfd int, state string) (*janitorProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	alarm, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer alarm.Close()
	init := os.NewFile(uintptr(initPidfd), "init")
	defer init.Close()
	cmd := exec.Command(self, janitorCommand, state, groupName(state))
	cmd.Dir = "/"
	cmd.Stdin = alarm
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{init}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &janitorProcess{cmd, hold}, nil
}

// finish lets the janitor do its work and waits for it.
func (j *janitorProcess) finish() error {
	_ = j.hold.Close()
	if err := j.cmd.Wait(); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}

// runJanitor waits for the end of the ground and removes what it left on the
// host. Everything else (processes, mounts, addresses, firewall rules) goes
// with the namespaces.
func runJanitor(state, group string) error {
	const init = 3 // the first of ExtraFiles
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = unix.PidfdSendSignal(init, unix.SIGKILL, nil, 0)
	// A PID namespace's first process is dead only when all others are.
	waitReadable(init)
	return errors.Join(os.RemoveAll(state), removeGroups(group))
}

// removeGroups removes the control groups below that parent: in the unified
// hierarchy, or in each hierarchy of version 1.
func removeGroups(group string) error {
	const root = "/sys/fs/cgroup"
	perController, err := filepath.Glob(filepath.Join(root, "*", group))
	if err != nil {
		return err
	}
	var errs []error
	for _, parent := range append(perController, filepath.Join(root, group)) {
		var directories []string
		_ = filepath.WalkDir(parent, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				directories = append(directories, path)
			}
			return nil
		})
		for i := len(directories) - 1; i >= 0; i-- { // children first
			errs = append(errs, os.Remove(directories[i]))
		}
	}
	return errors.Join(errs...)
}
