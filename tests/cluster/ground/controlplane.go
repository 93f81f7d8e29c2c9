package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	apiURL     = "https://" + serviceAddress
	adminToken = "admin-token"
	nodeToken  = "node-token"
	nodeName   = "node-1"
)

// auditPolicy has all that the controller, its node probes and the kubelet send
// written down, and nothing that the tests send or that anybody is answered.
const auditPolicy = `{
	"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
	"rules": [
		{"level": "Request", "verbs": ["create", "update", "patch", "delete"],
			"userGroups": ["system:serviceaccounts:registrycheck", "system:nodes"]},
		{"level": "None"}
	]
}`

// startAPI starts etcd and the API server and waits until it is ready.
func (g *ground) startAPI(ctx context.Context) error {
	// Nobody needs this etcd after a crash, so nothing is forced to the disk.
	err := g.processes.start("etcd", g.kubernetes, "etcd",
		"--data-dir="+g.path("etcd"), "--unsafe-no-fsync", "--log-level=warn")
	if err != nil {
		return err
	}
	tokens := fmt.Sprintf("%s,admin,admin,\"system:masters\"\n%s,system:node:%s,node,\"system:nodes\"\n",
		adminToken, nodeToken, nodeName)
	certificate, key, err := g.issueFiles(g.cluster, "kube-apiserver", wish{names: []string{
		serviceAddress, nodeAddress, "127.0.0.1", "localhost",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}})
	if err != nil {
		return err
	}
	clientCertificate, clientKey, err := g.issueFiles(g.cluster, "kubelet-client",
		wish{commonName: "kube-apiserver", organization: "system:masters"})
	if err != nil {
		return err
	}
	err = errors.Join(
		os.WriteFile(g.path("tokens.csv"), []byte(tokens), 0o600),
		g.writeKubeconfig("admin", adminToken),
		g.writeKubeconfig("node", nodeToken))
	if err != nil {
		return err
	}
	accountsKey := g.path("certificates", "service-accounts.key")
	policy := g.path("audit-policy.json")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	err = g.processes.start("kube-apiserver", g.kubernetes, "kube-apiserver",
		"--audit-policy-file="+policy, "--audit-log-path="+g.path("logs", "audit.log"),
		"--etcd-servers=http://127.0.0.1:2379",
		// There is no kube-proxy: it listens at the service's address itself.
		"--bind-address="+serviceAddress, "--secure-port=443", "--advertise-address="+nodeAddress,
		"--service-cluster-ip-range="+serviceSubnet,
		// For the same reason it asks webhooks at the address of their pods.
		"--enable-aggregator-routing=true",
		"--tls-cert-file="+certificate, "--tls-private-key-file="+key,
		"--kubelet-client-certificate="+clientCertificate, "--kubelet-client-key="+clientKey,
		"--kubelet-certificate-authority="+g.path("cluster-ca.crt"),
		"--client-ca-file="+g.path("cluster-ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+accountsKey, "--service-account-signing-key-file="+accountsKey,
		"--token-auth-file="+g.path("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--cert-dir="+g.path("certificates"))
	if err != nil {
		return err
	}
	client := g.adminClient()
	return await(ctx, "API server", func() error { return client.get("/readyz", nil) })
}

// startControllers starts the controller manager and the scheduler. Neither
// serves anything: nobody would ask.
func (g *ground) startControllers() error {
	limits := []string{"--kube-api-qps=200", "--kube-api-burst=400"}
	kubeconfig := "--kubeconfig=" + g.path("admin.kubeconfig")
	return errors.Join(
		g.processes.start("kube-controller-manager", g.kubernetes, append([]string{"kube-controller-manager", kubeconfig,
			"--leader-elect=false", "--secure-port=0",
			"--service-account-private-key-file=" + g.path("certificates", "service-accounts.key"),
			"--root-ca-file=" + g.path("cluster-ca.crt"),
			"--flex-volume-plugin-dir=" + g.path("volume-plugins")}, limits...)...),
		g.processes.start("kube-scheduler", g.kubernetes, append([]string{"kube-scheduler", kubeconfig,
			"--leader-elect=false", "--secure-port=0"}, limits...)...))
}

// awaitAccounts waits for what a pod in the default namespace cannot do without.
func (g *ground) awaitAccounts(ctx context.Context) error {
	client := g.adminClient()
	return await(ctx, "default service account", func() error {
		return errors.Join(
			client.get("/api/v1/namespaces/default/serviceaccounts/default", nil),
			client.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt", nil))
	})
}

func (g *ground) writeKubeconfig(user, token string) error {
	content := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: ground, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: %s, user: {token: %q}}]
contexts: [{name: ground, context: {cluster: ground, user: %[3]s}}]
current-context: ground
`, apiURL, g.path("cluster-ca.crt"), user, token)
	return os.WriteFile(g.path(user+".kubeconfig"), []byte(content), 0o600)
}

// apiClient reads from the API server, as admin.
type apiClient struct{ http http.Client }

func (g *ground) adminClient() *apiClient {
	return &apiClient{http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.cluster.pool()}},
	}}
}

// get reads the path, as JSON into a pointer unless that is nil.
func (c *apiClient) get(path string, into any) error {
	request, err := http.NewRequest(http.MethodGet, apiURL+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
