//! Where each secret went: the stand-in saw every request, and which secrets it had with it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::case::Case;
use crate::ground::ground;

/// The domains of registries; an Entra token may go nowhere else.
const REGISTRIES: [&str; 3] = [".azurecr.io", ".azurecr.us", ".azurecr.cn"];
const LOGINS: [&str; 3] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn"];

/// A line of the journal.
#[derive(Deserialize)]
struct Request {
    host: String,
    #[serde(default)]
    case: String,
    agent: String,
    #[serde(default)]
    carried: Vec<Carried>,
}

/// A secret that a request had with it.
#[derive(Deserialize)]
struct Carried {
    field: String,
    what: String,
    of: String,
}

/// Prints how often which secret went where; whether one of ours went where it must not.
pub(crate) fn report(cases: &[Case]) -> bool {
    let log = std::fs::read_to_string(ground().logs().join("misbehave.log")).unwrap();
    let mut table: BTreeMap<(String, String, &str), [usize; 2]> = BTreeMap::new();
    let mut escaped = false;
    for line in log.lines() {
        let request: Request = serde_json::from_str(line).unwrap();
        let is_ours = request.agent.starts_with("registrycheck/");
        for carried in &request.carried {
            let place = place(&request, cases);
            let row = (kind(carried), carried.field.clone(), place);
            table.entry(row).or_default()[usize::from(!is_ours)] += 1;
            if is_ours && !may_go(carried, &request, cases) {
                println!("ESCAPED: {} of {} to {}", carried.what, carried.of, request.host);
                escaped = true;
            }
        }
    }
    println!("\nWhere secrets went, and how often:");
    println!("{:<24} {:<17} {:<12} {:>14} {:>6}", "SECRET", "FIELD", "TO", "REGISTRYCHECK", "NODE");
    for ((what, field, place), [ours, node]) in table {
        println!("{what:<24} {field:<17} {place:<12} {ours:>14} {node:>6}");
    }
    escaped
}

/// A secret's kind: its name without the host that it is for.
fn kind(carried: &Carried) -> String {
    if carried.what.contains("canary") {
        return "password".to_owned();
    }
    carried.what.split(" for ").next().unwrap_or_default().to_owned()
}

/// What the host of a request is to its case.
fn place(request: &Request, cases: &[Case]) -> &'static str {
    let case = cases.iter().find(|case| case.name == request.case);
    if LOGINS.contains(&request.host.as_str()) {
        "login"
    } else if case.is_some_and(|case| case.host() == request.host) {
        "registry"
    } else if case.is_some_and(|case| case.data_host() == request.host) {
        "data"
    } else {
        "elsewhere"
    }
}

/// Whether a secret may go there. What is Azure's by its signature goes only to the domains
/// of registries, what a pull secret has only to the host that the secret is for.
fn may_go(carried: &Carried, request: &Request, cases: &[Case]) -> bool {
    let place = place(request, cases);
    let is_own = carried.of.is_empty() || carried.of == request.case;
    let is_azure = REGISTRIES.iter().any(|suffix| request.host.ends_with(suffix));
    let audience = carried.what.split_once(" for ").map(|(_, audience)| audience);
    if carried.field == "client_secret" {
        return place == "login";
    }
    match kind(carried).as_str() {
        "entra" => place == "registry" && is_azure && is_own,
        "refresh" | "access" | "signature" => audience == Some(request.host.as_str()),
        "service account token" => place == "login",
        "client secret" => place == "registry" && is_own,
        _ => place == "registry",
    }
}
