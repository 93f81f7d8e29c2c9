//! A value that must never be shown.
//!
//! [`Secret`] has no `Display`, no `Serialize` and a `Debug` that prints nothing of
//! it, so that a password in a status, an Event, a log line or an evidence file does
//! not compile or shows as `****`. Only the code that sends it looks inside, with
//! [`Secret::expose`]. Whoever has to compare two gets their [`Secret::sha256`].

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A password, a token or any other value that must never be shown. It is bytes, for a pull
/// secret's `auth` may decode to any.
///
/// It cannot be serialized, so it cannot be part of the evidence:
///
/// ```compile_fail
/// let secret = registrycheck::secret::Secret::new("hunter2");
/// serde_json::to_string(&secret).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one request that has to carry it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The SHA-256 of the value, in hexadecimal digits. It tells whether two values are the
    /// same; a value that can be guessed can be guessed from it too, so it is only for whoever
    /// may read the value anyway.
    pub fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let shown = format!("{:?}", Some(Secret::new("hunter2")));
        assert_eq!(shown, "Some(****)");
    }

    #[test]
    fn the_digest_is_of_the_bytes() {
        let expected = "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89";
        assert_eq!(Secret::new([0xff]).sha256(), expected);
    }
}
