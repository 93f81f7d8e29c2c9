package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

// processes are the servers of the ground that are programs of their own. They
// end with the namespaces; until then none of them should.
type processes struct {
	logs  string
	fail  context.CancelCauseFunc
	quiet atomic.Bool
}

// start starts a server, which has a session of its own, so that Ctrl-C does
// not reach it. Should it end while the ground starts, the start fails with
// the last lines of its log.
func (p *processes) start(name, program string, arguments ...string) error {
	logName := filepath.Join(p.logs, name+".log")
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, arguments...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait()
		if p.quiet.Load() {
			say("%s ended (%s); its log is %s", name, cmd.ProcessState, logName)
			return
		}
		p.fail(fmt.Errorf("%s ended (%s); its last words:\n%s", name, cmd.ProcessState, lastLines(logName)))
	}()
	return nil
}

// watchQuietly makes the end of a server, from now on, a line for the reader:
// a test may well have killed it on purpose.
func (p *processes) watchQuietly() { p.quiet.Store(true) }

// lastLines are those of a log that are likely to say why.
func lastLines(file string) string {
	const most = 10
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-most):], "\n  ")
}

// tool runs a program to its end, with that input, and makes its complaint
// the error.
func tool(input []byte, program string, arguments ...string) error {
	cmd := exec.Command(program, arguments...)
	cmd.Stdin = bytes.NewReader(input)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(arguments, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
