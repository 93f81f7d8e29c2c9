package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

// startNames starts the one resolver of the node and its pods. It knows the
// names of the ground and says NXDOMAIN to all others.
func (g *ground) startNames(ctx context.Context) error {
	var conf strings.Builder
	conf.WriteString("no-resolv\nno-hosts\nbind-interfaces\nlocal=/#/\nuser=root\npid-file=\nlog-queries\nlog-facility=-\n")
	fmt.Fprintf(&conf, "listen-address=%s\n", namesAddress)
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
