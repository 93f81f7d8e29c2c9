package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// containerdSocket is where every client looks for it; /run is the ground's own.
const containerdSocket = "/run/containerd/containerd.sock"

// startContainerd starts containerd, and gives it the images that need no registry.
func (g *ground) startContainerd(ctx context.Context) error {
	configuration := fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  # Where CAP_SYS_RESOURCE lacks, no score can be lowered, and runc dies trying.
  restrict_oom_score_adj = true
  sandbox_image = %q
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native" # works on every file system
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = %q
`, g.path("containerd"), containerdSocket, g.path("opt"), pauseImage, g.path("cni"), g.path("certs.d"), g.path("runc"))
	network := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
  "type": "host-local", "dataDir": "/run/cni-ipam", "subnet": %q, "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, podSubnet)
	err := errors.Join(
		os.Mkdir(g.path("cni"), 0o755),
		os.WriteFile(g.path("cni", "10-ptp.conflist"), []byte(network), 0o644),
		os.WriteFile(g.path("containerd.toml"), []byte(configuration), 0o644),
		os.WriteFile(g.path("runc"), []byte(strings.ReplaceAll(runcWrapper, "GROUP", groupName(g.state))), 0o755),
		g.trustRegistries())
	if err != nil {
		return err
	}
	if err := g.processes.start("containerd", "containerd", "--config", g.path("containerd.toml")); err != nil {
		return err
	}
	err = await(ctx, "containerd", func() error { return tool(nil, "ctr", "version") })
	if err != nil {
		return err
	}
	for _, name := range []string{pauseImage, localImage} {
		image, err := busyboxImage(name)
		if err != nil {
			return err
		}
		var archive bytes.Buffer
		if err := image.writeArchive(&archive, name); err != nil {
			return err
		}
		if err := importImage(archive.Bytes(), "-"); err != nil {
			return err
		}
	}
	return nil
}

// runcWrapper puts containers into a control group of this ground. Control
// groups are the host's, and containerd would put those of all grounds (and of
// the host's own cluster) into /k8s.io, where nobody could tell whose they are.
const runcWrapper = `#!/bin/sh
bundle=
previous=
for argument; do
  [ "$previous" = --bundle ] && bundle=$argument
  previous=$argument
done
[ -z "$bundle" ] || sed -i 's#"cgroupsPath":"/k8s.io/#"cgroupsPath":"/GROUP/#' "$bundle/config.json"
exec runc "$@"
`

// trustRegistries tells containerd, host by host, which authority to trust and
// which to ask in plain HTTP.
func (g *ground) trustRegistries() error {
	for _, r := range registries {
		if r.unconfigured {
			continue
		}
		directory := g.path("certs.d", r.host())
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		hosts := fmt.Sprintf("server = %q\n", r.url())
		if r.kind != plain {
			hosts += fmt.Sprintf("ca = %q\n", g.path("ca.crt"))
		}
		// The section must be there, or containerd ignores the file, and must
		// be empty, or it asks that host first and the server after it, and
		// reports a mixture of their answers.
		hosts += "[host]\n"
		if err := os.WriteFile(directory+"/hosts.toml", []byte(hosts), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// loadImage imports an archive into the node, where the kubelet finds it.
func loadImage(archive string) error { return importImage(nil, archive) }

func importImage(input []byte, archive string) error {
	return tool(input, "ctr", "--namespace=k8s.io", "images", "import", "--snapshotter=native", archive)
}

// startNode starts the kubelet and waits until its node takes pods.
func (g *ground) startNode(ctx context.Context) error {
	certificate, key, err := g.issueFiles(g.cluster, "kubelet", wish{names: []string{nodeAddress, nodeName}})
	if err != nil {
		return err
	}
	values := map[string]string{
		"CA":             g.path("cluster-ca.crt"),
		"CERTIFICATE":    certificate,
		"KEY":            key,
		"SOCKET":         containerdSocket,
		"VOLUME_PLUGINS": g.path("volume-plugins"),
		"RESOLV_CONF":    g.path("resolv.conf"),
		"NAMES":          namesAddress,
	}
	configuration := os.Expand(kubeletConfiguration, func(name string) string { return values[name] })
	if err := os.WriteFile(g.path("kubelet.yaml"), []byte(configuration), 0o644); err != nil {
		return err
	}
	arguments := []string{"kubelet",
		"--config=" + g.path("kubelet.yaml"), "--kubeconfig=" + g.path("node.kubeconfig"),
		"--hostname-override=" + nodeName, "--node-ip=" + nodeAddress, "--root-dir=" + g.path("kubelet")}
	provider, err := g.prepareProvider()
	if err == nil {
		err = g.processes.start("kubelet", g.kubernetes, append(arguments, provider...)...)
	}
	if err != nil {
		return err
	}
	client := g.adminClient()
	return await(ctx, "node", func() error {
		var node struct {
			Spec   struct{ Taints []struct{ Key string } }
			Status struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
		if err := client.get("/api/v1/nodes/"+nodeName, &node); err != nil {
			return err
		}
		for _, taint := range node.Spec.Taints {
			return fmt.Errorf("the node has the taint %s", taint.Key)
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" {
				return nil
			}
		}
		return fmt.Errorf("the node is not ready: %+v", node.Status.Conditions)
	})
}

// kubeletConfiguration differs from the defaults where the test ground must
// (a machine with control groups of version 1 and no systemd, full disks) and
// where tests would otherwise wait (limits, back-off).
const kubeletConfiguration = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "$CA"}}
authorization: {mode: Webhook}
tlsCertFile: "$CERTIFICATE"
tlsPrivateKeyFile: "$KEY"
containerRuntimeEndpoint: "unix://$SOCKET"
volumePluginDir: "$VOLUME_PLUGINS"
resolvConf: "$RESOLV_CONF"
clusterDNS: ["$NAMES"]
clusterDomain: cluster.local
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: "10Mi", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
maxPods: 500
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 200 # 0 is client-go's default of 5 a second (DefaultQPS), and Events then come minutes late
eventBurst: 400
kubeAPIQPS: 200
kubeAPIBurst: 400
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
`
