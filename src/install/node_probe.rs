//! The node probe's own namespace, the right to make pods in it, and the admission policy that
//! lets no other pod in than those of [`crate::node`].
//!
//! A pod that mounts a file of its node needs a namespace where Pod Security does not forbid it,
//! so the policy is what keeps everybody else's pods out of there. It lists what is allowed, and
//! not what is forbidden: a field that a later Kubernetes invents is refused.

use serde_json::{Value, json};

use crate::node::{
    self, AZURE_CONFIG, CA_CONFIG_MAP, CA_DIRECTORY, CONTAINER, OWNER_OF_THE_FILE, Shape, USER,
};

use crate::probe::targets::Targets;

use super::{IMAGE, NAME, labels, rights};

/// No pod of ours may take longer.
const LONGEST_DEADLINE: u32 = 120;

/// The shape of the pods of an installation that nobody has changed.
pub fn shape() -> Shape {
    Shape {
        namespace: node::NAMESPACE.to_owned(),
        image: IMAGE.to_owned(),
        user: OWNER_OF_THE_FILE,
        host_network: false,
        opened: node::Opened::default(),
        targets: Targets::default(),
    }
}

/// The arguments that tell the controller of it.
pub(super) fn arguments(shape: Option<&Shape>) -> Vec<String> {
    let Some(shape) = shape else { return vec!["--node-probe=false".to_owned()] };
    let mut arguments =
        vec!["--node-probe=true".to_owned(), format!("--node-probe-image={}", shape.image)];
    if shape.user != OWNER_OF_THE_FILE {
        arguments.push(format!("--node-probe-user={}", shape.user));
    }
    if shape.host_network {
        arguments.push("--node-probe-host-network=true".to_owned());
    }
    let node::Opened { providers, hosts } = &shape.opened;
    arguments.extend(
        providers.iter().map(|path| format!("--node-probe-credential-provider-config={path}")),
    );
    arguments.extend(hosts.iter().map(|path| format!("--node-probe-hosts-dir={path}")));
    arguments
}

/// All that is for it, in the order in which it has to be created: the policy holds before
/// anybody has the right to make a pod. The policy has the name of the namespace that it closes,
/// and the one about what is done to a pod that runs a longer one.
pub(super) fn objects(shape: &Shape) -> Vec<Value> {
    let closing = format!("{}-closed", shape.namespace);
    vec![
        namespace(shape),
        policy(&shape.namespace, &pods(shape), &variables(), &validations(shape)),
        binding(&shape.namespace),
        policy(&closing, &running_pods(shape), &json!([]), &closed()),
        binding(&closing),
        role(shape),
        role_binding(shape),
    ]
}

fn namespace(shape: &Shape) -> Value {
    let mut labels = labels();
    for mode in ["enforce", "audit", "warn"] {
        labels[format!("pod-security.kubernetes.io/{mode}")] = json!("privileged");
    }
    let metadata = json!({"name": shape.namespace, "labels": labels});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

fn role(shape: &Shape) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": NAME, "namespace": shape.namespace, "labels": labels()},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "delete"]},
        ],
    })
}

fn role_binding(shape: &Shape) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "namespace": shape.namespace, "labels": labels()},
        "roleRef": rights::role_ref("Role"),
        "subjects": rights::subjects(),
    })
}

fn pods(shape: &Shape) -> Value {
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["pods"],
    });
    in_namespace(shape, &[rule])
}

fn running_pods(shape: &Shape) -> Value {
    let rule = |operation: &str, resources: &[&str]| {
        json!({
            "apiGroups": [""], "apiVersions": ["v1"], "operations": [operation],
            "resources": resources,
        })
    };
    let ways_in = ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy"];
    let rules =
        [rule("CONNECT", &ways_in), rule("UPDATE", &["pods/ephemeralcontainers", "pods/resize"])];
    in_namespace(shape, &rules)
}

fn in_namespace(shape: &Shape, rules: &[Value]) -> Value {
    json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shape.namespace}},
        "resourceRules": rules,
    })
}

fn policy(name: &str, constraints: &Value, variables: &Value, validations: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": labels()},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": constraints,
            "variables": variables,
            "validations": validations,
        },
    })
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": labels()},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    })
}

fn closed() -> Value {
    json!([{
        "expression": "false",
        "message": "nobody enters or changes a pod of the node probe: it reads a file of its node",
    }])
}

/// Parts of a pod: their names in the policy and in its messages, where they are, and what they
/// may have.
fn parts() -> [(&'static str, &'static str, &'static str, &'static [&'static str]); 5] {
    [
        ("Spec", "spec", "variables.spec", node::pod_keys()),
        ("Container", "containers[0]", "variables.container", node::container_keys()),
        (
            "Context",
            "securityContext",
            "variables.spec.securityContext",
            &["runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile"],
        ),
        (
            "ContainerContext",
            "containers[0].securityContext",
            "variables.container.securityContext",
            &["allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"],
        ),
        (
            "Resources",
            "containers[0].resources",
            "variables.container.resources",
            &["limits", "requests"],
        ),
    ]
}

/// The objects of a request are maps here, so that their keys can be gone through (`dyn`).
fn variables() -> Value {
    let mut variables = vec![
        json!({"name": "spec", "expression": "dyn(object).spec"}),
        json!({"name": "container", "expression": "dyn(object).spec.containers[0]"}),
    ];
    variables.extend(parts().map(|(name, _, object, known)| {
        let known = known.iter().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ");
        let expression = format!("{object}.filter(key, !(key in [{known}]))");
        json!({"name": format!("unknownIn{name}"), "expression": expression})
    }));
    json!(variables)
}

fn validations(shape: &Shape) -> Value {
    let mut rules: Vec<Value> = parts()
        .map(|(name, said, ..)| {
            let message = format!(
                "'a pod of the node probe has no such field in {said}: ' + \
                 variables.unknownIn{name}.join(', ')"
            );
            json!({
                "expression": format!("variables.unknownIn{name}.size() == 0"),
                "messageExpression": message,
            })
        })
        .into();
    rules.extend(values(shape).into_iter().map(|(expression, message)| {
        json!({"expression": expression, "message": format!("a pod of the node probe {message}")})
    }));
    json!(rules)
}

/// In a literal of several types each value is said to be of any (`dyn`).
fn values(shape: &Shape) -> Vec<(String, String)> {
    let Shape { image, user, host_network, .. } = shape;
    let network = if *host_network {
        ("true".to_owned(), "may stand in the node's network".to_owned())
    } else {
        (
            "!has(variables.spec.hostNetwork) || variables.spec.hostNetwork == false".to_owned(),
            "does not stand in the node's network".to_owned(),
        )
    };
    let rules = [
        (
            r"object.metadata.name.matches('^node-probe-(manual-)?[0-9]$')".to_owned(),
            "has the name of a slot".to_owned(),
        ),
        (
            "!has(object.metadata.annotations) || \
             object.metadata.annotations.all(key, !key.startsWith('container.apparmor.'))"
                .to_owned(),
            "has the profile of AppArmor that every container has".to_owned(),
        ),
        (
            "variables.spec.containers.size() == 1 && \
             (request.operation != 'CREATE' || !has(variables.spec.nodeName))"
                .to_owned(),
            "has one container, and goes through the scheduler".to_owned(),
        ),
        network,
        (
            format!(
                "variables.spec.restartPolicy == 'Never' && \
                 variables.spec.activeDeadlineSeconds > 0 && \
                 variables.spec.activeDeadlineSeconds <= {LONGEST_DEADLINE} && \
                 variables.spec.terminationGracePeriodSeconds == 0"
            ),
            format!("runs once, for at most {LONGEST_DEADLINE} s, and ends at once"),
        ),
        (
            "variables.spec.automountServiceAccountToken == false && \
             variables.spec.serviceAccountName == 'default' && \
             variables.spec.enableServiceLinks == false && \
             variables.spec.dnsPolicy == 'Default'"
                .to_owned(),
            "has no token, and the node's resolver".to_owned(),
        ),
        (
            format!(
                "variables.spec.securityContext.runAsUser in [{user}, {USER}] && \
                 variables.spec.securityContext.seccompProfile == {{'type': 'RuntimeDefault'}}"
            ),
            format!("runs as user {user} or {USER} under the runtime's own seccomp profile"),
        ),
        (
            "variables.container.securityContext == {'allowPrivilegeEscalation': dyn(false), \
             'readOnlyRootFilesystem': dyn(true), 'capabilities': dyn({'drop': ['ALL']})}"
                .to_owned(),
            "has no capability, gains none, and writes nothing".to_owned(),
        ),
        (
            format!(
                "variables.container.name == '{CONTAINER}' && \
                 variables.container.image == '{image}' && \
                 variables.container.terminationMessagePath == '/dev/termination-log'"
            ),
            format!("has the image {image}"),
        ),
        (
            format!(
                "variables.container.args[0] == 'node-probe' && variables.container.args.all(word, \
                 word.matches('^(node-probe|--timeout=[0-9]+s|--platform=[a-z0-9/._-]+|{})$'))",
                [format!("--ca-directory={CA_DIRECTORY}")]
                    .into_iter()
                    .chain(of_node(shape).map(|(_, option, path, _)| {
                        format!("--{option}={path}").replace('.', r"\.")
                    }))
                    .chain(
                        shape
                            .targets
                            .arguments()
                            .map(|argument| { argument.replace('.', r"\.").replace('*', r"\*") })
                    )
                    .chain([r"[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*".to_owned()])
                    .collect::<Vec<_>>()
                    .join("|")
                    .replace('\\', r"\\")
            ),
            "is asked about one image, and nothing else".to_owned(),
        ),
        (
            "has(variables.container.resources.limits) && \
             ['cpu', 'memory'].all(key, key in variables.container.resources.limits)"
                .to_owned(),
            "has limits".to_owned(),
        ),
        (
            volumes(shape),
            "reads what is open to it of its node and the authorities to trust".to_owned(),
        ),
        (mounts(shape), "mounts what it reads in one place each, to read only".to_owned()),
    ];
    rules.into()
}

/// What a pod may read of its node: the volume's name, the option that tells the program of it,
/// the path, and what must be there.
fn of_node(shape: &Shape) -> impl Iterator<Item = (&str, &str, &str, &str)> {
    let node::Opened { providers, hosts } = &shape.opened;
    let providers = providers.iter();
    let providers =
        providers.map(|path| ("providers", "credential-provider-config", path.as_str(), "File"));
    let hosts = hosts.iter().map(|path| ("hosts", "hosts-dir", path.as_str(), "Directory"));
    [("azure", "azure-config", AZURE_CONFIG, "File")].into_iter().chain(providers).chain(hosts)
}

fn volumes(shape: &Shape) -> String {
    let of_node = of_node(shape).map(|(name, _, path, kind)| {
        format!("volume == {{'name': dyn('{name}'), 'hostPath': dyn({{'path': '{path}', 'type': '{kind}'}})}}")
    });
    format!(
        "variables.spec.volumes.all(volume, {} || volume.name == 'ca' && \
         volume.all(key, key in ['name', 'configMap']) && has(volume.configMap) && \
         volume.configMap.name == '{CA_CONFIG_MAP}' && \
         volume.configMap.all(key, key in ['name', 'optional', 'defaultMode']))",
        of_node.collect::<Vec<_>>().join(" || ")
    )
}

fn mounts(shape: &Shape) -> String {
    let mount = |name: &str, path: &str| {
        format!("{{'name': dyn('{name}'), 'mountPath': dyn('{path}'), 'readOnly': dyn(true)}}")
    };
    let of_node = of_node(shape).map(|(name, _, path, _)| mount(name, path));
    let mounts: Vec<String> = [mount("ca", CA_DIRECTORY)].into_iter().chain(of_node).collect();
    format!("variables.container.volumeMounts.all(mount, mount in [{}])", mounts.join(", "))
}
