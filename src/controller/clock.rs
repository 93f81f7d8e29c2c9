//! The one place where the time of day and chance are read.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the controllers own the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The time from one moment to another; none where `to` is the earlier one.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A number in `[0, 1)`, for jitter; not for secrets.
pub(crate) fn chance() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// A name for this start of the process.
pub(crate) fn start_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(now().as_nanosecond()))
}
