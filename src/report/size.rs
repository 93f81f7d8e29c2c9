//! The size of a status: at most 32 KiB, and the most important last to go.

use crate::api::RegistryCheckStatus;

/// The largest status that is written, in bytes of JSON.
const MOST_BYTES: usize = 32 * 1024;

/// Cuts probes, then names, then the lower findings, until the status fits; never Ready's
/// message nor the first remedy.
pub(super) fn fit(status: &mut RegistryCheckStatus) {
    while size(status) > MOST_BYTES {
        let has_names = |finding: &crate::api::FindingStatus| {
            !finding.images.is_empty() || !finding.pods.is_empty()
        };
        if status.probes.pop().is_some() {
            continue;
        }
        if let Some(finding) = status.findings.iter_mut().rev().find(|finding| has_names(finding)) {
            finding.images.clear();
            finding.pods.clear();
            continue;
        }
        if status.findings.len() <= 1 {
            return;
        }
        status.findings.pop();
    }
}

fn size(status: &RegistryCheckStatus) -> usize {
    serde_json::to_vec(status).map_or(0, |bytes| bytes.len())
}
