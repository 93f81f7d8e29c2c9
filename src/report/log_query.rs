//! The query that finds a request of ours in the logs of a registry of Azure.
//!
//! What the registry says of a refusal is in its logs: of logins in `ContainerRegistryLoginEvents`,
//! of what follows a login in `ContainerRegistryRepositoryEvents` (Azure Monitor, reference of its
//! tables): who it took the request for, from which address it came, and why it was refused. To
//! look there, by the registry's own id of the request, is what its support asks for.

use jiff::Timestamp;

use crate::access::azure::is_registry;
use crate::evidence::{Attempt, End, Role, StepName};
use crate::image::Host;

use super::walks::correlation;

/// The log of logins.
const LOGINS: &str = "ContainerRegistryLoginEvents";
/// The same with that of repositories; a workspace may lack the table of either.
const ALL: &str =
    "union isfuzzy=true ContainerRegistryLoginEvents, ContainerRegistryRepositoryEvents";
/// No id of a request is longer.
const ID_MAX: usize = 64;

/// The query for the last request of an attempt at this registry, of Azure by its name or as
/// `somebody_logged_in` there; `None` where there is no such request in its log.
pub(super) fn of(
    registry: &Host,
    somebody_logged_in: bool,
    attempt: &Attempt,
    at: Option<&str>,
) -> Option<String> {
    let server = registry.name();
    if !(somebody_logged_in || is_registry(server)) || is_elsewhere(&attempt.end) {
        return None;
    }
    let id = correlation(attempt).filter(|id| is_id(id))?;
    // What was read back from a file or from a node is not put into a query as it is.
    let at: Timestamp = at?.parse().ok()?;
    let log = if is_about_login(attempt) { LOGINS } else { ALL };
    Some(format!(
        "{log} | where LoginServer == \"{server}\" and CorrelationId == \
         \"{id}\" and TimeGenerated between (datetime({at}) - 5m .. datetime({at}) + 30m) | \
         project TimeGenerated, Identity, CallerIpAddress, ResultType, ResultDescription, UserAgent"
    ))
}

/// Whether the last answer was another server's.
fn is_elsewhere(end: &End) -> bool {
    match end {
        End::Answered { hop, .. } => !matches!(hop.role, Role::Registry | Role::TokenService),
        End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => false,
    }
}

/// Whether the last request was for a token.
fn is_about_login(attempt: &Attempt) -> bool {
    match &attempt.end {
        End::Answered { step, .. } => matches!(step, StepName::Exchange | StepName::Token),
        End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => false,
    }
}

fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    let is_short = !text.is_empty() && text.len() <= ID_MAX;
    is_short && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::evidence::{Answer, Attempt, End, Hop, Role, StepName};
    use crate::image::Host;

    const AT: &str = "2026-11-26T01:02:03Z";

    fn answered(role: Role, id: &str) -> Attempt {
        let answer = Answer { status: 401, correlation: Some(id.to_owned()), ..Answer::default() };
        let hop = Hop { host: "shop.azurecr.io".to_owned(), role, address: None };
        Attempt::new(None, Vec::new(), End::Answered { hop, step: StepName::Token, answer })
    }

    fn query(registry: &str, logged_in: bool, attempt: &Attempt, at: &str) -> Option<String> {
        of(&Host::parse(registry).unwrap(), logged_in, attempt, Some(at))
    }

    #[test]
    fn the_request_is_found_by_its_id_and_its_time() {
        let refused = answered(Role::TokenService, "5c8e-77");
        let expected = " | where LoginServer == \"shop.azurecr.io\" \
            and CorrelationId == \"5c8e-77\" and TimeGenerated between \
            (datetime(2026-11-26T01:02:03Z) - 5m .. datetime(2026-11-26T01:02:03Z) + 30m) | \
            project TimeGenerated, Identity, CallerIpAddress, ResultType, ResultDescription, \
            UserAgent";
        let of_login = format!("ContainerRegistryLoginEvents{expected}");
        let found = query("shop.azurecr.io:443", false, &refused, AT);
        assert_eq!(found.as_deref(), Some(of_login.as_str()));
        assert!(query("shop.azurecr.sovcloud-azure.fr", true, &refused, AT).is_some());
        let end = End::Served { digest: None, platform: None };
        let served = Attempt { correlation: Some("5c8e-77".to_owned()), end, ..refused };
        let of_pull = format!(
            "union isfuzzy=true ContainerRegistryLoginEvents, ContainerRegistryRepositoryEvents{expected}"
        );
        let found = query("shop.azurecr.io", false, &served, AT);
        assert_eq!(found.as_deref(), Some(of_pull.as_str()));
    }

    #[test]
    fn where_the_log_has_no_such_request_there_is_no_query() {
        let refused = answered(Role::Registry, "5c8e-77");
        for (registry, attempt, at) in [
            ("registry.example", refused.clone(), AT),
            ("shop.azurecr.io.example", refused.clone(), AT),
            ("shop.azurecr.io", refused.clone(), "yesterday"),
            ("shop.azurecr.io", answered(Role::Entra, "5c8e-77"), AT),
            ("shop.azurecr.io", answered(Role::Metadata, "5c8e-77"), AT),
            ("shop.azurecr.io", answered(Role::Registry, ""), AT),
            ("shop.azurecr.io", answered(Role::Registry, "\" or \"\" == \""), AT),
            ("shop.azurecr.io", answered(Role::Registry, &"5".repeat(65)), AT),
            (
                "shop.azurecr.io",
                Attempt::new(None, Vec::new(), End::Served { digest: None, platform: None }),
                AT,
            ),
        ] {
            assert_eq!(query(registry, false, &attempt, at), None, "{registry} {attempt:?} {at}");
        }
        assert_eq!(of(&Host::parse("shop.azurecr.io").unwrap(), false, &refused, None), None);
    }
}
