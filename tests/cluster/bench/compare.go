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

// latencies are of the way back, in milliseconds.
var latencies = []int{0, 10, 50}

const (
	runs = 20
	// most is how many times the reference a probe may take.
	most = 1.1
	// The proxy listens at another port of the registry's own address, so that
	// name and certificate are the registry's.
	listen   = "10.0.0.22:8443"
	upstream = "10.0.0.22:443"
	image    = "anonymous.test:8443/shop/api:v1"
)

// startProxy makes the way to the registry slow; whoever calls it stops it.
func startProxy(latency int) (*toxiproxy.Proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "registry", listen, upstream)
	if err := proxy.Start(); err != nil {
		return nil, err
	}
	toxic := fmt.Sprintf(`{"type": "latency", "attributes": {"latency": %d}}`, latency)
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	return proxy, err
}

// sample is how long one run took, in milliseconds: all of it, and to the manifest.
type sample struct{ whole, toManifest float64 }

func compare(registrycheck string) error {
	state := os.Getenv("REGISTRYCHECK_GROUND")
	if state == "" {
		return errors.New("this needs the test ground: run make bench")
	}
	for _, latency := range latencies {
		if err := compareAt(registrycheck, state, latency); err != nil {
			return err
		}
	}
	return nil
}

func compareAt(registrycheck, state string, latency int) error {
	proxy, err := startProxy(latency)
	if err != nil {
		return err
	}
	defer proxy.Stop()
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
	return show(samples, latency)
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

func show(samples map[string][]sample, latency int) error {
	whole := func(s sample) float64 { return s.whole }
	toManifest := func(s sample) float64 { return s.toManifest }
	ours := samples["registrycheck"]
	part := fmt.Sprintf("one probe, %d ms away", latency)
	limit := most
	row := func(what, name string, own, others float64) error {
		return figure{
			Part: part, What: what, Unit: "ms", Ours: own,
			Reference: &reference{name, others}, Most: &limit,
		}.say()
	}
	return errors.Join(
		row("to the manifest", "crane manifest", median(ours, toManifest), median(samples["manifest"], whole)),
		row("to the verdict", "crane, manifest to layer", median(ours, whole), median(samples["walk"], whole)))
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
