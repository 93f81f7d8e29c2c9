//! Real messages of failed pulls, with the causes that their threads found: how many are
//! read rightly, and that none is read wrongly with certainty.
//!
//! Each row of `tests/data/pull-errors.jsonl` has the codes that are a right first answer
//! (`accept`), those of them that the text only allows (`at_most_possible`), those that
//! mislead if they are said to be certain, and whether the text alone settles the cause.

use std::fs;
use std::path::Path;

use registrycheck::api::Confidence;
use registrycheck::diagnose::words;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    id: u32,
    message: String,
    benchmark: bool,
    accept: Vec<String>,
    at_most_possible: Vec<String>,
    wrong_if_certain: Vec<String>,
    decidable: bool,
}

impl Row {
    fn accepts(&self, code: &str) -> bool {
        self.accept.iter().any(|accepted| accepted == code)
    }

    fn is_harmful(&self, code: &str, confidence: Confidence) -> bool {
        let misleads = self.wrong_if_certain.iter().any(|wrong| wrong == code);
        confidence == Confidence::Certain && (misleads || !self.accepts(code))
    }

    fn is_right(&self, code: &str, confidence: Confidence) -> bool {
        let is_allowed = confidence == Confidence::Possible
            || !self.at_most_possible.iter().any(|allowed| allowed == code);
        self.accepts(code) && is_allowed && !self.is_harmful(code, confidence)
    }
}

fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pull-errors.jsonl");
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn first(message: &str) -> (&'static str, Confidence) {
    let meanings = words::read(message);
    (meanings[0].code.as_str(), meanings[0].confidence)
}

#[test]
#[expect(clippy::print_stdout, reason = "what is wrong is read in the output of a failed test")]
fn real_messages_are_read_rightly_and_none_misleads() {
    let rows = rows();
    let (mut total, mut right, mut harmful, mut decidable, mut decided) = (0, 0, 0, 0, 0);
    for row in &rows {
        let (code, confidence) = first(&row.message);
        let is_right = row.is_right(code, confidence);
        let is_harmful = row.is_harmful(code, confidence);
        let is_decided = is_right && confidence != Confidence::Possible;
        if !is_right || row.decidable && !is_decided {
            let mark = if row.benchmark { "counted" } else { "example" };
            println!(
                "{mark} {}: {code} {confidence:?}, right is {:?}\n    {}",
                row.id, row.accept, row.message
            );
        }
        harmful += u32::from(is_harmful);
        if row.benchmark {
            total += 1;
            right += u32::from(is_right);
            decidable += u32::from(row.decidable);
            decided += u32::from(row.decidable && is_decided);
        }
    }
    println!("{right} of {total} right, {harmful} harmful, {decided} of {decidable} decided");
    assert!(right * 100 >= total * 97, "{right} of {total} are read rightly");
    assert_eq!(harmful, 0);
    assert!(decided * 100 >= decidable * 85, "{decided} of {decidable} are decided");
}

#[test]
fn a_message_that_is_cut_off_never_misleads() {
    for row in rows() {
        let ends = row.message.char_indices().map(|(place, _)| place).step_by(20);
        for part in ends.flat_map(|end| [&row.message[..end], &row.message[end..]]) {
            let (code, confidence) = first(part);
            assert!(
                !row.is_harmful(code, confidence),
                "{}: {code} is said to be certain of {part}",
                row.id
            );
        }
    }
}
