//! How large a status and an Event may be, and what is cut.

use super::*;

fn bytes(status: &RegistryCheckStatus) -> usize {
    serde_json::to_vec(status).unwrap().len()
}

/// 50 images with long names, each with a cause of its own, for 5,000 pods.
fn storm() -> Vec<Outcome> {
    let all = pods(5_000);
    (0..50)
        .map(|n| {
            let image = format!("r.test/{}:{n}", "long/".repeat(48));
            let mut outcome = outcome(&image, 0, Code::CredentialRejected);
            let finding = &mut outcome.diagnosis.findings[0];
            finding.credential = Some(format!("secret {} (key r.test)", "s".repeat(200 + n)));
            finding.message = format!("r.test refuses {image}: {}", "no ".repeat(100));
            finding.remedy = format!("Mend {n}: {}.", "kubectl ".repeat(100));
            outcome.target.pods = all[n * 100..(n + 1) * 100].to_vec();
            outcome
        })
        .collect()
}

#[test]
fn a_storm_fits_into_32_kib_and_keeps_the_first_remedy() {
    let outcomes = storm();
    let status = probed(None, &outcomes, 0).status;
    assert!(bytes(&status) <= 32 * 1024, "{} bytes", bytes(&status));
    assert_eq!(status.affected_pods, 5_000);
    assert_eq!(status.findings[0].remedy, outcomes[0].diagnosis.findings[0].remedy);
    let message = &condition(&status, "Ready").message;
    let cause = &outcomes[0].diagnosis.findings[0].message;
    assert!(message.starts_with("100 pods of 4 workloads cannot pull r.test/long/"), "{message}");
    assert!(message.contains(cause), "{message}");
    assert!(message.ends_with("4900 pods of 4 workloads cannot pull 49 images."), "{message}");
}

#[test]
fn a_storm_of_one_cause_keeps_its_numbers() {
    let mut outcomes = storm();
    let one = outcomes[0].diagnosis.clone();
    for outcome in &mut outcomes {
        outcome.diagnosis = one.clone();
    }
    let status = probed(None, &outcomes, 0).status;
    let [finding] = status.findings.as_slice() else { panic!("{:?}", status.findings) };
    assert_eq!((finding.total_images, finding.total_pods), (50, 5_000));
    assert_eq!((finding.images.len(), finding.pods.len()), (5, 5));
    assert!(finding.message.ends_with(". The same goes for 49 other images."));
}

/// How many probes, findings with names, and findings are kept of so many findings with 5
/// probes, whose texts are of so many characters of 4 bytes.
fn kept(n_findings: usize, n_characters: usize) -> (usize, usize, usize) {
    let probe = crate::api::ProbeStatus {
        image: String::new(),
        credential: String::new(),
        vantage: "Pod".to_owned(),
        outcome: String::new(),
        steps: String::new(),
        correlation_id: None,
        log_query: None,
    };
    let outcomes: Vec<_> = storm()
        .into_iter()
        .take(n_findings)
        .map(|mut outcome| {
            let finding = &mut outcome.diagnosis.findings[0];
            finding.message = "🦀".repeat(n_characters);
            finding.remedy = "🦀".repeat(n_characters);
            outcome
        })
        .collect();
    let mut status = probed(None, &outcomes, 0).status;
    status.probes = vec![probe; 5];
    size::fit(&mut status);
    assert!(bytes(&status) <= 32 * 1024, "{} bytes", bytes(&status));
    let names = status.findings.iter().filter(|finding| !finding.pods.is_empty()).count();
    (status.probes.len(), names, status.findings.len())
}

#[test]
fn probes_are_cut_before_names_and_names_before_findings() {
    assert_eq!(kept(1, 10), (5, 1, 1));
    assert_eq!(kept(2, 10), (3, 2, 2));
    assert_eq!(kept(3, 10), (1, 2, 3));
    assert_eq!(kept(4, 10), (1, 1, 4));
    assert_eq!(kept(50, 10), (1, 1, 4));
    assert_eq!(kept(50, 1_000), (3, 1, 3));
    assert_eq!(kept(50, 10_000), (5, 1, 1));
}

/// A cause for which a status had no room is no new one at the next probe.
#[test]
fn what_had_no_room_is_said_once() {
    check_said_once(&storm(), 20);
    // Each pod has another cause beside, which all share.
    let mut outcomes = storm();
    for outcome in &mut outcomes {
        outcome.diagnosis.findings.push(finding(Code::DnsFailure));
    }
    check_said_once(&outcomes, 19);
}

/// The causes that are named have 100 pods each.
#[track_caller]
fn check_said_once(outcomes: &[Outcome], causes: usize) {
    let names_of = |outcomes: &[Outcome], previous: Option<&RegistryCheckStatus>, seconds| {
        let report = probed(previous, outcomes, seconds);
        let of_pods = report.announcements.into_iter().filter(Announcement::may_follow);
        let names = of_pods.map(|announcement| announcement.name).collect::<Vec<_>>();
        (report.status, names)
    };
    let names = |previous, seconds| names_of(outcomes, previous, seconds);
    let (first, said) = names(None, 0);
    assert!(first.findings.len() < causes);
    assert_eq!(said.len(), causes * 100);
    let (second, said_again) = names(Some(&first), 60);
    assert_eq!(said, said_again);
    assert_eq!(names(Some(&second), 120).1, said);
    // When most are mended, there is room for all.
    let (rest, said_again) = names_of(&outcomes[5..8], Some(&first), 60);
    assert!(rest.findings.len() >= 3 && said_again.len() == 300, "{}", said_again.len());
    assert!(said_again.iter().all(|name| said.contains(name)));
}

/// The note of the Event about this message and remedy.
#[track_caller]
fn check_note(message: &str, remedy: &str, expected: &str) {
    let mut outcomes = vec![outcome("r.test/a", 0, Code::TagNotFound)];
    message.clone_into(&mut outcomes[0].diagnosis.findings[0].message);
    remedy.clone_into(&mut outcomes[0].diagnosis.findings[0].remedy);
    let report = probed(None, &outcomes, 0);
    let note = &*report.announcements[0].note;
    assert!(note.len() <= 1_024, "{} bytes", note.len());
    assert_eq!(note, expected);
}

#[test]
fn a_note_is_the_message_and_the_remedy() {
    check_note("no", "Mend it.", "r.test/a cannot be pulled: no. Mend it.");
}

#[test]
fn a_note_is_cut_between_sentences() {
    let command = format!("Do this: kubectl {}.", "x".repeat(500));
    let remedy = format!("{command} Or that: kubectl {}. And then.", "y".repeat(500));
    check_note("no", &remedy, &format!("r.test/a cannot be pulled: no. {command}"));
}

#[test]
fn a_command_with_stops_in_it_is_no_end_of_a_sentence() {
    let command = format!("Do: kubectl -f a.yaml . && echo {}", "ä".repeat(500));
    check_note("no", &command, "r.test/a cannot be pulled: no.");
}

#[test]
fn a_message_that_is_too_long_for_a_note_is_cut() {
    let message = "ä".repeat(2_000);
    let begin = "r.test/a cannot be pulled: ";
    let kept = "ä".repeat(256 - begin.len());
    check_note(&message, "Mend it.", &format!("{begin}{kept}"));
}
