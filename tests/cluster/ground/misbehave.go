package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// misbehaving is one host of the lab: a name, and what is wrong with it. The
// zero value of every field is what a good registry does.
type misbehaving struct {
	Name string `json:"name"`
	Port int    `json:"port"` // 443 where it is 0
	// Case is what it belongs to: hosts of one case serve the same bytes.
	Case string `json:"case"`
	// Lookup is how the resolver answers: address, nxdomain, servfail, empty
	// (there are only other records), silent, alias:NAME, or then:ADDRESS (its
	// own the first time, and that one later).
	Lookup string `json:"lookup"`
	// Transport is what a connection meets: tls, plain, refused, dropped,
	// mute, closed, reset, ssh, hello-closed (after the client's first bytes)
	// or gibberish (HTTP without a status line, inside TLS).
	Transport string `json:"transport"`
	// DroppedFor is pods or node, where packets of only these are dropped.
	DroppedFor string `json:"droppedFor"`
	// Certificate is good, expired, future, other-name, untrusted,
	// common-name (no other names) or authority-missing (an intermediate that is not sent).
	Certificate       string `json:"certificate"`
	ClientCertificate bool   `json:"clientCertificate"` // whether it wants one
	// NewestTLS is the newest version that it speaks: 1.1 or 1.2; any where it is empty.
	NewestTLS string `json:"newestTLS"`
	// Untrusted leaves the node without the test authority for this host.
	Untrusted bool `json:"untrusted"`
	// Address is one of the lab's own where it is empty.
	Address string `json:"address"`
	// Chain are the aliases between the name and its address.
	Chain []string `json:"chain"`
	// Mirror is what the node asks in place of this host.
	Mirror string `json:"mirror"`
	// Auth is the login; there is none where it is nil.
	Auth *login `json:"auth"`
	// Images are what it serves: NAME:TAG to a kind, as content.go has them.
	Images map[string]string `json:"images"`
	// Announced is the image whose digest is written into logs/misbehave.digests.
	Announced string `json:"announced"`
	// Answers come before all of that; the first that fits counts.
	Answers []answer `json:"answers"`
	// Azure is what it plays of Azure; it is no part of Azure where it is nil.
	Azure *azureRole `json:"azure"`

	address netip.Addr
	// lookedUp is whether its address was asked for; only the resolver uses it.
	lookedUp bool
}

func (m *misbehaving) host() string {
	if m.Port == 0 || m.Port == 443 {
		return m.Name
	}
	return fmt.Sprintf("%s:%d", m.Name, m.Port)
}

func (m *misbehaving) listenAddress() string {
	port := m.Port
	if port == 0 {
		port = 443
	}
	return fmt.Sprintf("%s:%d", m.address, port)
}

// lab is all hosts that misbehave, in one process.
type lab struct {
	state     string
	authority *authority
	stranger  *authority
	hosts     []*misbehaving
	journal   *journal
	azure     azure
	tokens    tokenBook
	content   contentStore
}

// misbehaveNames is where the lab's resolver listens; the ground's asks it for
// these zones.
const misbehaveNames = "10.0.0.54"

var misbehaveZones = []string{"lab.test", "elsewhere.test", "docker.io", "azurecr.io"}

// misbehave plays the hosts that the file tells of, for as long as it lives.
func misbehave(file string) error {
	l := &lab{}
	if err := decodeStrictly(file, &l.hosts); err != nil {
		return err
	}
	return l.play("10.0.4.0", misbehaveZones)
}

// play plays the hosts, each with an address after that one unless it has its
// own. It says "ready" when they can be asked.
func (l *lab) play(addresses string, zones []string) error {
	if l.state = os.Getenv("REGISTRYCHECK_GROUND"); l.state == "" {
		return errors.New("hosts can be played only inside a ground")
	}
	if err := l.assignAddresses(netip.MustParseAddr(addresses)); err != nil {
		return err
	}
	if err := l.prepare(); err != nil {
		return err
	}
	failures := make(chan error)
	if err := l.answerNames(failures); err != nil {
		return err
	}
	for _, host := range l.hosts {
		if err := l.listen(host, failures); err != nil {
			return fmt.Errorf("%s: %w", host.Name, err)
		}
	}
	if err := forwardNames(l.state, misbehaveNames, zones); err != nil {
		return err
	}
	if err := l.writeDigests(); err != nil {
		return err
	}
	fmt.Println("ready")
	return <-failures
}

// writeDigests writes, for each host that announces one, the digest of its
// image, so that a pod can name it.
func (l *lab) writeDigests() error {
	digests := map[string]string{}
	for _, host := range l.hosts {
		if host.Announced == "" {
			continue
		}
		image := l.content.image(host.Case+"/"+host.Announced, host.Images[host.Announced])
		if image.err != nil {
			return image.err
		}
		digests[host.Name] = image.top.digest()
	}
	content, err := json.Marshal(digests)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.state, "logs", "misbehave.digests"), content, 0o644)
}

// decodeStrictly reads a file of JSON in which nothing is unknown.
func decodeStrictly(file string, into any) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	decoder := json.NewDecoder(content)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// assignAddresses gives each host an address of its own, so that what is no
// HTTP can be told apart too.
func (l *lab) assignAddresses(address netip.Addr) (err error) {
	seen := map[string]netip.Addr{}
	for _, host := range l.hosts {
		if known, ok := seen[host.Name]; ok { // two ports of one name
			host.address = known
			continue
		}
		address = address.Next()
		host.address = address
		if host.Name == "localhost" {
			host.address = netip.MustParseAddr("127.0.0.1")
		}
		if host.Address != "" {
			if host.address, err = netip.ParseAddr(host.Address); err != nil {
				return fmt.Errorf("%s: %w", host.Name, err)
			}
		}
		seen[host.Name] = host.address
	}
	return nil
}

// prepare makes addresses, faults and what the node knows of the hosts.
func (l *lab) prepare() (err error) {
	if l.authority, err = loadAuthority(filepath.Join(l.state, "certificates")); err != nil {
		return err
	}
	if l.stranger, err = newAuthority("an authority that nobody trusts"); err != nil {
		return err
	}
	if l.journal, err = openJournal(filepath.Join(l.state, "logs", "misbehave.log")); err != nil {
		return err
	}
	var addresses, drops strings.Builder
	for _, host := range l.hosts {
		if host.Name != "localhost" {
			fmt.Fprintf(&addresses, "address replace %s/32 dev lo\n", host.address)
		}
		switch {
		case host.Transport == "dropped":
			drops.WriteString(dropCommand(host.address.String()))
		case host.DroppedFor == "pods":
			fmt.Fprintf(&drops, "add rule inet ground input ip saddr %s ip daddr %s drop\n", podSubnet, host.address)
		case host.DroppedFor == "node":
			fmt.Fprintf(&drops, "add rule inet ground input ip saddr != %s ip daddr %s drop\n", podSubnet, host.address)
		}
		if err := l.tellNode(host); err != nil {
			return err
		}
	}
	err = tool([]byte(addresses.String()), "ip", "-batch", "-")
	if drops.Len() > 0 && err == nil {
		err = tool([]byte(drops.String()), "nft", "-f", "-")
	}
	return err
}

// mended says whether a host's lookup, certificate and answers are in order by
// now: somebody made a file of its case's name in the directory "mended".
func (l *lab) mended(host *misbehaving) bool {
	_, err := os.Stat(filepath.Join(l.state, "mended", host.Case))
	return err == nil
}

// tellNode writes what containerd shall know of a host.
func (l *lab) tellNode(host *misbehaving) error {
	if host.Untrusted || host.Name == "localhost" || host.Azure.isService() {
		return nil
	}
	authority := fmt.Sprintf("ca = %q\n", filepath.Join(l.state, "ca.crt"))
	configuration := fmt.Sprintf("server = %q\n%s[host]\n", "https://"+host.host(), authority)
	if host.Mirror != "" {
		configuration = fmt.Sprintf("server = %q\n%s[host.%q]\n%s", "https://"+host.host(), authority, "https://"+host.Mirror, authority)
	}
	if strings.HasSuffix(host.Name, "docker.io") {
		// Docker Hub is asked as registry-1.docker.io and configured as docker.io.
		configuration = fmt.Sprintf("server = %q\n%s[host]\n", "https://registry-1.docker.io", authority)
	}
	name := host.host()
	if name == "registry-1.docker.io" {
		name = "docker.io"
	}
	directory := filepath.Join(l.state, "certs.d", name)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "hosts.toml"), []byte(configuration), 0o644)
}
