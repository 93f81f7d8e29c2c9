package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	most     = 1.1
	registry = "anonymous.test"
	// The proxy listens at another port of the registry's own address, so that
	// name and certificate are the registry's.
	listen   = "10.0.0.22:8443"
	upstream = "10.0.0.22:443"
	host     = registry + ":8443"
	image    = host + "/shop/api:v1"
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

func compare(registrycheck string) error {
	state := os.Getenv("REGISTRYCHECK_GROUND")
	if state == "" {
		return errors.New("this needs the test ground: run make bench")
	}
	contenders, err := contenders(registrycheck, state)
	if err != nil {
		return err
	}
	// All trust the ground's authority alone, and none has to read the system's.
	environment := append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(state, "ca.crt"), "KUBECONFIG=/nonexistent")
	for _, latency := range latencies {
		if err := compareAt(contenders, environment, latency); err != nil {
			return err
		}
	}
	return count(contenders, state, environment)
}

func compareAt(contenders []contender, environment []string, latency int) error {
	proxy, err := startProxy(latency)
	if err != nil {
		return err
	}
	defer proxy.Stop()
	samples := map[string][]sample{}
	// Taken in turns, so that what disturbs the machine disturbs all of them.
	for round := range runs + 1 {
		for _, contender := range contenders {
			taken, err := contender.run(environment)
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

func show(samples map[string][]sample, latency int) error {
	whole := func(s sample) float64 { return s.whole }
	toManifest := func(s sample) float64 { return s.toManifest }
	limit := most
	row := func(what, name string, of func(sample) float64, most *float64) error {
		return figure{
			Part: fmt.Sprintf("one probe, %d ms away", latency), What: what, Unit: "ms",
			Ours:      median(samples[verdict], of),
			Reference: &reference{name, median(samples[name], whole)}, Most: most,
		}.say()
	}
	return errors.Join(
		row("to the manifest", manifest, toManifest, &limit),
		row("to the verdict", walked, whole, &limit),
		row("to the verdict", again, whole, nil),
		row("to the verdict", pulled, whole, nil))
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
