package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ground is all that runs inside the namespaces.
type ground struct {
	state      string // the directory of everything that this ground writes
	kubernetes string // the multi-call binary

	cluster   *authority // signs for the API server and the kubelet
	registry  *authority // signs for the registries; the node trusts it, host by host
	processes processes
}

// path is a file's place in the state directory.
func (g *ground) path(elements ...string) string {
	return filepath.Join(append([]string{g.state}, elements...)...)
}

// startTimeout is far beyond what a slow machine needs: what fails at once
// (a process that ends) is reported at once.
const startTimeout = 3 * time.Minute

// start returns when the node is ready and pods can be made, or with the
// reason why that will not be.
func (g *ground) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("not ready in time"))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	g.processes = processes{logs: g.path("logs"), fail: fail}
	defer g.processes.watchQuietly()

	if err := sequence(g.makeDirectories, g.makeMounts, makeNetwork, g.makeAuthorities, g.writeTools); err != nil {
		return err
	}
	apiReady, runtimeReady := newGate(), newGate()
	err := parallel(fail,
		func() error { return g.startNames(ctx) },
		func() error { return step("registries", func() error { return g.startRegistries(ctx) }) },
		func() error {
			return sequence(
				func() error { return step("containerd", func() error { return g.startContainerd(ctx) }) },
				runtimeReady.open)
		},
		func() error {
			return sequence(
				func() error { return step("API server", func() error { return g.startAPI(ctx) }) },
				apiReady.open,
				g.startControllers,
				func() error { return runtimeReady.wait(ctx) },
				func() error { return step("node", func() error { return g.startNode(ctx) }) })
		},
		func() error {
			return sequence(
				func() error { return apiReady.wait(ctx) },
				func() error { return g.awaitAccounts(ctx) })
		},
	)
	if err != nil {
		return err
	}
	return g.describe()
}

func (g *ground) makeDirectories() error {
	for _, directory := range []string{"bin", "logs", "certificates", "kubelet", "var-log"} {
		if err := os.MkdirAll(g.path(directory), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// writeTools puts kubectl and this program into the command's PATH.
func (g *ground) writeTools() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	kubectl := fmt.Sprintf("#!/bin/sh\nexec '%s' kubectl \"$@\"\n", g.kubernetes)
	return errors.Join(
		os.WriteFile(g.path("bin", "kubectl"), []byte(kubectl), 0o755),
		os.Symlink(self, g.path("bin", "ground")))
}

func say(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "ground: "+format+"\n", arguments...)
}

// step runs one step of the start, and says how long it took if one noticed.
func step(name string, do func() error) error {
	started := time.Now()
	if err := do(); err != nil {
		return err
	}
	if took := time.Since(started); took > 500*time.Millisecond {
		say("%s in %.1f s", name, took.Seconds())
	}
	return nil
}

// sequence does one thing after the other, up to the first that fails.
func sequence(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// parallel does all at once. The first failure ends the others through fail,
// and is the one returned.
func parallel(fail context.CancelCauseFunc, tasks ...func() error) error {
	results := make(chan error, len(tasks))
	for _, task := range tasks {
		go func() { results <- task() }()
	}
	var first error
	for range tasks {
		if err := <-results; err != nil && first == nil {
			first = err
			fail(err)
		}
	}
	return first
}

// gate is what one task opens and others wait for.
type gate chan struct{}

func newGate() gate { return make(gate) }

func (g gate) open() error {
	close(g)
	return nil
}

func (g gate) wait(ctx context.Context) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await repeats the check until it succeeds, or fails with what ended the wait
// and what was still missing.
func await(ctx context.Context, what string, check func() error) error {
	for {
		missing := check()
		if missing == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), missing)
			}
			return context.Cause(ctx)
		}
	}
}
