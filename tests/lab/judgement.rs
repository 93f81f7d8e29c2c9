//! What the kubelet did, what the controller said, and whether both are right.

use std::fmt;
use std::time::Duration;

use registrycheck::api::ConditionStatus;

use crate::case::Case;
use crate::seen::{Answer, Sight};

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Judgement {
    name: String,
    /// What the kubelet came to, in a few words.
    kubelet: String,
    /// What we said, first and now.
    said: String,
    /// Whether the kubelet did what the case expects.
    as_expected: bool,
    /// Whether our verdict is the kubelet's.
    agrees: bool,
    /// Whether the codes are right, first and now, with what else was expected of them.
    right: bool,
    /// From the pod's failure to our first answer.
    took: Option<Duration>,
    message: String,
}

impl Judgement {
    /// The heads of the columns.
    pub(crate) const HEADER: &str = "CASE                             OK     MS     WE SAY                                  THE KUBELET SAYS";

    fn passes(&self) -> bool {
        self.as_expected && self.agrees && self.right
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.as_expected, self.agrees, self.right) {
            (false, ..) => "LAB",
            (true, false, _) => "DIFFER",
            (true, true, false) => "CODE",
            (true, true, true) => "ok",
        };
        let took = self.took.map_or_else(|| "-".to_owned(), |took| took.as_millis().to_string());
        write!(
            formatter,
            "{:<32} {mark:<6} {took:>5}  {:<39} {}",
            self.name, self.said, self.kubelet
        )
    }
}

/// Compares what was seen with what the case expects.
pub(crate) fn judge(case: &Case, sight: &Sight) -> Judgement {
    let expect = &case.expect;
    let is_mended = case.mend.is_some();
    let pulls = sight.pulled && (expect.pulls || is_mended || sight.failures == 0);
    let first = sight.first.as_ref().map(|(_, answer)| answer);
    let answers = [first.filter(|first| !lacked_secret(sight, first)), sight.last.as_ref()];
    let answers = answers.into_iter().flatten();
    let is_right = |answer: &Answer| {
        expect.codes.contains(&answer.code)
            && expect.confidence.as_ref().is_none_or(|wanted| *wanted == answer.confidence)
            && expect.says.as_ref().is_none_or(|wanted| answer.message.contains(wanted))
    };
    let agrees = |answer: &Answer| match answer.status {
        ConditionStatus::True => pulls,
        ConditionStatus::False => !pulls,
        ConditionStatus::Unknown => expect.undecided,
    };
    let is_well = sight
        .last
        .as_ref()
        .is_some_and(|answer| answer.status == ConditionStatus::True && answer.code == "Pullable");
    let mut said: Vec<String> =
        [first, sight.last.as_ref()].into_iter().flatten().map(describe).collect();
    said.dedup();
    let took = sight.first.as_ref().zip(sight.failed);
    Judgement {
        name: case.name.clone(),
        kubelet: if pulls { "(pulled)".to_owned() } else { shorten(&sight.reason, &sight.words) },
        said: said.join(" > "),
        as_expected: if is_mended {
            pulls && sight.failed.is_some()
        } else {
            pulls == expect.pulls && (pulls || sight.failed.is_some())
        },
        agrees: if is_mended {
            first.is_some_and(|answer| answer.status == ConditionStatus::False) && is_well
        } else {
            sight.last.is_some() && answers.clone().all(agrees)
        },
        right: if is_mended {
            first.is_some_and(is_right)
        } else {
            sight.last.is_some() && answers.clone().all(is_right)
        },
        took: took.map(|((said, _), failed)| said.saturating_duration_since(failed)),
        message: sight.last.as_ref().map_or_else(String::new, |last| last.message.clone()),
    }
}

/// Whether the kubelet pulled at first without the secret that it has: its cache of a new pod's
/// secrets is given a second (`Get`, `pkg/kubelet/util/manager/watch_based_manager.go` of
/// Kubernetes 1.35). A guess that
/// there was no credential is right, then, until the next attempt.
fn lacked_secret(sight: &Sight, first: &Answer) -> bool {
    let is_other = sight.first_words.as_ref().is_some_and(|words| *words != sight.words);
    is_other && first.code == "NoCredentials" && first.confidence == "Likely"
}

fn describe(answer: &Answer) -> String {
    match answer.status {
        ConditionStatus::True | ConditionStatus::False => {
            format!("{} {}", answer.code, answer.confidence)
        }
        ConditionStatus::Unknown => format!("{} {} (undecided)", answer.code, answer.confidence),
    }
}

/// The end of the message is what tells: all begin alike.
pub(crate) fn shorten(reason: &str, words: &str) -> String {
    let told = words.split("failed to ").last().unwrap_or(words);
    let told: String = told.chars().take(150).collect();
    if reason == words { told } else { format!("{reason}: {told}") }
}

/// Prints the totals and every case that differs; whether one does that is not open.
pub(crate) fn summarize(judged: &[(&Case, Judgement)]) -> bool {
    let (passing, wrong): (Vec<_>, Vec<_>) =
        judged.iter().partition(|(_, judgement)| judgement.passes());
    for (case, judgement) in &wrong {
        println!("{judgement}");
        if let Some(reason) = &case.open {
            println!("    open:     {reason}");
        }
        println!("    shows:    {}", case.shows);
        let expect = &case.expect;
        println!(
            "    expected: {} {}{}, pulls: {}",
            expect.codes.join(" or "),
            expect.confidence.as_deref().unwrap_or_default(),
            expect.says.as_ref().map(|says| format!(" \"{says}\"")).unwrap_or_default(),
            expect.pulls
        );
        println!("    we say:   {}", judgement.message);
    }
    let closed = passing.iter().filter(|(case, _)| case.open.is_some());
    for (case, _) in closed {
        println!("{} is open no more: take that out of its file", case.name);
    }
    let unexpected = wrong.iter().filter(|(case, _)| case.open.is_none()).count();
    let count = |is: fn(&Judgement) -> bool| judged.iter().filter(|(_, it)| is(it)).count();
    println!(
        "{} cases: the kubelet does what is expected in {}, our verdict is the kubelet's in {}, our code is right in {}; {} differ, {unexpected} of them unexpectedly",
        judged.len(),
        count(|it| it.as_expected),
        count(|it| it.agrees),
        count(|it| it.right),
        wrong.len(),
    );
    let mut times: Vec<Duration> = judged.iter().filter_map(|(_, it)| it.took).collect();
    times.sort_unstable();
    if let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) {
        println!(
            "from the pod's failure to our first answer: median {} ms, worst {} ms, of {}",
            median.as_millis(),
            worst.as_millis(),
            times.len()
        );
    }
    unexpected > 0
}
