//! The arguments that say which hosts and networks probes may ask.

use clap::Args;

use crate::probe::targets::{Target, Targets};

/// What probes may ask.
#[derive(Clone, Debug, Args)]
pub(super) struct TargetArguments {
    /// A host (registry.example.com), all hosts below a domain (*.example.com) or a network
    /// (10.0.0.0/8) that probes may ask; may be given several times. Where it is given, nothing
    /// else is asked: neither a registry, nor a token service, nor a host to which one redirects.
    #[arg(long = "allow-target", value_name = "HOST|NETWORK")]
    allowed: Vec<Target>,
    /// One that no probe asks, allowed or not; may be given several times.
    #[arg(long = "deny-target", value_name = "HOST|NETWORK")]
    denied: Vec<Target>,
}

impl TargetArguments {
    pub(super) fn targets(&self) -> Targets {
        Targets { allowed: self.allowed.clone(), denied: self.denied.clone() }
    }
}
