//! The page of benchmarks: the figures of the last `make bench` that was written down, beside what
//! was said of them.

use std::fmt::Write as _;

use serde_json::Value;

const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.json");
const BEFORE: &str = include_str!("benchmarks/before.md");
const AFTER: &str = include_str!("benchmarks/after.md");

/// The last run that was written down.
pub(super) fn run() -> Value {
    let run = std::fs::read(FIGURES).expect("`make bench` writes it");
    serde_json::from_slice(&run).unwrap()
}

/// What was seen of ours, the first row where there are several references.
pub(super) fn ours(run: &Value, part: &str, what: &str) -> f64 {
    let mut figures = run["figures"].as_array().unwrap().iter();
    let figure =
        figures.find(|figure| text(&figure["part"]).starts_with(part) && figure["what"] == what);
    figure.unwrap_or_else(|| panic!("{part}: {what}"))["ours"].as_f64().unwrap()
}

pub(super) fn page() -> String {
    let run = run();
    let machine = &run["machine"];
    let figures = run["figures"].as_array().unwrap();
    let missed = figures.iter().filter(|figure| figure["met"] == false).count();
    let with_target = figures.iter().filter(|figure| !figure["met"].is_null()).count();
    let mut page = format!(
        "{BEFORE}\nThese are of `{}` on {} processors ({}), {} GiB of memory, Linux {}: {with_target} figures have a target, and {missed} miss it.\n",
        text(&run["command"]),
        machine["processors"],
        text(&machine["model"]),
        machine["memoryGiB"],
        text(&machine["kernel"]),
    );
    let mut parts: Vec<(&str, String)> = Vec::new();
    for figure in figures {
        let part = text(&figure["part"]);
        let place = parts.iter().position(|(known, _)| *known == part).unwrap_or(parts.len());
        if place == parts.len() {
            parts.push((part, String::new()));
        }
        writeln!(parts[place].1, "{}", row(figure)).unwrap();
    }
    for (part, rows) in parts {
        let head =
            "| | registrycheck | reference | ratio | target | |\n|---|---:|---:|---:|---:|---|";
        let (first, rest) = part.split_at(1);
        write!(page, "\n## {}{rest}\n\n{head}\n{rows}", first.to_uppercase()).unwrap();
    }
    let processor = ours(&run, "100000 pods, streaming", "processor");
    let after = AFTER
        .replace("{processor}", &format!("{processor:.1}"))
        .replace("{pod_ms}", &format!("{:.2}", processor / 100.0))
        .replace("{pods_a_second}", &format!("{:.0}", 100_000.0 / processor));
    page + "\n" + &after
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is compared is said as a ratio; a time says nothing of another machine.
fn row(figure: &Value) -> String {
    let unit = text(&figure["unit"]);
    let (reference, has_reference) = (&figure["reference"], !figure["reference"].is_null());
    let is_time = ["s", "ms"].contains(&unit);
    let amount = |value: &Value| match (is_time && has_reference, value.as_f64()) {
        (true, _) => String::new(),
        (false, Some(value)) => format!("{value} {unit}"),
        (false, None) => "never".to_owned(),
    };
    let most = figure["most"]
        .as_f64()
        .map(|most| if has_reference { format!("{most}") } else { format!("{most} {unit}") });
    let met = match figure["met"].as_bool() {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "",
    };
    let (name, value) = (text(&reference["name"]), amount(&reference["value"]));
    let reference = if has_reference { format!("{name} {value}") } else { String::new() };
    let ratio = figure["ratio"].as_f64().map(|ratio| match ratio {
        0.0 => "< 0.01".to_owned(),
        ratio => format!("{ratio:.2}"),
    });
    format!(
        "| {} | {} | {} | {} | {} | {met} |",
        text(&figure["what"]),
        amount(&figure["ours"]),
        reference.trim(),
        ratio.unwrap_or_default(),
        most.unwrap_or_default(),
    )
}
