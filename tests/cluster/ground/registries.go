package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// kind is what a registry is like, and thereby which server plays it.
type kind string

const (
	basic       kind = "basic"       // asks for a password itself
	bearer      kind = "bearer"      // sends one to the token server
	anonymous   kind = "anonymous"   // asks for nothing
	plain       kind = "plain"       // speaks no TLS
	expired     kind = "expired"     // has a certificate that expired yesterday
	wrongName   kind = "wrong-name"  // has a certificate of another name
	untrusted   kind = "untrusted"   // has a certificate of an unknown authority
	unavailable kind = "unavailable" // answers 503
	refused     kind = "refused"     // nothing listens
	silent      kind = "silent"      // packets are dropped
	alias       kind = "alias"       // another name of a registry
	missing     kind = "missing"     // a name that does not exist
)

// registry is one row of the table: a name that images can have.
type registry struct {
	name    string
	address string
	port    int
	kind    kind
	aliasOf string // for an alias: whose
	// unconfigured registries have no hosts.toml, so that containerd treats
	// them as it does one that it never heard of.
	unconfigured bool
}

// registries is what there is. All that serve images serve the same ones.
var registries = []registry{
	{name: "basic.test", address: "10.0.0.20", port: 443, kind: basic},
	{name: "bearer.test", address: "10.0.0.21", port: 443, kind: bearer},
	{name: "anonymous.test", address: "10.0.0.22", port: 443, kind: anonymous},
	{name: "plain.test", address: "10.0.0.23", port: 5000, kind: plain},
	{name: "plain.test", address: "10.0.0.23", port: 5001, kind: plain, unconfigured: true},
	{name: "expired.test", address: "10.0.0.24", port: 443, kind: expired},
	{name: "wrongname.test", address: "10.0.0.25", port: 443, kind: wrongName},
	{name: "untrusted.test", address: "10.0.0.26", port: 443, kind: untrusted},
	{name: "unavailable.test", address: "10.0.0.27", port: 443, kind: unavailable},
	{name: "refused.test", address: "10.0.0.28", port: 443, kind: refused},
	{name: "silent.test", address: "10.0.0.29", port: 443, kind: silent},
	{name: "alias.test", address: "10.0.0.20", port: 443, kind: alias, aliasOf: "basic.test"},
	{name: "missing.test", port: 443, kind: missing},
}

// The canaries are passwords that a test can look for in everything that must
// not contain one.
const (
	userName       = "alice"
	basicPassword  = "s3cret-basic-canary"
	bearerPassword = "s3cret-bearer-canary"
)

// host is the registry as the first part of an image's name.
func (r registry) host() string {
	if r.port == 443 {
		return r.name
	}
	return fmt.Sprintf("%s:%d", r.name, r.port)
}

func (r registry) listenAddress() string { return fmt.Sprintf("%s:%d", r.address, r.port) }

func (r registry) url() string {
	if r.kind == plain {
		return "http://" + r.host()
	}
	return "https://" + r.host()
}

// distribution says whether a real registry plays it.
func (r registry) distribution() bool {
	switch r.kind {
	case basic, bearer, anonymous, plain, expired, wrongName, untrusted:
		return true
	case unavailable, refused, silent, alias, missing:
	}
	return false
}

// startRegistries starts all that listen, and fills them through one of them.
func (g *ground) startRegistries(ctx context.Context) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(basicPassword), bcrypt.MinCost)
	if err != nil {
		return err
	}
	if err := os.WriteFile(g.path("htpasswd"), fmt.Appendf(nil, "%s:%s\n", userName, hash), 0o600); err != nil {
		return err
	}
	if err := g.startTokenServer(); err != nil {
		return err
	}
	stranger, err := newAuthority("an authority that nobody trusts")
	if err != nil {
		return err
	}
	for _, r := range registries {
		authority := g.registry
		if r.kind == untrusted {
			authority = stranger
		}
		if err := g.startRegistry(r, authority); err != nil {
			return fmt.Errorf("%s: %w", r.host(), err)
		}
	}
	if err := g.fillRegistries(ctx); err != nil {
		return err
	}
	for _, r := range registries {
		if !r.distribution() {
			continue
		}
		if err := await(ctx, r.host(), func() error { return dial(r.listenAddress()) }); err != nil {
			return err
		}
	}
	return nil
}

func dial(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

func (g *ground) startRegistry(r registry, authority *authority) error {
	switch {
	case r.distribution():
		return g.startDistribution(r, authority)
	case r.kind == unavailable:
		return g.serve(r.name, r.listenAddress(), http.HandlerFunc(serveUnavailable))
	}
	return nil // refused, silent, alias, missing: being there is all they do
}

// startDistribution starts Debian's registry with what sets this one apart.
func (g *ground) startDistribution(r registry, authority *authority) error {
	var conf strings.Builder
	fmt.Fprintf(&conf, `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http:
  addr: %q
  host: %q
`, g.path("registry"), r.listenAddress(), r.url())
	if r.kind != plain {
		certificate, key, err := g.issueFiles(authority, r.name, wish{names: r.certificateNames(), expired: r.kind == expired})
		if err != nil {
			return err
		}
		fmt.Fprintf(&conf, "  tls: {certificate: %q, key: %q}\n", certificate, key)
	}
	switch r.kind {
	case basic:
		fmt.Fprintf(&conf, "auth: {htpasswd: {realm: %q, path: %q}}\n", r.name, g.path("htpasswd"))
	case bearer:
		fmt.Fprintf(&conf, "auth: {token: {realm: %q, service: %q, issuer: %q, rootcertbundle: %q}}\n",
			tokenServer.realm(), r.name, tokenServer.name, g.path("ca.crt"))
	}
	name := strings.ReplaceAll(r.host(), ":", "-")
	file := g.path(name + ".yml")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		return err
	}
	return g.processes.start(name, "docker-registry", "serve", file)
}

// certificateNames are the names that the registry's certificate has: its own
// and its aliases', or that of somebody else.
func (r registry) certificateNames() []string {
	if r.kind == wrongName {
		return []string{"another.test"}
	}
	names := []string{r.name}
	for _, other := range registries {
		if other.aliasOf == r.name {
			names = append(names, other.name)
		}
	}
	return names
}

// serve starts an HTTPS server of our own, in this process.
func (g *ground) serve(name, address string, handler http.Handler) error {
	certificate, err := g.registry.issue(wish{names: []string{name}})
	if err != nil {
		return err
	}
	file, err := os.Create(g.path("logs", name+".log"))
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return err
	}
	lines := log.New(file, "", log.LstdFlags|log.Lmicroseconds)
	server := http.Server{Handler: logged(lines, handler), ErrorLog: lines}
	go func() { say("%s ended: %v", name, server.Serve(listener)) }()
	return nil
}

func serveUnavailable(w http.ResponseWriter, _ *http.Request) {
	writeError(w, http.StatusServiceUnavailable, "UNAVAILABLE", "service unavailable, try again later")
}
