//! What `registrycheck check` says of a case, asked on the node.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::case::{AUDIENCE, Case};
use crate::ground::{ground, kubectl};

/// How the other way is called among the probes.
const OTHER_WAY: &str = "as az aks check-acr";
/// What stands for its end where it was not tried.
pub(crate) const UNTRIED: &str = "-";

/// One answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Whether it says that the image can be pulled; nothing where it is undecided.
    pub(crate) pullable: Option<bool>,
    /// The first finding's code.
    pub(crate) code: String,
    /// The codes of all findings.
    pub(crate) codes: Vec<String>,
    /// The first finding's confidence.
    pub(crate) confidence: String,
    /// The first finding's message.
    pub(crate) message: String,
    /// The first finding's remedy.
    pub(crate) remedy: String,
    /// What `az aks check-acr` comes to: `success`, or the step at which it fails.
    pub(crate) check_acr: String,
    /// How long it took.
    pub(crate) took: Duration,
    /// Whether a secret stands in what was printed.
    pub(crate) leaks: bool,
    /// What was said where it is no answer.
    pub(crate) complaint: String,
    /// What the program that check-acr runs came to, where it is at hand.
    pub(crate) canipull: Option<&'static str>,
}

impl Answer {
    /// Asks about the image of a case, whose node's files are in that directory.
    pub(crate) async fn ask(case: &Case, node: &Path) -> Self {
        let token = case.uses_account().then(|| {
            let arguments = ["create", "token", case.account(), "--audience", AUDIENCE, "-n"];
            kubectl(&[&arguments[..], &[&case.namespace()]].concat()).trim().to_owned()
        });
        let canipull = canipull(case, node);
        let mut command = command(case, node, token.as_deref());
        let begun = Instant::now();
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let took = begun.elapsed();
        let printed = [output.stdout.clone(), output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        let leaks = printed.contains("canary")
            || token.is_some_and(|token| printed.contains(token.as_str()));
        let read = match serde_json::from_slice(&output.stdout) {
            Ok(document) => Self::read(&document),
            Err(_) => Self { complaint: printed.into_owned(), ..Self::default() },
        };
        Self { took, leaks, canipull: canipull.await, ..read }
    }

    fn read(document: &Value) -> Self {
        let finding = &document["findings"][0];
        let findings = document["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        let probes = document["probes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_other = |probe: &&Value| {
            probe["credential"].as_str().is_some_and(|it| it.starts_with(OTHER_WAY))
        };
        Self {
            pullable: document["pullable"].as_bool(),
            code: text("code"),
            codes: findings
                .iter()
                .map(|it| it["code"].as_str().unwrap_or_default().to_owned())
                .collect(),
            confidence: text("confidence"),
            message: text("message"),
            remedy: text("remedy"),
            check_acr: probes.iter().find(is_other).map_or_else(|| UNTRIED.to_owned(), end_of),
            ..Self::default()
        }
    }
}

/// Where a way ended: `success`, or the step that failed.
fn end_of(probe: &Value) -> String {
    let steps = probe["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = steps.iter().find(|step| step["result"] == "failed");
    failed.and_then(|step| step["name"].as_str()).unwrap_or("success").to_owned()
}

fn command(case: &Case, node: &Path, token: Option<&str>) -> Command {
    let binary = env::var_os("REGISTRYCHECK_BINARY")
        .expect("REGISTRYCHECK_BINARY names the program to ask: run this by make");
    let mut command = Command::new(PathBuf::from(binary));
    command.args(["check", &case.image(), "--output=json", "--platform=linux/amd64"]);
    command.arg("--timeout=60s").arg("--ca-file").arg(ground().ca());
    command.arg("--azure-config").arg(node.join("azure.json"));
    command.arg("--credential-provider-config").arg(node.join("credential-provider-config.yaml"));
    give_environment(&mut command, node);
    let manifests = case.manifests();
    if !manifests.is_empty() {
        let documents: Vec<String> = manifests.iter().map(Value::to_string).collect();
        let file = node.join("manifests.yaml");
        std::fs::write(&file, documents.join("\n---\n")).unwrap();
        command.arg("-f").arg(file);
    }
    if let Some(token) = token {
        let file = node.join("token");
        std::fs::write(&file, token).unwrap();
        command.arg("--service-account-token-file").arg(file);
    }
    command
}

fn give_environment(command: &mut Command, node: &Path) {
    let file = node.join("akscustom.json");
    if file.exists() {
        command.env("AZURE_ENVIRONMENT_FILEPATH", file);
    }
}

/// Runs the program that check-acr runs, where `REGISTRYCHECK_CANIPULL` names it: `success`, or
/// the step at which it fails (Azure/aks-canipull d9953511, pkg/exitcode).
async fn canipull(case: &Case, node: &Path) -> Option<&'static str> {
    let program = env::var_os("REGISTRYCHECK_CANIPULL")?;
    let mut command = Command::new("timeout");
    command.arg("60s").arg(program).arg("--config").arg(node.join("azure.json")).arg(case.host());
    command.env("SSL_CERT_FILE", ground().ca());
    give_environment(&mut command, node);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Some(match output.status.code() {
        Some(0) => "success",
        Some(52) => "Dns",
        // An unknown cloud, a token refused, and our own patience.
        Some(4 | 10 | 124) => "Identity",
        Some(60) => "Exchange",
        _ => "another end",
    })
}
