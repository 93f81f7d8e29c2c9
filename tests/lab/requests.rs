//! How many requests a probe costs a registry, beside a pull by the runtime.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::Case;
use crate::ground::ground;

/// How many requests a probe may need beyond those of a pull.
const BUDGET: usize = 3;
/// How many probes one case may cost: a new pod's first attempt can lack its secret, and then
/// its failure is looked at beside the check that the case writes.
const PROBES: usize = 2;

/// The requests of one host.
#[derive(Default)]
struct Count {
    runtime: usize,
    probe: usize,
}

/// Counts the requests of cases whose image was pulled once and probed once; whether a probe
/// asks for more than it may.
pub(crate) fn compare(cases: &[Case]) -> bool {
    let log = std::fs::read_to_string(ground().logs().join("misbehave.log")).unwrap();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for line in log.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let host = request["host"].as_str().unwrap_or_default();
        let name = host.split(':').next().unwrap_or(host);
        let count = counts.entry(name.to_owned()).or_default();
        let agent = request["agent"].as_str().unwrap_or_default();
        if agent.starts_with("containerd/") {
            count.runtime += 1;
        } else if agent.starts_with("registrycheck/") {
            count.probe += 1;
        }
    }
    println!("\nRequests of a pull, counted at the registry (and its other hosts):");
    println!("{:<32} {:>10} {:>13}", "CASE", "CONTAINERD", "REGISTRYCHECK");
    let (mut runtime, mut probe, mut greedy) = (0, 0, false);
    // What several cases share, such as Docker Hub, cannot be told apart.
    let own = |case: &&Case| case.expect.pulls && case.has_registry_of_its_own();
    for case in cases.iter().filter(own) {
        let hosts = case.hosts();
        let names = hosts.iter().filter_map(|host| host["name"].as_str());
        let (own, ours) = names
            .filter_map(|name| counts.get(name))
            .fold((0, 0), |sum, count| (sum.0 + count.runtime, sum.1 + count.probe));
        println!("{:<32} {own:>10} {ours:>13}", case.name);
        greedy |= ours > PROBES * (own + BUDGET);
        runtime += own;
        probe += ours;
    }
    println!("{:<32} {runtime:>10} {probe:>13}", "all");
    greedy || probe > runtime + BUDGET
}
