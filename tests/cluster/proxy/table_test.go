// Package proxy holds the table of tests/data/proxies.json to what the package says by which
// container runtimes choose their proxies. With -update it writes the table's answers again.
package proxy

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"reflect"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

var update = flag.Bool("update", false, "write the answers again")

const (
	file      = "../../data/proxies.json"
	someProxy = "http://proxy.test:3128"
)

type table struct {
	// The requests.
	URLs []string `json:"urls"`
	// What NO_PROXY says, and which requests go past the proxy with that.
	Past []past `json:"past"`
	// What HTTPS_PROXY says, and through what a request goes with that; "" for through none.
	Proxies []proxy `json:"proxies"`
}

type past struct {
	NoProxy string   `json:"noProxy"`
	URLs    []string `json:"urls"`
}

type proxy struct {
	Variable string `json:"variable"`
	URL      string `json:"url"`
}

func chosen(t *testing.T, config httpproxy.Config, request string) string {
	t.Helper()
	parsed, err := url.Parse(request)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := config.ProxyFunc()(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if chosen == nil {
		return ""
	}
	return chosen.String()
}

func TestTheTableSaysWhatThePackageSays(t *testing.T) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var written, answered table
	if err := json.Unmarshal(content, &written); err != nil {
		t.Fatal(err)
	}
	answered.URLs = written.URLs
	for _, one := range written.Past {
		goes := []string{}
		for _, request := range written.URLs {
			config := httpproxy.Config{HTTPProxy: someProxy, HTTPSProxy: someProxy, NoProxy: one.NoProxy}
			if chosen(t, config, request) == "" {
				goes = append(goes, request)
			}
		}
		answered.Past = append(answered.Past, past{one.NoProxy, goes})
	}
	for _, one := range written.Proxies {
		config := httpproxy.Config{HTTPSProxy: one.Variable}
		answered.Proxies = append(answered.Proxies, proxy{one.Variable, chosen(t, config, "https://reg.test/v2/")})
	}
	if *update {
		text, err := json.MarshalIndent(answered, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !reflect.DeepEqual(written, answered) {
		t.Error("the table says something else than golang.org/x/net/http/httpproxy: go test ./proxy -update")
	}
}
