package main

import "testing"

func TestTableOfRegistries(t *testing.T) {
	hosts, listeners := map[string]bool{}, map[string]bool{}
	for _, r := range registries {
		if hosts[r.host()] {
			t.Errorf("%s is there twice", r.host())
		}
		hosts[r.host()] = true
		if (r.kind == alias) != (r.aliasOf != "") || (r.kind == missing) != (r.address == "") {
			t.Errorf("%+v contradicts itself", r)
		}
		if r.kind == alias {
			continue
		}
		if listeners[r.listenAddress()] {
			t.Errorf("%s has the address of another", r.host())
		}
		listeners[r.listenAddress()] = true
	}
	for _, r := range registries {
		if r.aliasOf != "" && !hosts[r.aliasOf] {
			t.Errorf("%s is the alias of %s, which is not there", r.name, r.aliasOf)
		}
	}
}
