//! The hosts that a probe met, and how their names were looked up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use url::{Host, Url};

use crate::evidence::told::Lookup;

use super::dns::Found;

/// How many hosts are kept.
const HOSTS_MAX: usize = 4;

/// The hosts in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Met(Mutex<Vec<Lookup>>);

impl Met {
    fn lookups(&self) -> MutexGuard<'_, Vec<Lookup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the host of `url` was looked up.
    pub(super) fn saw(&self, url: &Url, found: &Found) {
        self.note(url, &found.aliases, &found.addresses);
    }

    /// Notes that the host of `url` has no address, and to which names it leads.
    pub(super) fn missed(&self, url: &Url, aliases: &[String]) {
        self.note(url, aliases, &[]);
    }

    fn note(&self, url: &Url, aliases: &[String], addresses: &[std::net::IpAddr]) {
        let Some(Host::Domain(host)) = url.host() else { return };
        let mut lookups = self.lookups();
        if lookups.len() < HOSTS_MAX && lookups.iter().all(|lookup| lookup.host != host) {
            let (aliases, addresses) = (aliases.to_vec(), addresses.to_vec());
            lookups.push(Lookup { host: host.to_owned(), aliases, addresses });
        }
    }

    /// What was noted.
    pub(super) fn read(&self) -> Vec<Lookup> {
        self.lookups().clone()
    }
}
