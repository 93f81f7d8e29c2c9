//! The wire between a controller and the API server: it passes everything on, writes down what
//! was written, and does on command what networks and busy API servers do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How long an answer or a watch that nobody is to hear is held before its connection ends.
const HELD: Duration = Duration::from_secs(20);

/// What happens to what goes along the wire. Several go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    /// Nothing gets through, and nobody says so.
    Cut,
    /// Every watch ends after at most a second.
    WatchesEnd,
    /// Every watch is told that its version is too old.
    Gone,
    /// Every other request is answered with a status and not passed on.
    Refused(u16),
    /// Every other write is answered with a conflict and not passed on.
    Conflict,
    /// Every status that is written is refused, after its Events were made.
    StatusesRefused,
    /// Every third answer is lost, after the request was passed on.
    AnswersLost,
    /// Every request takes longer.
    Slow,
}

/// What a controller wrote, or tried to.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// When it was sent.
    pub(crate) at: Instant,
    /// The method.
    pub(crate) method: String,
    /// The path.
    pub(crate) path: String,
    /// What was sent.
    pub(crate) body: Value,
    /// What was answered, as far as the API server answered anything.
    pub(crate) answer: Option<(u16, Value)>,
}

/// The wire of one controller.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Shared>);

struct Shared {
    server: String,
    client: reqwest::Client,
    troubles: Mutex<HashMap<Trouble, Instant>>,
    writes: Mutex<Vec<Write>>,
    count: Mutex<u64>,
}

impl Wire {
    /// A wire to `server`; where it begins, as a URL.
    pub(crate) async fn lay(server: &str) -> (Self, String) {
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .pool_idle_timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let wire = Self(Arc::new(Shared {
            server: server.to_owned(),
            client,
            troubles: Mutex::default(),
            writes: Mutex::default(),
            count: Mutex::default(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(pass).with_state(wire.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (wire, format!("http://{address}"))
    }

    /// A trouble begins, for so long.
    pub(crate) fn trouble(&self, trouble: Trouble, lasts: Duration) {
        self.troubles().insert(trouble, Instant::now() + lasts);
    }

    /// All troubles end.
    pub(crate) fn mend(&self) {
        self.troubles().clear();
    }

    /// What was written since the wire was laid.
    pub(crate) fn writes(&self) -> MutexGuard<'_, Vec<Write>> {
        self.0.writes.lock().unwrap()
    }

    fn troubles(&self) -> MutexGuard<'_, HashMap<Trouble, Instant>> {
        self.0.troubles.lock().unwrap()
    }

    fn has(&self, trouble: Trouble) -> bool {
        self.troubles().get(&trouble).is_some_and(|until| Instant::now() < *until)
    }

    /// A number that goes up with each request.
    fn count(&self) -> u64 {
        let mut count = self.0.count.lock().unwrap();
        *count += 1;
        *count
    }

    async fn held(&self) -> Response {
        let begun = Instant::now();
        while self.has(Trouble::Cut) && begun.elapsed() < HELD {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        broken()
    }
}

/// An answer whose body ends before its time, so that whoever waits sees the connection end.
fn broken() -> Response {
    let end = stream::iter([Err::<Bytes, _>(std::io::Error::other("the wire is cut"))]);
    Response::builder().header(header::CONTENT_LENGTH, "100").body(Body::from_stream(end)).unwrap()
}

fn refusal(code: u16, reason: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("the wire says {reason}"), "reason": reason, "code": code,
    });
    let status = StatusCode::from_u16(code).unwrap();
    let mut answer = (status, body.to_string()).into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    if code == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, "1".parse().unwrap());
    }
    answer
}

async fn pass(State(wire): State<Wire>, request: Request) -> Response {
    let (at, number) = (Instant::now(), wire.count());
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let is_watch = target.contains("watch=true") || target.contains("watch=1");
    let is_write = parts.method != Method::GET;
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap_or_default();
    if wire.has(Trouble::Slow) {
        tokio::time::sleep(Duration::from_millis(100 + 50 * (number % 7))).await;
    }
    if wire.has(Trouble::Cut) {
        return wire.held().await;
    }
    let refused = [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")];
    for (code, reason) in refused {
        if wire.has(Trouble::Refused(code)) && number % 2 == 0 {
            return refusal(code, reason);
        }
    }
    if parts.uri.path().ends_with("/status") && wire.has(Trouble::StatusesRefused) {
        return refusal(500, "InternalError");
    }
    if is_watch && wire.has(Trouble::Gone) {
        return refusal(410, "Expired");
    }
    let is_lost = wire.has(Trouble::AnswersLost) && number % 3 == 0;
    let path = parts.uri.path().to_owned();
    let mut write = Write {
        at,
        method: parts.method.to_string(),
        path,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        answer: None,
    };
    if is_write && wire.has(Trouble::Conflict) && number % 2 == 0 {
        write.answer = Some((409, Value::Null));
        wire.writes().push(write);
        return refusal(409, "Conflict");
    }
    let url = format!("{}{target}", wire.0.server);
    let sent = wire.0.client.request(parts.method, url).headers(ours(parts.headers)).body(body);
    let Ok(answer) = sent.send().await else {
        if is_write {
            wire.writes().push(write);
        }
        return broken();
    };
    let (status, headers) = (answer.status(), ours(answer.headers().clone()));
    let body = if is_watch {
        watched(wire.clone(), answer)
    } else {
        let Ok(bytes) = answer.bytes().await else { return broken() };
        if is_write {
            write.answer =
                Some((status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default()));
            wire.writes().push(write);
        }
        Body::from(bytes)
    };
    if is_lost {
        return broken();
    }
    if wire.has(Trouble::Cut) {
        return wire.held().await;
    }
    let mut passed = Response::new(body);
    *passed.status_mut() = status;
    *passed.headers_mut() = headers;
    passed
}

/// The body of a watch, for as long as the wire lets it.
fn watched(wire: Wire, answer: reqwest::Response) -> Body {
    let begun = Instant::now();
    Body::from_stream(stream::unfold(Some(answer), move |answer| {
        let wire = wire.clone();
        async move {
            let mut answer = answer?;
            loop {
                let chunk = tokio::time::timeout(Duration::from_millis(100), answer.chunk()).await;
                if wire.has(Trouble::Cut) {
                    wire.held().await;
                    return Some((Err(std::io::Error::other("the wire is cut")), None));
                }
                if wire.has(Trouble::WatchesEnd) && begun.elapsed() > Duration::from_secs(1) {
                    return None;
                }
                match chunk {
                    Err(_nothing_yet) => {}
                    Ok(Ok(Some(chunk))) => return Some((Ok(chunk), Some(answer))),
                    Ok(Ok(None)) => return None,
                    Ok(Err(error)) => return Some((Err(std::io::Error::other(error)), None)),
                }
            }
        }
    }))
}

/// Headers without those that are about one connection.
fn ours(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION]
    {
        headers.remove(name);
    }
    headers
}
