//! registrycheck explains, by itself, why a pod cannot pull its image, and what to do
//! about it.
//!
//! # Architecture
//!
//! One straight line, and every module on it sees only what the one before it made:
//!
//! ```text
//!  failing Pods ─┐             cluster reads      network            pure              pure           cluster writes
//!                ├─► Target ──► resolve ──► Access ──► probe ──► Evidence ──► diagnose ──► Diagnosis ──► report ──► Report ──► publish
//!  RegistryCheck ┘
//! ```
//!
//! The modules are listed in reading order. A module uses those before it and never those
//! after it; `tests/architecture.rs` enforces that, and that the pure ones stay pure: no
//! clock, no chance, no environment, no async, no client.
//!
//! The world's failures are data, ours are errors. Whatever is wrong with an image, a
//! secret, a network or a registry is part of the [`evidence`]; an API server that does not
//! answer is an error, tried again and counted.

pub mod api;
pub mod secret;
pub mod image;
pub mod complaint;
pub mod target;
pub mod access;
pub mod evidence;
pub mod resolve;
pub mod probe;
pub mod workstation;
pub mod diagnose;
pub mod record;
pub mod node;
pub mod report;
pub mod publish;
pub mod server;
pub mod controller;
pub mod admission;
pub mod install;
pub mod cli;

#[cfg(test)]
mod properties;
