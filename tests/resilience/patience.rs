//! Patience: what the harness itself asks of an API server that it has just killed.

use std::fmt::Display;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// Does it again until it succeeds. That something is there already is success.
pub(crate) async fn done<T, E: Display, F: Future<Output = Result<T, E>>>(
    what: &str,
    attempt: impl Fn() -> F,
) {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(_) => return,
            Err(error) if error.to_string().contains("already exists") => return,
            Err(error) => {
                assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
