//! The chart in as many forms as there are values that change it.

/// One form.
pub(crate) struct Form {
    /// What it is, in a few words.
    pub(crate) name: &'static str,
    /// The values, each as `--set` takes it, and labels and annotations as `--set-string` does.
    pub(crate) values: &'static [&'static str],
    /// The arguments of `registrycheck manifests` that have the same objects; `None` where there
    /// are none.
    pub(crate) manifests: Option<&'static [&'static str]>,
}

/// A form that the manifests have too.
const fn of_both(
    name: &'static str,
    values: &'static [&'static str],
    manifests: &'static [&'static str],
) -> Form {
    Form { name, values, manifests: Some(manifests) }
}

/// A form of the chart alone.
const fn of_chart(name: &'static str, values: &'static [&'static str]) -> Form {
    Form { name, values, manifests: None }
}

/// All of them.
pub(crate) const MATRIX: &[Form] = &[
    of_both("nothing set", &[], &[]),
    of_both("no node probe", &["nodeProbe.enabled=false"], &["--no-node-probe"]),
    of_both(
        "another image for the node probe",
        &[
            "nodeProbe.image=own.test:5000/tools/registrycheck@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        &[
            "--node-probe-image=own.test:5000/tools/registrycheck@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    ),
    of_both(
        "the node's network",
        &["nodeProbe.hostNetwork=true"],
        &["--node-probe-host-network=true"],
    ),
    of_both("another user on the node", &["nodeProbe.user=1000"], &["--node-probe-user=1000"]),
    of_both(
        "the kubelet's providers",
        &["nodeProbe.credentialProviderConfig=/var/lib/kubelet/credential-provider.d/a_b.yaml"],
        &[
            "--node-probe-credential-provider-config=/var/lib/kubelet/credential-provider.d/a_b.yaml",
        ],
    ),
    of_both(
        "the runtime's mirrors",
        &["nodeProbe.hostsDirectory=/etc/containerd/certs.d"],
        &["--node-probe-hosts-dir=/etc/containerd/certs.d"],
    ),
    of_both(
        "all of the node",
        &[
            "nodeProbe.hostNetwork=true",
            "nodeProbe.user=1000",
            "nodeProbe.credentialProviderConfig=/var/lib/kubelet/p.yaml",
            "nodeProbe.hostsDirectory=/etc/containerd/certs.d",
        ],
        &[
            "--node-probe-host-network=true",
            "--node-probe-user=1000",
            "--node-probe-credential-provider-config=/var/lib/kubelet/p.yaml",
            "--node-probe-hosts-dir=/etc/containerd/certs.d",
        ],
    ),
    of_both(
        "what probes may ask",
        &["targets.allow={*.azurecr.io,10.0.0.0/8,fd00::/8}", "targets.deny={evil.azurecr.io}"],
        &[
            "--allow-target=*.azurecr.io",
            "--allow-target=10.0.0.0/8",
            "--allow-target=fd00::/8",
            "--deny-target=evil.azurecr.io",
        ],
    ),
    of_both(
        "tokens of accounts",
        &["accountTokens.accounts={shop/runner,infra/robot,shop/api}"],
        &["--token-for=shop/runner", "--token-for=infra/robot", "--token-for=shop/api"],
    ),
    of_both(
        "tokens in another cloud",
        &[
            "accountTokens.accounts={shop/runner}",
            "accountTokens.audience=api://other",
            "accountTokens.azureCloud=AzureChinaCloud",
        ],
        &[
            "--token-for=shop/runner",
            "--token-audience=api://other",
            "--azure-cloud=AzureChinaCloud",
        ],
    ),
    of_chart("another image", &["image.repository=own.test/registrycheck", "image.tag=v2"]),
    of_chart(
        "an image by its digest",
        &["image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
    ),
    of_chart("another name", &["fullnameOverride=rc", "nodeProbe.namespace=rc-probe"]),
    of_chart("two replicas", &["replicas=2", "podDisruptionBudget.enabled=true"]),
    of_chart("two namespaces", &["watchNamespaces={shop,infra}"]),
    of_chart(
        "one namespace, no node probe",
        &["watchNamespaces={shop}", "nodeProbe.enabled=false"],
    ),
    of_chart(
        "hosts and durations",
        &[
            "tokenHosts={auth.test}",
            "insecureHosts={plain.test:5000}",
            "keepRecovered=30m",
            "probesPerSecond=20",
            "expiry.warning=72h",
        ],
    ),
    of_chart("workloads without pods", &["expiry.workloads=true"]),
    of_chart(
        "a proxy",
        &[
            "proxy.https=http://proxy.test:3128",
            "proxy.http=http://proxy.test:3128",
            "proxy.noProxy=.svc\\,10.0.0.0/8",
        ],
    ),
    of_chart("an authority", &["trustedCertificates.bundle=-----BEGIN CERTIFICATE-----"]),
    of_chart("an authority that is there", &["trustedCertificates.configMap=our-ca"]),
    of_chart(
        "a workload identity",
        &[
            "serviceAccount.annotations.azure\\.workload\\.identity/client-id=00000000-0000-0000-0000-000000000000",
            "podLabels.azure\\.workload\\.identity/use=true",
        ],
    ),
    of_chart(
        "where it runs",
        &[
            "nodeSelector.kubernetes\\.io/os=linux",
            "tolerations[0].operator=Exists",
            "priorityClassName=system-cluster-critical",
            "imagePullSecrets[0].name=regcred",
            "podAnnotations.team=platform",
            "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1",
            "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=kubernetes.azure.com/mode",
            "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists",
        ],
    ),
    of_chart("a log for programs", &["log.json=true", "log.level=debug"]),
    of_chart(
        "no definition",
        &["crds.install=false", "aggregateRoles=false", "networkPolicy.enabled=false"],
    ),
    of_chart("a definition that goes", &["crds.keep=false"]),
    of_chart("warnings", &["webhook.enabled=true"]),
    of_chart(
        "warnings, with cert-manager",
        &["webhook.enabled=true", "webhook.port=9443", "webhook.certManager.enabled=true"],
    ),
    of_chart(
        "all of the monitoring",
        &[
            "metrics.serviceMonitor.enabled=true",
            "metrics.podMonitor.enabled=true",
            "metrics.prometheusRule.enabled=true",
            "metrics.dashboard.enabled=true",
        ],
    ),
];
