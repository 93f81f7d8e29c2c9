package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

var ctx = context.Background()

const (
	runs    = 20
	latency = 30 // milliseconds, on the way back
	// The proxy listens at another port of the registry's own address, so that
	// name and certificate are the registry's.
	listen   = "10.0.0.22:8443"
	upstream = "10.0.0.22:443"
	image    = "anonymous.test:8443/shop/api:v1"
)

// startProxy makes the way to the registry slow.
func startProxy() error {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "registry", listen, upstream)
	if err := proxy.Start(); err != nil {
		return err
	}
	toxic := fmt.Sprintf(`{"type": "latency", "attributes": {"latency": %d}}`, latency)
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

// sample is how long one run took, in milliseconds: all of it, and to the manifest.
type sample struct{ whole, toManifest float64 }

func compare(registrycheck string) error {
	state := os.Getenv("REGISTRYCHECK_GROUND")
	if state == "" {
		return errors.New("this needs the test ground: run make bench")
	}
	if err := startProxy(); err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	// All trust the ground's authority alone, and none has to read the system's.
	environment := append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(state, "ca.crt"), "KUBECONFIG=/nonexistent")
	samples := map[string][]sample{}
	// Taken in turns, so that what disturbs the machine disturbs all of them.
	for round := range runs + 1 {
		for _, contender := range []struct {
			name    string
			command []string
		}{
			{"registrycheck", []string{registrycheck, "check", image, "--anonymous", "-o", "json"}},
			{"manifest", []string{own, "manifest", image}},
			{"walk", []string{own, "walk", image}},
		} {
			taken, err := measure(contender.command, environment)
			if err != nil {
				return err
			}
			if round > 0 { // the first round fills caches
				samples[contender.name] = append(samples[contender.name], taken)
			}
		}
	}
	show(samples)
	return nil
}

func measure(arguments, environment []string) (sample, error) {
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Env = environment
	command.Stderr = os.Stderr
	began := time.Now()
	output, err := command.Output()
	whole := float64(time.Since(began).Microseconds()) / 1000
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	after, err := afterManifest(output)
	return sample{whole, whole - after}, err
}

// afterManifest is how long the steps took that come after the manifest.
func afterManifest(output []byte) (float64, error) {
	if len(output) == 0 {
		return 0, nil
	}
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
		return 0, err
	}
	if !document.Pullable || len(document.Probes) != 1 {
		return 0, fmt.Errorf("this is no image that can be pulled: %s", output)
	}
	after := 0.0
	for _, step := range document.Probes[0].Steps {
		if slices.Contains([]string{"Platform", "Config", "Layer"}, step.Name) {
			after += step.DurationMs
		}
	}
	return after, nil
}

func show(samples map[string][]sample) {
	whole := func(s sample) float64 { return s.whole }
	toManifest := func(s sample) float64 { return s.toManifest }
	ours := samples["registrycheck"]
	fmt.Printf("%d runs each, in turns; %d ms of latency; medians\n\n", runs, latency)
	fmt.Printf("%-14s %-46s %14s %10s %6s\n", "", "crane's library", "registrycheck", "", "ratio")
	row := func(what, other string, own, others float64) {
		fmt.Printf("%-14s %-36s %6.1f ms %11.1f ms %10s %6.2f\n", what, other, others, own, "", own/others)
	}
	row("to manifest", "crane manifest", median(ours, toManifest), median(samples["manifest"], whole))
	row("to verdict", "manifest, configuration, first byte", median(ours, whole), median(samples["walk"], whole))
}

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}
