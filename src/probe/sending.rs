//! Sending: a question goes over the wire, again where its connection was closed before it came.

use std::net::SocketAddr;
use std::time::Instant;

use reqwest::header::HeaderMap;
use tokio::time::error::Elapsed;
use url::Url;

use crate::evidence::Failure;

use super::exchange::{ANSWER_MAX, Line, Question};
use super::failure::{self, Cause};
use super::trace::{Marks, Trace};

/// How often a question is sent at most, over connections that turn out to be closed.
const SENT_MAX: usize = 4;

/// One sending of a question.
pub(super) struct Sent {
    pub(super) outcome: Result<Result<Received, reqwest::Error>, Elapsed>,
    pub(super) marks: Marks,
    pub(super) began: Instant,
}

impl Sent {
    /// Whether it went over a connection from an earlier question that the server had closed
    /// meanwhile. Go sends it again then, if it can be (net/http, `shouldRetryRequest`).
    fn is_stale(&self, question: &Question<'_>) -> bool {
        let Ok(Err(error)) = &self.outcome else { return false };
        self.marks.dialled.is_none()
            && question.method.is_safe()
            && matches!(
                failure::cause(error, question.step, &self.marks),
                Cause::Failure(Failure::Reset { .. })
            )
    }
}

impl Line<'_> {
    /// Sends it; `is_trusted` where what is dialled is of the operator's choice.
    pub(super) async fn send(
        &self,
        question: &Question<'_>,
        url: &Url,
        same_host: bool,
        is_trusted: bool,
    ) -> Sent {
        let mut sent = self.send_once(question, url, same_host, is_trusted).await;
        for _ in 1..SENT_MAX {
            if !sent.is_stale(question) {
                break;
            }
            sent = self.send_once(question, url, same_host, is_trusted).await;
        }
        sent
    }

    async fn send_once(
        &self,
        question: &Question<'_>,
        url: &Url,
        same_host: bool,
        is_trusted: bool,
    ) -> Sent {
        let request = self.request(question, url, same_host);
        let began = Instant::now();
        let trace = Trace::new(is_trusted);
        let left = self.timeout.saturating_sub(self.started.elapsed());
        let receiving = trace.watch(receive(request, question.limit));
        let outcome = tokio::time::timeout(left, receiving).await;
        let status = outcome.as_ref().ok().and_then(|answer| Some(answer.as_ref().ok()?.status));
        self.tally.count(self.counted_as, status);
        Sent { outcome, marks: trace.read(), began }
    }
}

/// An answer, as far as it was read.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) address: Option<SocketAddr>,
    pub(super) body: Vec<u8>,
}

/// Reads an answer, and of its body at most so much; what is more is left, and the connection
/// with it.
async fn receive(
    request: reqwest::RequestBuilder,
    limit: usize,
) -> Result<Received, reqwest::Error> {
    let mut response = request.send().await?;
    let mut received = Received {
        status: response.status().as_u16(),
        address: response.remote_addr(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
    };
    let is_success = (200..300).contains(&received.status);
    let limit = if is_success { limit } else { ANSWER_MAX };
    while let Some(chunk) = response.chunk().await? {
        let room = limit - received.body.len();
        received.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(received)
}
