//! The arguments that say what the controller watches.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;

use crate::controller::Expiry;

use super::failure::Hinted;
use super::parse_duration;

/// Which namespaces are watched, and what in them.
#[derive(Debug, Args)]
pub(super) struct WatchingArguments {
    /// A namespace to watch; may be given several times. Rights in these namespaces are then
    /// enough: nothing is read or written elsewhere but the Lease, and no node is read, so that
    /// the platform of a node is not known. Without it all namespaces are watched.
    #[arg(long = "watch-namespace", value_name = "NAMESPACE", value_parser = parse_namespace)]
    namespaces: Vec<String>,
    /// How long before its end a credential is warned of, where it says until when it is valid.
    #[arg(long, value_name = "DURATION", default_value = "168h", value_parser = parse_duration)]
    expiry_warning: Duration,
    /// Watch Deployments, StatefulSets, DaemonSets and CronJobs too, and read the pull secrets
    /// that they reference, to tell of credentials that end before a pod fails; also of those
    /// that have no pod now. This needs the right to list and watch them.
    #[arg(long)]
    watch_workloads: bool,
}

impl WatchingArguments {
    /// The namespaces; none where all are watched.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.namespaces.iter().cloned().collect()
    }

    /// When the end of a credential is warned of.
    pub(super) fn expiry(&self) -> Expiry {
        Expiry { warning: self.expiry_warning, workloads: self.watch_workloads }
    }
}

/// A namespace's name is a label of DNS (RFC 1123; Kubernetes documentation, "Object Names and
/// IDs").
fn parse_namespace(text: &str) -> Result<String, Hinted> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=63).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(Hinted::new(
            format!("{text:?} is no name of a namespace"),
            "write one name of lower-case letters, digits and hyphens inside, at most 63, such as shop; for several give the argument several times",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::parse_namespace;

    #[test]
    fn a_namespace_has_a_name() {
        for name in ["a", "shop", "kube-system", "0-1"] {
            assert_eq!(parse_namespace(name).unwrap(), name);
        }
        for text in ["", "Shop", "a.b", "-a", "a-", "a,b", "a b", &"a".repeat(64)] {
            assert!(parse_namespace(text).unwrap_err().hint().contains("write"), "{text}");
        }
    }
}
