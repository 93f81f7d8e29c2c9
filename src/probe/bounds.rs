//! What is not asked, and what is said of that.

use std::net::IpAddr;

use url::Url;

use crate::evidence::{End, NotSent};

use super::address::Refusal;
use super::connection::host_of;
use super::exchange::Line;
use super::targets::Bar;

impl Line<'_> {
    /// How a question ends whose target is out of bounds, by what is known of that before it is
    /// looked up: all there is where a proxy does that.
    pub(super) fn out_of_bounds(
        &self,
        url: &Url,
        literal: Option<IpAddr>,
        is_behind_proxy: bool,
    ) -> Option<End> {
        let name = url.host_str().unwrap_or_default();
        if let Some(address) = literal {
            let refusal = self.addresses.refusal(name, address)?;
            return Some(end(host_of(url), address, refusal));
        }
        let targets = &self.addresses.targets;
        let bar = if is_behind_proxy { targets.bar(name, None) } else { targets.bar_by_name(name) };
        bar.map(|bar| barred(host_of(url), None, bar))
    }
}

/// How a question ends that is not asked at an address.
pub(super) fn end(host: String, address: IpAddr, refusal: Refusal) -> End {
    match refusal {
        Refusal::Class(class) => {
            let class = class.to_owned();
            End::NotSent { host, reason: NotSent::ForbiddenAddress { address, class } }
        }
        Refusal::Barred(bar) => barred(host, Some(address), bar),
    }
}

fn barred(host: String, address: Option<IpAddr>, bar: Bar) -> End {
    let reason = match bar {
        Bar::Denied => NotSent::DeniedTarget { address },
        Bar::NotAllowed => NotSent::NotAllowedTarget { address },
    };
    End::NotSent { host, reason }
}
