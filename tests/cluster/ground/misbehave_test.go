package main

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestWhatARequestAsksFor(t *testing.T) {
	for path, want := range map[string]asked{
		"/v2/":                            {kind: "ping"},
		"/token":                          {kind: "token"},
		"/v2/shop/api/manifests/v1":       {"manifest", "shop/api", "v1"},
		"/v2/shop/api/blobs/sha256:00":    {"blob", "shop/api", "sha256:00"},
		"/v2/shop/api/tags/list":          {kind: "tags", repository: "shop/api"},
		"/v2/shop/manifests/x/manifests/": {"manifest", "shop/manifests/x", ""},
		"/v2/manifests/blobs/x/blobs/y":   {kind: "blob", repository: "manifests/blobs/x", reference: "y"},
		"/index.html":                     {kind: "other"},
	} {
		if got := parseAsked(path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestNamesAreAnsweredAsEachHostWants(t *testing.T) {
	l := &lab{hosts: []*misbehaving{
		{Name: "good.lab.test", address: netip.MustParseAddr("10.0.4.1")},
		{Name: "gone.lab.test", Lookup: "nxdomain"},
		{Name: "mute.lab.test", Lookup: "silent"},
		{Name: "alias.lab.test", Lookup: "alias:good.lab.test"},
	}}
	question := func(name string) []byte {
		query := []byte{0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
		return append(append(query, encodeName(name)...), 0, dnsTypeA, 0, 1)
	}
	if response := l.resolve(question("GOOD.lab.test")); !bytes.HasSuffix(response, []byte{10, 0, 4, 1}) || response[7] != 1 {
		t.Errorf("the address: %x", response)
	}
	if response := l.resolve(question("gone.lab.test")); response[3]&15 != dnsNameError {
		t.Errorf("a name that does not exist: %x", response)
	}
	if response := l.resolve(question("mute.lab.test")); response != nil {
		t.Errorf("silence: %x", response)
	}
	if response := l.resolve(question("alias.lab.test")); response[7] != 2 {
		t.Errorf("an alias: %x", response)
	}
	if response := l.resolve([]byte{1, 2, 3}); response != nil {
		t.Errorf("no question: %x", response)
	}
}

func TestOnlyAGrantedRepositoryOpens(t *testing.T) {
	var book tokenBook
	book.remember("token", []string{"shop/"})
	for repository, want := range map[string]bool{"shop/api": true, "other/api": false} {
		if known, opens := book.opens("token", repository); !known || opens != want {
			t.Errorf("%s: known %v, opens %v", repository, known, opens)
		}
	}
	if known, _ := book.opens("forged", "shop/api"); known {
		t.Error("a token that nobody issued is known")
	}
}
