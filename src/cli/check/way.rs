//! The arguments that say how a registry is asked from here, whatever is asked of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{certificates_of, parse_duration, proxies};
use crate::image::Host;
use crate::probe::{self, Prober};

use super::asked::is_this_machine;

/// How a registry is asked from here.
#[derive(Debug, Args)]
pub(in crate::cli) struct Way {
    /// How long all of it may take, such as 20s or 2m.
    #[arg(long, default_value = "20s", value_parser = parse_duration, value_name = "DURATION")]
    pub(in crate::cli) timeout: Duration,
    /// A token service outside its registry's own domain that may be sent credentials; may be
    /// given several times.
    #[arg(long = "token-host", value_name = "HOST")]
    token_hosts: Vec<String>,
    /// A registry (host or host:port) that is asked over plain HTTP; may be given several times.
    #[arg(long = "insecure-host", value_name = "HOST")]
    insecure_hosts: Vec<String>,
    /// A file of certificates (PEM) to trust beside those of the system; may be given several
    /// times.
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
    /// Ask also a registry whose name leads to this machine. One that is called localhost, or by
    /// a loopback address, is asked without it.
    #[arg(long)]
    allow_loopback: bool,
}

impl Way {
    /// What asks in this way. `forbidden` are addresses that are no registry's.
    pub(in crate::cli) fn prober(
        &self,
        registry: &Host,
        forbidden: &[IpAddr],
    ) -> anyhow::Result<Prober> {
        let mut ca_bundle_pem = Vec::new();
        for file in &self.ca_files {
            ca_bundle_pem.push(certificates_of(file)?);
        }
        let settings = probe::Settings {
            ca_bundle_pem,
            token_hosts: self.token_hosts.clone(),
            // Who writes localhost on a command line means this very machine.
            allow_loopback: self.allow_loopback || is_this_machine(registry),
            insecure_hosts: self.insecure_hosts.clone(),
            forbidden: forbidden.to_vec(),
            proxies: proxies(),
            ..probe::Settings::default()
        };
        Prober::new(settings).context("cannot prepare to probe")
    }

    /// In what this is laxer than a node.
    pub(in crate::cli) fn laxity(&self) -> Option<String> {
        let files = self.ca_files.iter().map(|file| format!("trusting {}", file.display()));
        let hosts = self.insecure_hosts.iter();
        let hosts = hosts.map(|host| format!("with plain HTTP allowed for {host}"));
        let notes: Vec<String> = files.chain(hosts).collect();
        (!notes.is_empty()).then(|| notes.join(" and "))
    }
}
