//! The log: text or JSON on standard error, a line for an error, and not the same line for ever.
//!
//! What fails for a thousand checks at once is told by some lines of them and by how many were
//! left out. Lines for whoever looks for a fault (`debug` and `trace`) are all written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Event, Level, Metadata, Subscriber, callsite, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged where `RUST_LOG` does not say: the failures of watches are told by whoever
/// watches, and a lasting one once.
const FILTER: &str = "info,kube_runtime::watcher=error";
/// How many lines of one kind are written in each period.
const MOST_LINES: u32 = 60;
/// How long that period is.
const PERIOD: Duration = Duration::from_secs(60);

/// Begins to log.
pub(super) fn init(as_json: bool) -> Limit {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let limit = Limit::default();
    let filter = filter.and(limit.clone());
    // A line that a full disk refuses is lost; to tell of it would take another line.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = if as_json { lines.json().boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    limit
}

/// How many lines of each kind were written; a kind is a place in the program.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit(Arc<Mutex<HashMap<callsite::Identifier, Lines>>>);

#[derive(Debug)]
struct Lines {
    of: &'static Metadata<'static>,
    count: u32,
}

impl Limit {
    fn lines(&self) -> MutexGuard<'_, HashMap<callsite::Identifier, Lines>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says at the end of each period what was left out in it; for ever.
    pub(super) async fn tell(self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.begin_period();
        }
    }

    fn begin_period(&self) {
        let lines = std::mem::take(&mut *self.lines());
        let mut left_out: Vec<(&str, u32, u32)> = lines
            .into_values()
            .filter(|lines| lines.count > MOST_LINES)
            .map(|Lines { of, count }| {
                (of.file().unwrap_or_default(), of.line().unwrap_or_default(), count - MOST_LINES)
            })
            .collect();
        left_out.sort_unstable();
        for (file, line, lines) in left_out {
            warn!(lines, from = %format!("{file}:{line}"), "left out lines of the log, of which many of one kind had been written");
        }
    }
}

impl<S: Subscriber> Filter<S> for Limit {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        let of = event.metadata();
        if *of.level() > Level::INFO {
            return true;
        }
        let mut lines = self.lines();
        let lines = lines.entry(of.callsite()).or_insert(Lines { of, count: 0 });
        lines.count = lines.count.saturating_add(1);
        lines.count <= MOST_LINES
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::{debug, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_kind_of_line_is_written_so_often_and_the_rest_counted() {
        let (written, limit) = (Written::default(), Limit::default());
        let writer = written.clone();
        let lines = fmt::layer().json().with_writer(move || writer.clone());
        let filter = EnvFilter::new("debug").and(limit.clone());
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..MOST_LINES + 7 {
                warn!(number, "of one kind");
                debug!(number, "for whoever looks");
            }
            info!("of another");
            limit.begin_period();
            warn!("of one kind");
            limit.begin_period();
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count = |message: &str| {
            lines.iter().filter(|line| line["fields"]["message"] == message).count()
        };
        assert_eq!(count("of one kind"), 61, "60, and one after the period");
        assert_eq!(count("for whoever looks"), 67);
        assert_eq!(count("of another"), 1);
        let left_out: Vec<_> =
            lines.iter().filter(|line| !line["fields"]["lines"].is_null()).collect();
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert_eq!(left_out[0]["fields"]["lines"], 7);
        assert!(left_out[0]["fields"]["from"].as_str().unwrap().starts_with("src/cli/log.rs:"));
    }
}
