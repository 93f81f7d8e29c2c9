//! Whether we say of a case what the kubelet does, and whether `az aks check-acr` would.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::{Answer, UNTRIED};
use super::case::Case;
use crate::judgement::shorten;
use crate::seen::Sight;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Judgement {
    name: String,
    /// What the kubelet says, in a few words; nothing where it pulled.
    kubelet: Option<String>,
    answer: Answer,
    /// Whether the kubelet did what the case expects.
    as_expected: bool,
    /// Whether our verdict is the kubelet's.
    agrees: bool,
    /// Whether all else is as expected of us.
    right: bool,
}

impl Judgement {
    /// The heads of the columns.
    pub(crate) const HEADER: &str = "CASE                         OK        MS  WE SAY                                    CHECK-ACR SAYS          THE KUBELET SAYS";

    fn passes(&self) -> bool {
        self.as_expected && self.agrees && self.right && !self.answer.leaks
    }

    /// What check-acr comes to, and whether the kubelet comes to the same.
    fn other_way(&self) -> String {
        let says_yes = self.answer.check_acr == "success";
        let verdict = match (self.answer.check_acr.as_str(), says_yes == self.pulls()) {
            (UNTRIED, _) => "",
            (_, true) => " (right)",
            (_, false) => " (WRONG)",
        };
        format!("{}{verdict}", self.answer.check_acr)
    }

    fn has_other_way(&self) -> bool {
        self.answer.check_acr != UNTRIED
    }

    fn pulls(&self) -> bool {
        self.kubelet.is_none()
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.as_expected, self.answer.leaks, self.agrees, self.right) {
            (false, ..) => "LAB",
            (true, true, ..) => "LEAK",
            (true, false, false, _) => "DIFFER",
            (true, false, true, false) => "CODE",
            (true, false, true, true) => "ok",
        };
        let said = format!("{} {}", self.answer.code, self.answer.confidence);
        write!(
            formatter,
            "{:<28} {mark:<6} {:>5}  {said:<41} {:<23} {}",
            self.name,
            self.answer.took.as_millis(),
            self.other_way(),
            self.kubelet.as_deref().unwrap_or("(pulled)")
        )
    }
}

/// Compares what was seen and said with what the case expects.
pub(crate) fn judge(case: &Case, sight: &Sight, answer: Answer) -> Judgement {
    let expect = &case.expect;
    let pulls = sight.pulled && sight.failures == 0;
    let contains = |text: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| text.contains(wanted))
    };
    let right = expect.codes.contains(&answer.code)
        && expect.also.iter().all(|code| answer.codes.contains(code))
        && expect.confidence.as_ref().is_none_or(|wanted| *wanted == answer.confidence)
        && contains(&answer.message, &expect.says)
        && contains(&answer.remedy, &expect.remedy)
        && answer.check_acr == if expect.untried { UNTRIED } else { &expect.check_acr };
    Judgement {
        name: case.name.clone(),
        kubelet: (!pulls).then(|| words_of(sight)),
        as_expected: pulls == expect.pulls
            && (pulls || sight.failed.is_some())
            && answer.canipull.is_none_or(|end| end == expect.check_acr),
        agrees: answer.pullable == Some(pulls) || expect.undecided && answer.pullable.is_none(),
        right,
        answer,
    }
}

/// What the kubelet says of the first credential that it tried: the provider gives it two, and
/// the second is nobody's.
fn words_of(sight: &Sight) -> String {
    let first = sight.words.split(", failed to pull and unpack").next().unwrap_or_default();
    shorten(&sight.reason, first)
}

/// Prints the totals and every case that differs; whether one does that is not open.
pub(crate) fn summarize(cases: &[Case], judged: &BTreeMap<String, Judgement>) -> bool {
    let rows: Vec<(&Case, &Judgement)> =
        cases.iter().map(|case| (case, &judged[&case.name])).collect();
    let (passing, wrong): (Vec<_>, Vec<_>) =
        rows.iter().partition(|(_, judgement)| judgement.passes());
    println!();
    for (case, judgement) in &wrong {
        println!("{judgement}");
        if let Some(reason) = &case.open {
            println!("    open:     {reason}");
        }
        println!("    shows:    {} ({})", case.shows, case.page);
        let expect = &case.expect;
        println!(
            "    expected: {} {}{}{}, pulls: {}, check-acr: {}",
            expect.codes.join(" or "),
            expect.confidence.as_deref().unwrap_or_default(),
            expect.says.as_ref().map(|says| format!(" \"{says}\"")).unwrap_or_default(),
            expect.remedy.as_ref().map(|it| format!(" (remedy: \"{it}\")")).unwrap_or_default(),
            expect.pulls,
            expect.check_acr,
        );
        let answer = &judgement.answer;
        if !expect.also.is_empty() {
            println!("    also:     {}, of {}", expect.also.join(", "), answer.codes.join(", "));
        }
        println!("    we say:   {}{}", answer.message, answer.complaint.trim());
        println!("    remedy:   {}", answer.remedy);
    }
    for (case, _) in passing.iter().filter(|(case, _)| case.open.is_some()) {
        println!("{} is open no more: take that out of its file", case.name);
    }
    let unexpected = wrong.iter().filter(|(case, _)| case.open.is_none()).count();
    let count = |is: fn(&Judgement) -> bool| rows.iter().filter(|(_, it)| is(it)).count();
    println!(
        "{} cases: the kubelet does what is expected in {}, our verdict is the kubelet's in {}, our code is right in {}; check-acr is right in {} of the {} where we go its way; {} differ, {unexpected} of them unexpectedly",
        rows.len(),
        count(|it| it.as_expected),
        count(|it| it.agrees),
        count(|it| it.right),
        count(|it| it.has_other_way() && (it.answer.check_acr == "success") == it.pulls()),
        count(Judgement::has_other_way),
        wrong.len(),
    );
    unexpected > 0
}
