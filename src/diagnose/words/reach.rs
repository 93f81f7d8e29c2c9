//! Reach: how far a pull got, as its error's text shows it.

/// How far a pull got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The text does not say.
    Unknown,
    /// Nothing was asked of a registry.
    Local,
    /// The registry was asked, and gave no answer.
    Reference,
    /// A login was wanted.
    Token,
    /// The registry knew who asked.
    Manifest,
    /// The manifest was served.
    Blob,
    /// The layers were there.
    Extract,
}
