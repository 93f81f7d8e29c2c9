//! Figures of `make bench`: each is a row of a table and, where a file is named, a line of JSON in it.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;

/// Where the lines of JSON go.
const FILE: &str = "REGISTRYCHECK_FIGURES";

/// What was measured.
#[derive(Clone, Copy)]
pub(crate) struct Figure<'a> {
    /// In which circumstances.
    pub(crate) part: &'a str,
    /// What of.
    pub(crate) what: &'a str,
    /// In what: `MB`, `s`, or what is counted.
    pub(crate) unit: &'a str,
    /// What was seen.
    pub(crate) ours: f64,
    /// What the reference came to in the same run, and what it is.
    pub(crate) reference: Option<(&'a str, f64)>,
    /// What it may be at most; with a reference, the ratio.
    pub(crate) most: Option<f64>,
}

impl Figure<'_> {
    /// How many times the reference, or as it is where there is none.
    fn compared(&self) -> f64 {
        self.reference.map_or(self.ours, |(_, reference)| self.ours / reference)
    }

    fn is_met(&self) -> Option<bool> {
        self.most.map(|most| self.compared() <= most)
    }

    /// Prints it, and writes it down.
    pub(crate) fn say(&self) {
        let Self { part, what, unit, ours, reference, most } = self;
        let beside = reference.map_or_else(String::new, |(name, value)| {
            format!(" {value:>10.2} {name:24} ratio {:5.2}", self.compared())
        });
        let judged = most.zip(self.is_met()).map_or_else(String::new, |(most, is_met)| {
            format!("  at most {most}: {}", if is_met { "met" } else { "MISSED" })
        });
        println!("{part:24} {what:44} {ours:>10.2} {unit:9}{beside}{judged}");
        let Some(file) = std::env::var_os(FILE) else { return };
        let line = json!({
            "part": part, "what": what, "unit": unit, "ours": rounded(*ours),
            "reference": reference.map(|(name, value)| json!({"name": name, "value": rounded(value)})),
            "ratio": reference.map(|_| rounded(self.compared())),
            "most": most, "met": self.is_met(),
        });
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// Two places are enough.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
