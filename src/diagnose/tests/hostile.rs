use crate::diagnose::{Subject, diagnose};
use crate::probe::tests::hostile::{Met, faults, meet_all};

fn faults_of(met: &Met) -> Vec<String> {
    let subject = Subject { namespace: "shop", image: &met.evidence.image, complaint: None };
    let findings = diagnose(subject, &met.evidence).findings;
    let code = findings.first().map(|finding| finding.code.to_string()).unwrap_or_default();
    let words = findings.into_iter().flat_map(|finding| [finding.message, finding.remedy]);
    faults(met, &code, &words.collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_registry_does_ends_is_bounded_and_has_a_code() {
    let met = meet_all().await;
    let faults: Vec<String> = met.iter().flat_map(faults_of).collect();
    assert!(faults.is_empty() && met.len() > 100, "{}", faults.join("\n"));
}
