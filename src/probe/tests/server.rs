//! Servers that do what a test says: HTTP with and without TLS, and raw bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

/// Who signs certificates.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.pem.clone().into_bytes()
    }

    /// Who signs, for servers that make their certificates themselves.
    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    pub(super) fn issue(&self, name: &str) -> Identity {
        self.issue_between(name, 2020, 2999)
    }

    pub(super) fn issue_between(&self, name: &str, from: i32, until: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { certificate, key }
    }
}

/// A certificate that is its own authority, as home-made registries have them.
pub(super) fn home_made(name: &str) -> (Identity, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let pem = certificate.pem().into_bytes();
    (Identity { certificate: certificate.der().clone(), key }, pem)
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    is_image: bool,
    is_last: bool,
}

impl Response {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), is_image: false, is_last: false }
    }

    /// Whatever of the image is asked for.
    pub(super) fn image() -> Self {
        Self { is_image: true, ..Self::new(200) }
    }

    /// The last of its connection: whatever is asked next there gets none.
    pub(super) fn last(self) -> Self {
        Self { is_last: true, ..self }
    }

    /// No answer at all; the connection stays open.
    pub(super) fn silence() -> Self {
        Self::new(0)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    fn bytes(&self, is_head: bool) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut text =
            format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text.push_str("\r\n");
        if !is_head {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

type Answers = dyn Fn(&Request) -> Response + Send + Sync;

/// A server on a port of its own, for as long as the test's runtime lives.
pub(super) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All that was asked so far.
    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and target of all that was asked.
    pub(super) fn asked(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }

    /// Over TLS.
    pub(super) async fn tls(
        identity: Identity,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let answer: Arc<Answers> = Arc::new(answer);
        Self::each(move |stream, seen| {
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    talk(stream, &*answer, &seen).await;
                }
            }
        })
        .await
    }

    /// Over plain HTTP.
    pub(super) async fn plain(
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let answer: Arc<Answers> = Arc::new(answer);
        Self::each(move |stream, seen| {
            let answer = Arc::clone(&answer);
            async move { talk(stream, &*answer, &seen).await }
        })
        .await
    }

    /// Reads something, says `words` and closes.
    pub(super) async fn rude(words: &'static [u8]) -> Self {
        Self::each(move |mut stream, _| async move {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(words).await;
        })
        .await
    }

    /// Takes connections and says nothing.
    pub(super) async fn silent() -> Self {
        Self::each(|stream, _| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await
    }

    async fn each<F, T>(serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<Request>>>) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&all)));
            }
        });
        Self { address, seen }
    }
}

/// Answers requests on one connection until it ends.
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answers,
    seen: &Mutex<Vec<Request>>,
) {
    let mut buffer = Vec::new();
    loop {
        let request = loop {
            // A ClientHello: what Go's server says to it.
            if buffer.first() == Some(&0x16) {
                let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
                return;
            }
            if let Some(request) = take_request(&mut buffer) {
                break request;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(length) => buffer.extend_from_slice(&chunk[..length]),
            }
        };
        seen.lock().unwrap().push(request.clone());
        let mut response = answer(&request);
        let is_last = response.is_last;
        if response.is_image {
            response = super::image::serve(&request);
        }
        if response.status == 0 {
            std::future::pending::<()>().await;
        }
        let bytes = response.bytes(request.method == "HEAD");
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if is_last {
            let _ = stream.read(&mut [0]).await;
            return;
        }
    }
}

fn take_request(buffer: &mut Vec<u8>) -> Option<Request> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    if buffer.len() < end + length {
        return None;
    }
    let body = String::from_utf8_lossy(&buffer[end..end + length]).into_owned();
    buffer.drain(..end + length);
    Some(Request { method, target, headers, body })
}
