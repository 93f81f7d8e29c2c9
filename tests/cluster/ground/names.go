package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startNames starts the one resolver of the node and its pods. It knows the
// names of the ground and says NXDOMAIN to all others, but for zones that
// another resolver of the ground answers for. It remembers nothing.
func (g *ground) startNames(ctx context.Context) error {
	var conf strings.Builder
	conf.WriteString("no-resolv\nno-hosts\ncache-size=0\nbind-interfaces\nlocal=/#/\nuser=root\nlog-queries\nlog-facility=-\n")
	fmt.Fprintf(&conf, "listen-address=%s\n", namesAddress)
	forwarded, pid := namesFiles(g.state)
	fmt.Fprintf(&conf, "servers-file=%s\npid-file=%s\n", forwarded, pid)
	if err := os.WriteFile(forwarded, nil, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(&conf, "host-record=kubernetes.default.svc.cluster.local,%s\n", serviceAddress)
	fmt.Fprintf(&conf, "host-record=%s,%s\n", tokenServer.name, tokenServer.address)
	for _, r := range registries {
		switch {
		case r.kind == missing:
		case r.kind == alias:
			fmt.Fprintf(&conf, "cname=%s,%s\n", r.name, r.aliasOf)
		default:
			fmt.Fprintf(&conf, "host-record=%s,%s\n", r.name, r.address)
		}
	}
	file := g.path("dnsmasq.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		return err
	}
	if err := g.processes.start("dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file="+file); err != nil {
		return err
	}
	return await(ctx, "dnsmasq", func() error {
		_, err := net.DefaultResolver.LookupHost(ctx, tokenServer.name)
		return err
	})
}

// namesFiles are the list of zones that somebody else answers for, and where
// the resolver's process is to be found.
func namesFiles(state string) (forwarded, pid string) {
	return filepath.Join(state, "dnsmasq.servers"), filepath.Join(state, "dnsmasq.pid")
}

// forwardNames lets another resolver answer for these zones.
func forwardNames(state, resolver string, zones []string) error {
	forwarded, pidFile := namesFiles(state)
	var lines strings.Builder
	for _, zone := range zones {
		fmt.Fprintf(&lines, "server=/%s/%s\n", zone, resolver)
	}
	if err := os.WriteFile(forwarded, []byte(lines.String()), 0o644); err != nil {
		return err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGHUP)
}
