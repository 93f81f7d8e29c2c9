//! The kubectl commands of the catalogue, run by a shell against the real API server.

use std::process::Command;

use registrycheck::diagnose::catalogue::Code;
use registrycheck::diagnose::remedy::{Part, parts};
use serde_json::json;

use crate::ground::{Namespace, kubectl};

const NAMES: &[(&str, &str)] = &[
    ("NAMESPACE", "remedies"),
    ("SECRET", "regcred"),
    ("REGISTRY", "r.test"),
    ("WORKLOAD", "web"),
    ("ACCOUNT", "default"),
    ("/NODE/", "/node-1/"),
];

fn commands() -> Vec<(Code, String)> {
    let mut commands = Vec::new();
    for code in Code::ALL {
        let row = code.row();
        for part in [Some(row.remedy), row.azure].into_iter().flatten().flat_map(parts) {
            match part {
                Part::Command(command) if command.starts_with("kubectl ") => {
                    let filled = NAMES
                        .iter()
                        .fold(command.to_owned(), |text, (name, value)| text.replace(name, value));
                    commands.push((*code, filled));
                }
                Part::Command(_) | Part::Words(_) => {}
            }
        }
    }
    commands
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kubectl_command_of_a_remedy_is_one() {
    let namespace = Namespace::new("remedies").await;
    namespace.create(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "r.test/web:1"}]},
            },
        },
    }));
    let commands = commands();
    assert!(commands.len() > 15, "{commands:#?}");
    for (code, command) in commands {
        kubectl(&["delete", "secrets", "--all", "-n", "remedies"]);
        if command.starts_with("kubectl delete ") {
            namespace.secret("regcred", "r.test", "old");
        }
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // The answer to a question may be no.
        let is_answer = command.contains(" auth can-i ") && said.trim() == "no";
        assert!(
            output.status.success() || is_answer,
            "{code}: {command}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
