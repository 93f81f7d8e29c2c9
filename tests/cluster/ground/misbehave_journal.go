package main

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"sync"
)

// journal has a line of JSON for each request, so that what the runtime asks
// can be compared with what somebody else asks.
type journal struct {
	mutex sync.Mutex
	file  *os.File
}

// entry is one request. No password and no token is in it.
type entry struct {
	Host   string `json:"host"`
	Case   string `json:"case"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	Agent  string `json:"agent"`
	User   string `json:"user"`
	From   string `json:"from"`
	// Carried are the secrets that it had with it, by name.
	Carried []carried `json:"carried,omitempty"`
}

func openJournal(path string) (*journal, error) {
	file, err := os.Create(path)
	return &journal{file: file}, err
}

func (j *journal) write(line entry) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	_ = json.NewEncoder(j.file).Encode(line) // A full disk shows elsewhere soon enough.
}

// vantageOf says from where a connection comes: pods or node.
func vantageOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return ""
	}
	address, err := netip.ParseAddr(host)
	if err == nil && netip.MustParsePrefix(podSubnet).Contains(address) {
		return "pods"
	}
	return "node"
}
