//! The size of a status: at most 32 KiB, and few enough lines to be read, and the most
//! important last to go.

use crate::api::{FindingStatus, ProbeStatus, RegistryCheckStatus};

/// The largest status that is written, in bytes of JSON.
const MOST_BYTES: usize = 32 * 1024;

/// The most lines that `kubectl describe` prints of a status. With the object's own and some
/// Events that makes 120.
const MOST_LINES: usize = 95;

/// Cuts probes except for the first, then the names of the lower findings, then all but one of the
/// first one's, then those findings, then what is left of both, until the status fits; never Ready's message nor the
/// first remedy.
pub(super) fn fit(status: &mut RegistryCheckStatus) {
    while bytes(status) > MOST_BYTES || lines(status) > MOST_LINES {
        if status.probes.len() > 1 {
            status.probes.pop();
            continue;
        }
        let lower = status.findings.iter_mut().skip(1);
        if let Some(finding) = lower.rev().find(|finding| has_names(finding)) {
            finding.images.clear();
            finding.pods.clear();
            continue;
        }
        // A cause says more than the names of more pods, and does not come and go with them.
        if let [first, _, ..] = status.findings.as_mut_slice()
            && (first.images.len() > 1 || first.pods.len() > 1)
        {
            first.images.truncate(1);
            first.pods.truncate(1);
            continue;
        }
        if status.findings.len() > 1 {
            status.findings.pop();
            continue;
        }
        if status.probes.pop().is_some() {
            continue;
        }
        match status.findings.first_mut().filter(|finding| has_names(finding)) {
            Some(finding) => {
                finding.images.clear();
                finding.pods.clear();
            }
            None => return,
        }
    }
}

fn has_names(finding: &FindingStatus) -> bool {
    !finding.images.is_empty() || !finding.pods.is_empty()
}

fn bytes(status: &RegistryCheckStatus) -> usize {
    serde_json::to_vec(status).map_or(0, |bytes| bytes.len())
}

/// The lines of a status as `kubectl describe` prints it: one for each key and value, and one
/// for the key of a list.
fn lines(status: &RegistryCheckStatus) -> usize {
    let RegistryCheckStatus {
        observed_generation,
        conditions,
        affected_pods: _,
        findings,
        probes,
        last_probe_time,
        next_probe_time,
        last_handled_reconcile_at,
    } = status;
    let of_conditions: usize = conditions
        .iter()
        .map(|condition| 5 + usize::from(condition.observed_generation.is_some()))
        .sum();
    let of_findings: usize = findings.iter().map(lines_of_finding).sum();
    let of_probes: usize = probes.iter().map(lines_of_probe).sum();
    let keys = [
        observed_generation.is_some(),
        !conditions.is_empty(),
        !findings.is_empty(),
        !probes.is_empty(),
        last_probe_time.is_some(),
        next_probe_time.is_some(),
        last_handled_reconcile_at.is_some(),
    ];
    let n_keys = keys.iter().filter(|&&is_there| is_there).count();
    2 + n_keys + of_conditions + of_findings + of_probes
}

fn lines_of_finding(finding: &FindingStatus) -> usize {
    let optional =
        [!finding.remedy.is_empty(), finding.credential.is_some(), finding.hop.is_some()];
    let names = [&finding.images, &finding.pods];
    10 + optional.iter().filter(|&&is_there| is_there).count()
        + names.iter().filter(|names| !names.is_empty()).map(|names| 1 + names.len()).sum::<usize>()
}

fn lines_of_probe(probe: &ProbeStatus) -> usize {
    5 + usize::from(probe.correlation_id.is_some()) + usize::from(probe.log_query.is_some())
}
