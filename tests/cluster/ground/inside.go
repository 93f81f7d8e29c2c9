package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	initCommand   = "init"
	insideCommand = "inside"
)

// runInit is the first process of the new PID namespace. It has two duties:
// to reap what is orphaned in there (such as containerd's shims), and to end
// when the ground does, which ends everything.
func runInit(args []string) (int, error) {
	gate := os.NewFile(3, "gate")
	if n, _ := gate.Read(make([]byte, 1)); n == 0 {
		return 1, nil // up changed its mind, and says why.
	}
	_ = gate.Close()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return 1, fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return 1, fmt.Errorf("mounting /proc: %w", err)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	inside, err := os.StartProcess("/proc/self/exe", append([]string{"ground", insideCommand}, args...),
		&os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			_ = inside.Signal(s)
		}
	}()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1, err
		case pid == inside.Pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case pid == inside.Pid:
			return status.ExitStatus(), nil
		}
	}
}

// runInside sets everything up, runs the command, and returns its exit code.
func runInside(args []string) (int, error) {
	started := time.Now()
	g := &ground{state: args[0], kubernetes: args[1]}
	command := args[2:]
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)

	starting := make(chan error, 1)
	go func() { starting <- g.start(context.Background()) }()
	select {
	case err := <-starting:
		if err != nil {
			return 1, err
		}
	case s := <-signals:
		return 128 + int(s.(syscall.Signal)), nil
	}
	say("ready in %.1f s", time.Since(started).Seconds())
	if len(command) == 0 {
		shell, err := g.shell()
		if err != nil {
			return 1, err
		}
		command = shell
	}
	return g.run(command, signals)
}

// run runs the command in a process group of its own, the terminal's
// foreground one, so that Ctrl-C reaches the command and nothing else.
func (g *ground) run(command []string, signals <-chan os.Signal) (int, error) {
	foreground := ownsTerminal(unix.Getpgrp())
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: foreground}
	for name, value := range g.environment() {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	// The path of the command is looked for in the PATH that it will see.
	if path, err := exec.LookPath(command[0]); err != nil {
		return 127, err
	} else {
		cmd.Path = path
	}
	cmd.Err = nil
	if err := cmd.Start(); err != nil {
		return 126, err
	}
	if foreground {
		go resumeWhenStopped(cmd.Process.Pid)
	}
	go func() {
		for s := range signals {
			_ = unix.Kill(-cmd.Process.Pid, s.(syscall.Signal))
		}
	}()
	_ = cmd.Wait() // Its exit code says it all.
	return exitCode(cmd.ProcessState), nil
}

// resumeWhenStopped makes Ctrl-Z do nothing, since there is no shell here that
// could bring a stopped command back.
func resumeWhenStopped(pid int) {
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, unix.SIGCHLD)
	for range changes {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOHANG, nil)
		if err == nil && info.Signo != 0 {
			_ = unix.Kill(-pid, unix.SIGCONT)
		}
	}
}

// shell is the command of somebody who gave none: bash, with a prompt that
// says where one is.
func (g *ground) shell() ([]string, error) {
	say("%d registries and the cluster are yours until you leave this shell: see $REGISTRYCHECK_GROUND/ground.json", len(registries))
	file := filepath.Join(g.state, "bashrc")
	rc := "[ -f ~/.bashrc ] && . ~/.bashrc\nPS1='(ground: kubernetes + registries) \\w # '\n"
	if err := os.WriteFile(file, []byte(rc), 0o600); err != nil {
		return nil, err
	}
	return []string{"bash", "--rcfile", file, "-i"}, nil
}

// environment is what the command sees beside its own.
func (g *ground) environment() map[string]string {
	return map[string]string{
		"KUBECONFIG":           g.path("admin.kubeconfig"),
		"REGISTRYCHECK_GROUND": g.state,
		"CONTAINERD_ADDRESS":   containerdSocket,
		"PATH":                 g.path("bin") + ":" + os.Getenv("PATH"),
	}
}
