package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The contenders, as a table calls them.
const (
	verdict  = "registrycheck"
	manifest = "crane manifest"
	walked   = "crane, manifest to layer"
	again    = "crane again, same connections"
	pulled   = "containerd's pull"
)

// contender is a command that asks the registry.
type contender struct {
	name    string
	command []string
	// read says what of its time counts, from its output and all of it; all of it, where there is none.
	read func(output []byte, whole float64) (sample, error)
	// clean takes away what it leaves.
	clean []string
}

// sample is how long one run took, in milliseconds: all of it, and to the manifest.
type sample struct{ whole, toManifest float64 }

// contenders are all of them. A directory for containerd says whom it is to trust.
func contenders(registrycheck, state string) ([]contender, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hosts, err := os.MkdirTemp(state, "bench-")
	if err != nil {
		return nil, err
	}
	trust := fmt.Sprintf("server = %q\nca = %q\n[host]\n", "https://"+host, filepath.Join(state, "ca.crt"))
	err = errors.Join(
		os.Mkdir(filepath.Join(hosts, host), 0o755),
		os.WriteFile(filepath.Join(hosts, host, "hosts.toml"), []byte(trust), 0o644))
	if err != nil {
		return nil, err
	}
	ctr := func(arguments ...string) []string { return append([]string{"ctr", "images"}, arguments...) }
	return []contender{
		{verdict, []string{registrycheck, "check", image, "--anonymous", "-o", "json"}, readVerdict, nil},
		{manifest, []string{own, "manifest", image}, nil, nil},
		{walked, []string{own, "walk", image}, nil, nil},
		{again, []string{own, "again", image}, readMilliseconds, nil},
		{pulled, ctr("pull", "--snapshotter=native", "--hosts-dir", hosts, image), nil,
			ctr("rm", "--sync", image)},
	}, nil
}

func (c contender) run(environment []string) (sample, error) {
	began := time.Now()
	output, err := outputOf(c.command, environment)
	whole := float64(time.Since(began).Microseconds()) / 1000
	if err != nil {
		return sample{}, err
	}
	if c.clean != nil {
		if _, err := outputOf(c.clean, environment); err != nil {
			return sample{}, err
		}
	}
	if c.read == nil {
		return sample{whole, whole}, nil
	}
	return c.read(output, whole)
}

func outputOf(arguments, environment []string) ([]byte, error) {
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Env = environment
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s%s", strings.Join(arguments, " "), err, output, &complaints)
	}
	return output, nil
}

func readMilliseconds(output []byte, _ float64) (sample, error) {
	taken, err := strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
	return sample{taken, taken}, err
}

// readVerdict leaves out how long the steps took that come after the manifest.
func readVerdict(output []byte, whole float64) (sample, error) {
	var document struct {
		Pullable bool `json:"pullable"`
		Probes   []struct {
			Steps []struct {
				Name       string  `json:"name"`
				DurationMs float64 `json:"durationMs"`
			} `json:"steps"`
		} `json:"probes"`
	}
	if err := json.Unmarshal(output, &document); err != nil {
		return sample{}, err
	}
	if !document.Pullable || len(document.Probes) != 1 {
		return sample{}, fmt.Errorf("this is no image that can be pulled: %s", output)
	}
	after := 0.0
	for _, step := range document.Probes[0].Steps {
		if slices.Contains([]string{"Platform", "Config", "Layer"}, step.Name) {
			after += step.DurationMs
		}
	}
	return sample{whole, whole - after}, nil
}
