//! The figures of one run, with the machine that they are of, as one document.

use std::fs;

use serde_json::{Value, json};

/// Reads lines of JSON, and writes the document.
pub(crate) fn collect(lines: &str, document: &str) {
    let lines = fs::read_to_string(lines).unwrap();
    let figures: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let missed = figures.iter().filter(|figure| figure["met"] == false).count();
    println!("{} figures, of which {missed} miss their target", figures.len());
    let all = json!({"command": "make bench", "machine": machine(), "figures": figures});
    fs::write(document, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
}

/// What it ran on, as the system says it.
fn machine() -> Value {
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        value.unwrap_or_default().to_owned()
    };
    let memory = of("/proc/meminfo", "MemTotal");
    let kibibytes: u64 = memory.split(' ').next().unwrap().parse().unwrap();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    json!({
        "processors": std::thread::available_parallelism().unwrap().get(),
        "model": of("/proc/cpuinfo", "model name"),
        "memoryGiB": kibibytes >> 20,
        "kernel": kernel.trim().split('-').next(),
    })
}
