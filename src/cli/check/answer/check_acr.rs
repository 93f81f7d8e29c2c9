//! What `az aks check-acr` says of a login, beside the steps that it stands for.
//!
//! The words and their order are those of the program that it runs on a node (Azure/aks-canipull
//! v0.1.0, main.go), its spelling included, so that whoever has run it finds each of its lines again.

use crate::access::azure::Identity;
use crate::cli::check::answer::step_line;
use crate::evidence::azure::Azure;
use crate::evidence::{End, NotSent, Step, StepName};
use crate::report::walks::{self, Tried, Walk};

/// How wide the steps are, at most, before the words beside them. What is wider stands alone.
const WIDTH: usize = 64;
/// Where the program reads it.
const CONFIGURATION: &str = "/etc/kubernetes/azure.json";

/// One line of the program, and what was seen of it here.
struct Row {
    seen: Vec<String>,
    said: Vec<String>,
}

/// The lines, for a walk that goes the way of the program.
pub(super) fn lines(tried: &Tried<'_>, walk: &Walk<'_>) -> Vec<String> {
    let Some(azure) = tried.azure else { return Vec::new() };
    let own = walk.steps.len().saturating_sub(walk.n_own);
    let mut rows = of_names(tried, azure);
    rows.extend(of_login(tried.registry.as_str(), azure, &walk.steps[own..]));
    let seen = rows.iter().flat_map(|row| &row.seen).map(|line| line.chars().count());
    let width = seen.filter(|width| *width <= WIDTH).max().unwrap_or_default();
    let heading =
        format!("As az aks check-acr checks it, as {}, its words on the right:", azure.identity);
    let mut lines = vec![String::new(), heading];
    for Row { seen, said } in rows {
        let mut said = said.into_iter();
        for step in seen {
            if step.chars().count() > width {
                lines.push(format!("  {step}"));
            } else {
                lines.push(beside(&step, width, said.next()));
            }
        }
        lines.extend(said.map(|said| beside("", width, Some(said))));
    }
    lines
}

fn beside(step: &str, width: usize, said: Option<String>) -> String {
    match said {
        Some(said) => format!("  {step:<width$}  | {said}"),
        None => format!("  {step}"),
    }
}

/// A step without the registry's own name, and without the names that it leads to, which have
/// a line of their own.
fn in_short(step: &Step, registry: &str) -> String {
    let host = step.host.clone().filter(|host| host != registry);
    let detail = match step.detail.split_once(" via ") {
        Some((address, _)) if step.name == StepName::Dns && step.passed => address.to_owned(),
        Some(_) | None => step.detail.clone(),
    };
    step_line(&Step { host, detail, ..step.clone() })
}

/// What it finds out by the registry's name, and compares with azure.json.
fn of_names(tried: &Tried<'_>, azure: &Azure) -> Vec<Row> {
    let registry = tried.registry.as_str();
    let looked_up = walks::lookup(tried);
    let is_found = looked_up.is_none_or(|step| step.passed);
    let mut rows = vec![Row {
        seen: looked_up.map(|step| in_short(step, registry)).into_iter().collect(),
        said: vec![checked(&format!("Checking host name resolution ({registry})"), is_found)],
    }];
    let lookup = tried.lookups.iter().find(|lookup| lookup.host == tried.registry.name());
    let Some(lookup) = lookup.filter(|_| is_found) else { return rows };
    let canonical = lookup.aliases.last().unwrap_or(&lookup.host);
    rows.push(Row {
        seen: vec![format!("leads to {canonical}")],
        said: vec![format!("Canonical name for ACR ({registry}): {canonical}.")],
    });
    let location = canonical.split('.').nth(1).filter(|label| *label != "privatelink");
    rows.push(Row {
        seen: location.map(|location| format!("in region {location}")).into_iter().collect(),
        said: location.map(|location| format!("ACR location: {location}")).into_iter().collect(),
    });
    rows.push(Row {
        seen: vec![azure.identity.to_string()],
        said: vec![format!("Loading azure.json file from {CONFIGURATION}")],
    });
    if let (Some(location), Some(node)) = (location, &azure.node_location) {
        let said = if is_same(location, node) {
            Vec::new()
        } else {
            vec![
                checked("Checking ACR location matches cluster location", false),
                format!(
                    "ACR location '{location}' does not match your cluster location '{node}'. \
                     This may result in slow image pulls and extra cost."
                ),
            ]
        };
        rows.push(Row { seen: vec![format!("the node is in {node}")], said });
    }
    rows
}

/// How it logs in.
fn of_login(registry: &str, azure: &Azure, steps: &[&Step]) -> Vec<Row> {
    let place = steps.iter().position(|step| step.name == StepName::Identity);
    let (identity, exchange) = steps.split_at(place.map_or(steps.len(), |place| place + 1));
    let has_token = identity.last().is_some_and(|step| step.passed);
    let lines =
        |steps: &[&Step]| steps.iter().map(|step| in_short(step, registry)).collect::<Vec<_>>();
    let (what, failure) = match &azure.identity {
        Identity::Managed { .. } => (
            "Validating managed identity existance",
            "Getting managed identity token failed with: ",
        ),
        Identity::ServicePrincipal { .. } | Identity::Workload { .. } => {
            ("Validating service principal credential", "Sign in to AAD failed with: ")
        }
    };
    if let Some(name) = unknown_cloud(azure) {
        let said = vec![format!("Unknown Azure cloud name: {name}")];
        return vec![Row { seen: lines(identity), said }];
    }
    let mut said = vec![checked(what, has_token)];
    if !has_token {
        said.push(format!("{failure}…"));
        return vec![Row { seen: lines(identity), said }];
    }
    let is_admitted = exchange.iter().all(|step| step.passed);
    let mut rows = vec![Row { seen: lines(identity), said }];
    let mut said = vec![checked("Validating image pull permission", is_admitted)];
    if is_admitted {
        rows.push(Row { seen: lines(exchange), said });
        rows.push(Row {
            seen: vec!["the login alone, of no repository".to_owned()],
            said: vec![format!("Your cluster can pull images from {registry}!")],
        });
    } else {
        said.push(format!("ACR {registry} rejected token exchange: …"));
        rows.push(Row { seen: lines(exchange), said });
    }
    rows
}

/// The cloud at which it ends, where it does not know it.
fn unknown_cloud(azure: &Azure) -> Option<&str> {
    match &azure.check_acr.as_ref()?.end {
        End::NotSent { reason: NotSent::UnknownCloud { name }, .. } => Some(name),
        End::NotSent { .. }
        | End::Served { .. }
        | End::Challenged { .. }
        | End::Answered { .. }
        | End::Unreachable { .. }
        | End::Unfit { .. } => None,
    }
}

fn checked(what: &str, passed: bool) -> String {
    format!("{what}: {}", if passed { "SUCCEEDED" } else { "FAILED" })
}

/// Whether two regions are one (pkg/utils, `LocationEquals`).
fn is_same(one: &str, other: &str) -> bool {
    one.replace(' ', "").eq_ignore_ascii_case(&other.replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::access::azure::Identity;
    use crate::diagnose;
    use crate::evidence::azure::Azure;
    use crate::evidence::login::Login;
    use crate::evidence::told::Lookup;
    use crate::evidence::{Attempt, End, NotSent, Scheme, Step, StepName, Vantage};
    use crate::image::Host;
    use crate::report::walks::{self, Purpose};

    fn step(name: StepName, passed: bool, detail: &str) -> Step {
        Step { name, host: None, passed, detail: detail.to_owned(), micros: 3_000 }
    }

    fn login(check_acr: Vec<Step>, aliases: &[&str], identity: Identity) -> Login {
        let served = End::Served { digest: None, platform: None };
        let refused = End::NotSent { host: "h".to_owned(), reason: NotSent::NotAzure };
        let end = if check_acr.iter().all(|step| step.passed) { served } else { refused };
        let challenged = End::Challenged { scheme: Scheme::Bearer };
        let opening = vec![step(StepName::Dns, true, "20.62.1.1"), step(StepName::Tls, true, "")];
        Login {
            registry: Host::parse("shop.azurecr.io").unwrap(),
            vantage: Vantage::Here,
            gaps: Vec::new(),
            opening: Attempt::new(None, opening, challenged),
            attempts: Vec::new(),
            anonymous: None,
            lookups: vec![Lookup {
                host: "shop.azurecr.io".to_owned(),
                aliases: aliases.iter().map(ToString::to_string).collect(),
                addresses: Vec::new(),
            }],
            azure: Some(Box::new(Azure {
                identity,
                provider: Attempt::new(None, Vec::new(), end.clone()),
                check_acr: Some(Attempt::new(None, check_acr, end)),
                principal: None,
                node_location: Some("West Europe".to_owned()),
                other: None,
            })),
            at: None,
        }
    }

    fn shown(login: &Login) -> Vec<String> {
        let tried = login.into();
        let walks = walks::walks(&tried, &diagnose::login::diagnose("shop", login));
        let walk = walks.iter().find(|walk| walk.purpose == Purpose::CheckAcr);
        lines(&tried, walk.unwrap())
    }

    #[track_caller]
    fn check(login: &Login, expected: &[&str]) {
        let lines = shown(login);
        assert_eq!(lines[2..], expected[..], "{lines:#?}");
    }

    #[test]
    fn each_step_stands_beside_the_programs_words() {
        let managed = Identity::Managed { id: Some("k".to_owned()) };
        let steps =
            vec![step(StepName::Identity, true, "200"), step(StepName::Exchange, true, "200")];
        let aliases = ["a.trafficmanager.net", "r1.westeurope.cloudapp.azure.com"];
        check(
            &login(steps, &aliases, managed),
            &[
                "  Dns           3 ms  20.62.1.1              | Checking host name resolution (shop.azurecr.io): SUCCEEDED",
                "  leads to r1.westeurope.cloudapp.azure.com  | Canonical name for ACR (shop.azurecr.io): r1.westeurope.cloudapp.azure.com.",
                "  in region westeurope                       | ACR location: westeurope",
                "  kubelet identity k                         | Loading azure.json file from /etc/kubernetes/azure.json",
                "  the node is in West Europe",
                "  Identity      3 ms  200                    | Validating managed identity existance: SUCCEEDED",
                "  Exchange      3 ms  200                    | Validating image pull permission: SUCCEEDED",
                "  the login alone, of no repository          | Your cluster can pull images from shop.azurecr.io!",
            ],
        );
    }

    #[test]
    fn it_ends_where_the_program_does() {
        let principal = Identity::ServicePrincipal { client_id: "c".to_owned() };
        let refused = vec![step(StepName::Identity, false, "401")];
        let login = login(refused, &["shop.privatelink.azurecr.io"], principal);
        check(
            &login,
            &[
                "  Dns           3 ms  20.62.1.1         | Checking host name resolution (shop.azurecr.io): SUCCEEDED",
                "  leads to shop.privatelink.azurecr.io  | Canonical name for ACR (shop.azurecr.io): shop.privatelink.azurecr.io.",
                "  service principal c of the node       | Loading azure.json file from /etc/kubernetes/azure.json",
                "  Identity      3 ms  failed: 401       | Validating service principal credential: FAILED",
                "                                        | Sign in to AAD failed with: …",
            ],
        );
    }

    #[test]
    fn another_region_is_a_warning_of_the_program_and_no_more() {
        let managed = Identity::Managed { id: None };
        let steps =
            vec![step(StepName::Identity, true, "200"), step(StepName::Exchange, false, "401")];
        let login = login(steps, &["r1.eastus.cloudapp.azure.com"], managed);
        let lines = shown(&login);
        for expected in [
            "| Checking ACR location matches cluster location: FAILED",
            "| ACR location 'eastus' does not match your cluster location 'West Europe'.",
            "| Validating image pull permission: FAILED",
            "| ACR shop.azurecr.io rejected token exchange: …",
        ] {
            assert!(lines.iter().any(|line| line.contains(expected)), "{expected}: {lines:#?}");
        }
    }
}
