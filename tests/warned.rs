//! The controller with its webhook on, installed by the chart beside the one that watches: in a
//! namespace of its own, for one namespace alone. Somebody else holds its Lease for ever, so that it
//! never leads and only warns, as a second replica does.

use std::fs;

use serde_json::{Value, json};

use crate::ground::{apply, eventually, kubectl};

/// The release and its namespace.
pub(crate) const RELEASE: &str = "warning";
/// The namespace whose objects are looked at.
pub(crate) const WARNED: &str = "warned";
/// The Service, the Secret and the configuration of the webhook.
pub(crate) const WEBHOOK: &str = "warning-registrycheck-webhook";
/// The values of the chart.
pub(crate) const VALUES: &[&str] = &[
    "webhook.enabled=true",
    "watchNamespaces={warned}",
    "nodeProbe.enabled=false",
    "crds.install=false",
    "aggregateRoles=false",
];

/// Installs what the chart renders with [`VALUES`]. Its namespaces exist.
pub(crate) fn install(mut rendered: Vec<Value>) {
    for object in &mut rendered {
        if object["kind"] == "Lease" {
            object["spec"] = json!({"holderIdentity": "nobody", "leaseDurationSeconds": 86_400});
        }
    }
    apply(&rendered);
    let deployment = format!("deployment/{RELEASE}-registrycheck");
    kubectl(&["rollout", "status", &deployment, "-n", RELEASE, "--timeout=60s"]);
}

/// Whether a process is a controller that warns, by its command line.
pub(crate) fn warns(command: &[u8]) -> bool {
    let option = b"--webhook-listen";
    command.windows(option.len()).any(|part| part == option)
}

/// The process of the controller that warns, once it runs.
pub(crate) async fn process() -> i32 {
    eventually("the controller that warns to run", || async {
        let processes = fs::read_dir("/proc").unwrap();
        let ids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        ids.into_iter().find(|id: &i32| {
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            command.starts_with(b"/usr/local/bin/registrycheck\0run\0") && warns(&command)
        })
    })
    .await
}
