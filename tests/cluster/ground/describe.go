package main

import (
	"encoding/json"
	"os"
)

// describe writes ground.json: what is running, for tests to read.
func (g *ground) describe() error {
	type credential struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	type described struct {
		Host       string      `json:"host"`
		Address    string      `json:"address,omitempty"`
		Port       int         `json:"port"`
		Kind       kind        `json:"kind"`
		Credential *credential `json:"credential,omitempty"`
	}
	passwords := map[kind]string{basic: basicPassword, alias: basicPassword, bearer: bearerPassword}
	var hosts []described
	for _, r := range registries {
		d := described{Host: r.host(), Address: r.address, Port: r.port, Kind: r.kind}
		if password, ok := passwords[r.kind]; ok {
			d.Credential = &credential{userName, password}
		}
		hosts = append(hosts, d)
	}
	content, err := json.MarshalIndent(map[string]any{
		"node":       map[string]string{"name": nodeName, "address": nodeAddress},
		"api":        apiURL,
		"kubeconfig": g.path("admin.kubeconfig"),
		"containerd": containerdSocket,
		"resolver":   namesAddress,
		"realm":      tokenServer.realm(),
		"ca":         g.path("ca.crt"),
		"clusterCA":  g.path("cluster-ca.crt"),
		"logs":       g.path("logs"),
		"localImage": localImage,
		"images":     seeded,
		"registries": hosts,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(g.path("ground.json"), append(content, '\n'), 0o644)
}
