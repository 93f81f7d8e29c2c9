package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Every server has an address of its own on the namespace's loopback device,
// which pods reach too: the node is their router.
const (
	nodeAddress    = "10.0.0.10"
	namesAddress   = "10.0.0.53"
	serviceAddress = "10.96.0.1" // kubernetes.default: the API server listens there itself
	serviceSubnet  = "10.96.0.0/16"
	podSubnet      = "10.88.0.0/16"
)

// makeNetwork gives lo all addresses, forwards between pods, and makes the
// table of dropped packets.
func makeNetwork() error {
	var commands strings.Builder
	commands.WriteString("link set lo up\n")
	addresses := []string{nodeAddress, namesAddress, serviceAddress, tokenServer.address}
	for _, r := range registries {
		if r.kind != missing {
			addresses = append(addresses, r.address)
		}
	}
	slices.Sort(addresses)
	for _, address := range slices.Compact(addresses) { // two ports may share one
		fmt.Fprintf(&commands, "address add %s/32 dev lo\n", address)
	}
	return errors.Join(
		tool([]byte(commands.String()), "ip", "-batch", "-"),
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
		tool([]byte(`table inet ground {
	set dropped { type ipv4_addr; }
	chain input { type filter hook input priority 0; ip daddr @dropped drop; }
}`), "nft", "-f", "-"),
		resetFaults(),
	)
}

// resetFaults drops packets to the silent registries, and to nobody else.
func resetFaults() error {
	commands := "flush set inet ground dropped\n"
	for _, r := range registries {
		if r.kind == silent {
			commands += dropCommand(r.address)
		}
	}
	return tool([]byte(commands), "nft", "-f", "-")
}

// dropPackets makes the server at that address unreachable without a word.
func dropPackets(address string) error {
	return tool([]byte(dropCommand(address)), "nft", "-f", "-")
}

func dropCommand(address string) string {
	return fmt.Sprintf("add element inet ground dropped { %s }\n", address)
}

// makeMounts keeps what the node writes off the host, where the place is not
// ours to choose.
func (g *ground) makeMounts() error {
	return sequence(
		func() error { return unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		func() error { return os.Mkdir("/run/netns", 0o755) },
		// The kubelet links the logs of pods in /var/log/containers.
		func() error { return unix.Mount(g.path("var-log"), "/var/log", "", unix.MS_BIND, "") },
		// CNI keeps its results in /var/lib/cni, the kubelet its device
		// plugins in /var/lib/kubelet.
		func() error { return veil("/var/lib", "cni", "kubelet") },
		func() error {
			if os.Getenv(azureVariable) == "" {
				return nil
			}
			// A node of AKS has its azure.json there.
			return veil("/etc", "kubernetes")
		},
		g.mountResolvConf,
	)
}

// veil covers a directory with an empty one in which all its entries are
// bound again, except those named: what exists stays the host's, and what is
// made anew is seen by nobody else.
func veil(directory string, except ...string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	// The originals stay reachable through this descriptor.
	original, err := unix.Open(directory, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(original)
	if err := unix.Mount("tmpfs", directory, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("covering %s: %w", directory, err)
	}
	for _, name := range except {
		if err := os.Mkdir(filepath.Join(directory, name), 0o755); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		target := filepath.Join(directory, entry.Name())
		source := fmt.Sprintf("/proc/self/fd/%d/%s", original, entry.Name())
		if slices.Contains(except, entry.Name()) {
			continue
		}
		if err := bindAgain(source, target, entry.Type()); err != nil {
			return fmt.Errorf("binding %s: %w", target, err)
		}
	}
	return nil
}

func bindAgain(source, target string, kind os.FileMode) error {
	switch {
	case kind&os.ModeSymlink != 0:
		link, err := os.Readlink(source)
		return errors.Join(err, os.Symlink(link, target))
	case kind.IsDir():
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
	default:
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			return err
		}
	}
	return unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// mountResolvConf makes the ground's resolver everybody's in here. The file
// may be a link into /run, which is empty by now.
func (g *ground) mountResolvConf() error {
	const file = "/etc/resolv.conf"
	content := []byte("nameserver " + namesAddress + "\n")
	if err := os.WriteFile(g.path("resolv.conf"), content, 0o644); err != nil {
		return err
	}
	target := file
	if link, err := os.Readlink(file); err == nil {
		target = link
		if !filepath.IsAbs(link) {
			target = filepath.Join(filepath.Dir(file), link)
		}
	}
	if _, err := os.Stat(target); err != nil {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	}
	return unix.Mount(g.path("resolv.conf"), target, "", unix.MS_BIND, "")
}
