//! One finding for one cause: the findings of all targets, merged and given their times.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::{FindingStatus, RegistryCheckStatus, Severity};
use crate::diagnose::{Finding, catalogue::Code, shorten};
use crate::target::PodRef;

use super::announcements::moment;
use super::{Beside, Outcome, sentence};

/// How many findings a status holds.
const MOST_FINDINGS: usize = 20;
/// The longest message or remedy, in characters.
pub(super) const LONGEST_TEXT: usize = 2_000;
/// How many names of images and pods a finding holds.
const MOST_NAMES: usize = 5;

/// A finding while it is gathered from the targets.
struct Gathered<'outcome> {
    finding: &'outcome Finding,
    /// Whether it stands with an image that cannot be pulled.
    stops: bool,
    /// Whether its message is about no image in particular.
    is_beside: bool,
    images: Vec<&'outcome str>,
    pods: Vec<&'outcome PodRef>,
}

/// Merges what the targets have in common. Two findings are one if code, credential and
/// host are equal; what lasts keeps its first time and its episode. What becomes the cause
/// after it stood further down begins another part of its episode, for Ready changes then.
pub(super) fn merge(
    uid: &str,
    outcomes: &[Outcome],
    beside: &[Beside],
    previous: &RegistryCheckStatus,
    now: Timestamp,
) -> Vec<FindingStatus> {
    let mut gathered: Vec<Gathered<'_>> = Vec::new();
    for outcome in outcomes {
        for finding in &outcome.diagnosis.findings {
            let same = |other: &&mut Gathered<'_>| identity(other.finding) == identity(finding);
            let image = outcome.target.image.as_str();
            match gathered.iter_mut().find(same) {
                Some(other) => {
                    other.stops |= outcome.stops();
                    other.images.push(image);
                    other.pods.extend(stopped_pods(outcome));
                }
                None => gathered.push(Gathered {
                    finding,
                    stops: outcome.stops(),
                    is_beside: false,
                    images: vec![image],
                    pods: stopped_pods(outcome).collect(),
                }),
            }
        }
    }
    for Beside { finding, images } in beside {
        let images = images.iter().map(String::as_str);
        match gathered.iter_mut().find(|other| is_told(other.finding, finding)) {
            Some(other) if other.finding.severity == finding.severity => {
                other.images.extend(images);
            }
            // It stops a pull already.
            Some(_) => {}
            None => gathered.push(Gathered {
                finding,
                stops: false,
                is_beside: true,
                images: images.collect(),
                pods: Vec::new(),
            }),
        }
    }
    for group in &mut gathered {
        group.images.sort_unstable();
        group.images.dedup();
        group.pods.sort_unstable();
        group.pods.dedup();
    }
    gathered.sort_by_key(|group| {
        let Finding { code, severity, confidence, .. } = group.finding;
        let pullable = *code == Code::Pullable;
        (!group.stops, *severity, pullable, group.pods.is_empty(), *confidence, code.row().stage)
    });
    let gathered = gathered.iter().take(MOST_FINDINGS);
    let mut findings: Vec<FindingStatus> =
        gathered.map(|group| status(uid, group, previous, now)).collect();
    let lasts = |cause: &FindingStatus| {
        let before = previous.findings.first();
        before.is_some_and(|before| before.episode == cause.episode)
    };
    if let Some(cause) = findings.first_mut().filter(|cause| !lasts(cause)) {
        let is_known = previous.findings.iter().any(|before| before.episode == cause.episode);
        if is_known {
            cause.episode = next_part(&cause.episode);
        }
    }
    findings
}

/// The pods that wait in vain; those of an image that can be pulled only wait.
fn stopped_pods(outcome: &Outcome) -> impl Iterator<Item = &PodRef> {
    outcome.target.pods.iter().filter(|_| outcome.stops())
}

/// A text without the line ends of whoever wrote part of it.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn identity(finding: &Finding) -> (Code, Option<&str>, Option<&str>, bool) {
    let stops = finding.severity == Severity::Error;
    (finding.code, finding.credential.as_deref(), finding.hop.as_deref(), stops)
}

/// Whether one finding says what another one does, of the same pull secret.
fn is_told(one: &Finding, other: &Finding) -> bool {
    let secret = |finding: &Finding| {
        let credential = finding.credential.clone().unwrap_or_default();
        credential.split(" (").next().unwrap_or_default().to_owned()
    };
    one.code == other.code && secret(one) == secret(other)
}

/// Whether `written` stands for `finding`, however bad it is for one image or another.
pub(super) fn stands_for(written: &FindingStatus, finding: &Finding) -> bool {
    written.code == finding.code.as_str()
        && written.credential == finding.credential
        && written.hop == finding.hop
}

fn is_same(before: &FindingStatus, finding: &Finding) -> bool {
    stands_for(before, finding) && before.severity == finding.severity
}

fn status(
    uid: &str,
    group: &Gathered<'_>,
    previous: &RegistryCheckStatus,
    now: Timestamp,
) -> FindingStatus {
    let finding = group.finding;
    let before = previous.findings.iter().find(|before| is_same(before, finding));
    let others = group.images.len().saturating_sub(1);
    let message = match others {
        _ if group.is_beside => finding.message.clone(),
        0 => finding.message.clone(),
        1 => format!("{}. The same goes for 1 other image", finding.message),
        _ => format!("{}. The same goes for {others} other images", finding.message),
    };
    FindingStatus {
        code: finding.code.to_string(),
        severity: finding.severity,
        confidence: finding.confidence,
        owner: finding.owner,
        message: sentence(&shorten(&one_line(&message), LONGEST_TEXT)),
        remedy: shorten(&one_line(&finding.remedy), LONGEST_TEXT),
        credential: finding.credential.clone(),
        hop: finding.hop.clone(),
        images: group.images.iter().take(MOST_NAMES).map(|&image| image.to_owned()).collect(),
        total_images: count(group.images.len()),
        pods: group.pods.iter().take(MOST_NAMES).map(|pod| pod.name.clone()).collect(),
        total_pods: count(group.pods.len()),
        first_seen: before.map_or(now, |before| before.first_seen),
        last_seen: now,
        episode: before
            .map_or_else(|| episode(uid, finding, previous), |before| before.episode.clone()),
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Names a new occurrence by what was written before it: whoever computes it again from the
/// same status, after a crash say, finds the same name. What is not in a status that had no
/// room for all may have been there before, and is no new occurrence at each probe.
fn episode(uid: &str, finding: &Finding, previous: &RegistryCheckStatus) -> String {
    let since = if may_lack_some(previous) { last_change(previous) } else { moment(previous) };
    let Finding { credential, hop, .. } = finding;
    name_episode(uid, finding.code.as_str(), [credential, hop], &since)
}

/// Whether a status may have had no room for a finding: pods have none, or names of pods and images
/// are left out, which go before findings do.
fn may_lack_some(status: &RegistryCheckStatus) -> bool {
    let named: i64 = status.findings.iter().map(|finding| finding.total_pods).sum();
    let is_cut = |finding: &FindingStatus| finding.images.is_empty() && finding.total_images > 0;
    let only = status.findings.first().filter(|_| status.findings.len() == 1);
    named < status.affected_pods
        || status.findings.iter().skip(1).any(is_cut)
        || only.is_some_and(|only| only.pods.len() < 2 && only.total_pods > 1)
}

/// Names those that a status has no room for as they will be named when it is all that is known of
/// them.
pub(super) fn name_dropped(
    uid: &str,
    whole: &mut RegistryCheckStatus,
    written: &RegistryCheckStatus,
) {
    let since = last_change(written);
    for finding in whole.findings.iter_mut().skip(written.findings.len()) {
        let FindingStatus { code, credential, hop, .. } = finding;
        finding.episode = name_episode(uid, code, [credential, hop], &since);
    }
}

fn last_change(status: &RegistryCheckStatus) -> String {
    let ready = status.ready().map(|ready| ready.last_transition_time);
    ready.map(|time| time.to_string()).unwrap_or_default()
}

fn name_episode(uid: &str, code: &str, of: [&Option<String>; 2], since: &str) -> String {
    let [credential, hop] = of.map(|text| text.as_deref().unwrap_or_default());
    hash(&[uid, code, credential, hop, since])[..8].to_owned()
}

/// The episode of a finding without its part: `bc94a493` of `bc94a493.2`.
pub fn episode_of(finding: &FindingStatus) -> &str {
    whole_episode(&finding.episode)
}

pub(super) fn whole_episode(episode: &str) -> &str {
    episode.split('.').next().unwrap_or(episode)
}

/// `bc94a493.2` after `bc94a493`, and so on.
fn next_part(episode: &str) -> String {
    let part: u32 = episode.split('.').nth(1).and_then(|part| part.parse().ok()).unwrap_or(1);
    format!("{}.{}", whole_episode(episode), part.saturating_add(1))
}

/// A hash of several texts, in hexadecimal; no two lists of texts read alike.
pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
