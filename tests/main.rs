//! The integration tests, in one binary.
//!
//! [`architecture`], [`cases`], [`command_line`], [`generated`], [`links`], [`monitoring`], [`release`] and [`words`] need nothing.
//! [`chart`] needs helm, which it installs. [`end_to_end`] needs the test ground: `make test` runs all
//! of it in there, and outside of it each of its tests fails with a sentence that says so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod architecture;
mod cases;
mod chart;
mod command_line;
mod end_to_end;
mod generated;
mod ground;
mod leaks;
mod links;
mod loopback;
mod monitoring;
#[expect(dead_code, reason = "the labs use the rest")]
mod played;
mod release;
mod warned;
mod words;
