//! A value that must never be shown.
//!
//! [`Secret`] has no `Display`, no `Serialize` and a `Debug` that prints nothing of
//! it, so that a password in a status, an Event, a log line or an evidence file does
//! not compile or shows as `****`. Only the code that sends it looks inside, with
//! [`Secret::expose`].

use std::fmt;

/// A password, a token or any other value that must never be shown.
///
/// It cannot be serialized, so it cannot be part of the evidence:
///
/// ```compile_fail
/// let secret = registrycheck::secret::Secret::new("hunter2".to_owned());
/// serde_json::to_string(&secret).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one request that has to carry it.
    pub fn expose(&self) -> &str {
        &self.0
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
        let shown = format!("{:?}", Some(Secret::new("hunter2".to_owned())));
        assert_eq!(shown, "Some(****)");
    }
}
