//! Properties: how the tests of what reads texts from outside try many of them.
//!
//! Under `cargo test` each property meets the same few hundred inputs every time. `make fuzz`
//! makes new ones from a new seed, for as long as `FUZZ_SECONDS` says. A failure is shrunk to
//! the smallest input that still fails, and belongs into a test of its own.
//!
//! What inputs are made of stands in the tests or, where it is a whole document, in
//! `tests/data/corpus`: a directory for each target. At its end `make fuzz` says how many inputs
//! each target has met, from the file that `FUZZ_REPORT` names.

use std::fmt::Debug;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// How many inputs each property meets under `cargo test`.
const CASES: u32 = 256;

/// Tries a property, which holds where nothing in it panics.
#[track_caller]
pub(crate) fn check<S: Strategy>(inputs: &S, property: impl Fn(S::Value)) {
    let seconds = variable("FUZZ_SECONDS").and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    // Few at once where the clock has to be looked at in between.
    let (seed, cases) = match until {
        Some(_) => (RngSeed::Random, CASES / 16),
        None => (RngSeed::Fixed(1), CASES),
    };
    let mut met: u64 = 0;
    loop {
        let config =
            Config { cases, rng_seed: seed, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(inputs, |input| {
            property(input);
            Ok(())
        });
        met += u64::from(cases);
        if let Err(failure) = result {
            report(met, 1);
            panic!("{failure}");
        }
        if until.is_none_or(|until| Instant::now() >= until) {
            report(met, 0);
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's length, which no user sees")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Adds a line to the report, if one is wanted: the test, its inputs, and how many of them broke
/// something.
fn report(met: u64, crashes: u32) {
    let Some(file) = variable("FUZZ_REPORT") else { return };
    let test = std::thread::current();
    let line = format!("{met:>12} {crashes:>7}  {}\n", test.name().unwrap_or_default());
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// The documents of a target in `tests/data/corpus`, by their names.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {target} is empty");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// A change of a text, at a place in it.
#[derive(Clone, Debug)]
enum Edit<T> {
    /// Something in the place of what stands there.
    Replace(Index, usize, Vec<T>),
    /// What stands there, twice.
    Repeat(Index, usize),
    /// Nothing from there on.
    Cut(Index),
}

impl<T: Clone> Edit<T> {
    fn apply(self, text: &mut Vec<T>) {
        match self {
            Self::Replace(place, length, shard) => {
                let at = place.index(text.len() + 1);
                let end = (at + length).min(text.len());
                text.splice(at..end, shard);
            }
            Self::Repeat(place, length) => {
                let at = place.index(text.len() + 1);
                let end = (at + length).min(text.len());
                let again = text[at..end].to_vec();
                text.splice(at..at, again);
            }
            Self::Cut(place) => text.truncate(place.index(text.len() + 1)),
        }
    }
}

fn edited<T: Clone + Debug + 'static>(
    seeds: Vec<Vec<T>>,
    shards: Vec<Vec<T>>,
) -> impl Strategy<Value = Vec<T>> {
    let edit = prop_oneof![
        4 => (any::<Index>(), 0..4_usize, select(shards))
            .prop_map(|(place, length, shard)| Edit::Replace(place, length, shard)),
        2 => (any::<Index>(), 0..40_usize).prop_map(|(place, length)| Edit::Repeat(place, length)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ];
    (select(seeds), vec(edit, 0..5)).prop_map(|(mut text, edits)| {
        for edit in edits {
            edit.apply(&mut text);
        }
        text
    })
}

/// Texts that are one of `seeds`, with some changes that use `shards`.
pub(crate) fn edited_text(
    seeds: &[&str],
    shards: &[&str],
) -> impl Strategy<Value = String> + use<> {
    let characters = |texts: &[&str]| {
        texts.iter().map(|text| text.chars().collect()).collect::<Vec<Vec<char>>>()
    };
    edited(characters(seeds), characters(shards)).prop_map(String::from_iter)
}

/// The same of bytes, which need not be UTF-8.
pub(crate) fn edited_bytes(
    seeds: Vec<Vec<u8>>,
    shards: &[&[u8]],
) -> impl Strategy<Value = Vec<u8>> + use<> {
    edited(seeds, shards.iter().map(|shard| shard.to_vec()).collect())
}
