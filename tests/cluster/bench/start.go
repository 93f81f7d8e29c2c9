package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	starts  = 20
	address = "http://127.0.0.1:18080"
	// Its memory is read this long after it is ready.
	rest = 5 * time.Second
)

// start says how long the controller takes until it leads and has read what it watches, beside
// kubectl, which reads the same lists once; and how much memory it has at rest.
func start(registrycheck, definition string) error {
	if os.Getenv("REGISTRYCHECK_GROUND") == "" {
		return errors.New("this needs the test ground: run make bench")
	}
	if output, err := exec.Command("kubectl", "apply", "--server-side", "-f", definition).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	wait := exec.Command("kubectl", "wait", "--for=condition=Established", "-f", definition)
	if output, err := wait.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	var ready, ended, kubectl []float64
	var memory string
	for round := range starts {
		this, err := startOnce(registrycheck, round == starts-1)
		if err != nil {
			return err
		}
		ready, ended = append(ready, this.ready), append(ended, this.ended)
		memory += this.memory
		begun := time.Now()
		if output, err := exec.Command("kubectl", "get", "pods,registrychecks", "-A").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		kubectl = append(kubectl, milliseconds(time.Since(begun)))
	}
	fmt.Printf("until it is ready: %s\nfrom SIGTERM: %s\nmemory %s after it is ready: %s\n", spread(ready), spread(ended), rest, memory)
	return errors.Join(
		figure{
			Part: "start", What: "until it leads and is ready", Unit: "ms", Ours: medianOf(ready),
			Reference: &reference{"kubectl get, the same lists", medianOf(kubectl)},
		}.say(),
		figure{Part: "start", What: "from SIGTERM to its end", Unit: "ms", Ours: medianOf(ended)}.say())
}

// one is what a start came to, in milliseconds; the memory only where it was measured.
type one struct {
	ready, ended float64
	memory       string
}

func startOnce(registrycheck string, measures bool) (one, error) {
	command := exec.Command(registrycheck, "run", "--listen", strings.TrimPrefix(address, "http://"), "--namespace", "default")
	var log bytes.Buffer
	command.Stderr = &log
	begun := time.Now()
	if err := command.Start(); err != nil {
		return one{}, err
	}
	for !leadsAndIsReady() {
		if time.Since(begun) > 20*time.Second {
			_ = command.Process.Kill()
			return one{}, fmt.Errorf("it is not ready after 20 s: %s", log.String())
		}
		time.Sleep(time.Millisecond)
	}
	found := one{ready: milliseconds(time.Since(begun))}
	if measures {
		time.Sleep(rest)
		found.memory = memoryOf(command.Process.Pid)
	}
	// It gives its lease back, so that the next one need not wait for its end.
	begun = time.Now()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		return one{}, err
	}
	err := command.Wait()
	found.ended = milliseconds(time.Since(begun))
	return found, err
}

func leadsAndIsReady() bool {
	metrics, status := get("/metrics")
	if status != http.StatusOK || !strings.Contains(metrics, "\nregistrycheck_leader 1\n") {
		return false
	}
	_, status = get("/readyz")
	return status == http.StatusOK
}

func get(path string) (string, int) {
	response, err := http.Get(address + path)
	if err != nil {
		return "", 0
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", 0
	}
	return string(body), response.StatusCode
}

var resident = regexp.MustCompile(`(?m)^Vm(RSS|HWM):\s+(\d+ kB)`)

func memoryOf(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	var found []string
	for _, match := range resident.FindAllStringSubmatch(string(status), -1) {
		found = append(found, match[2]+map[string]string{"RSS": " resident", "HWM": " at most"}[match[1]])
	}
	slices.Reverse(found)
	return strings.Join(found, ", ")
}

func milliseconds(duration time.Duration) float64 { return float64(duration.Microseconds()) / 1000 }

func medianOf(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(values []float64) string {
	return fmt.Sprintf("least %6.1f ms  median %6.1f ms  most %6.1f ms", slices.Min(values), medianOf(values), slices.Max(values))
}
