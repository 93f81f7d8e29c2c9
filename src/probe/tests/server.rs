//! Servers that do what a test says: HTTP with and without TLS, raw bytes, and a resolver.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
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
}

impl Response {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
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
        let response = answer(&request);
        if response.status == 0 {
            std::future::pending::<()>().await;
        }
        let bytes = response.bytes(request.method == "HEAD");
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
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

/// What a resolver says of a name.
#[derive(Clone)]
enum Entry {
    Addresses(Vec<IpAddr>),
    Alias(String),
    Fault(ResponseCode),
    Silence,
}

/// A resolver; what it does not know does not exist.
pub(super) struct Zone {
    address: SocketAddr,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

impl Zone {
    pub(super) async fn serve() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let entries: Arc<Mutex<BTreeMap<String, Entry>>> = Arc::default();
        let known = Arc::clone(&entries);
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let message = Message::from_vec(&buffer[..length]).unwrap();
                let reply = reply(message, &known.lock().unwrap());
                if let Some(reply) = reply {
                    socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        Self { address, entries }
    }

    fn set(&self, name: &str, entry: Entry) {
        self.entries.lock().unwrap().insert(name.to_owned(), entry);
    }

    pub(super) fn has(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.set(name, Entry::Addresses(addresses));
    }

    pub(super) fn is_alias(&self, name: &str, of: &str) {
        self.set(name, Entry::Alias(of.to_owned()));
    }

    pub(super) fn is_ill_for(&self, name: &str) {
        self.set(name, Entry::Fault(ResponseCode::ServFail));
    }

    pub(super) fn is_silent_for(&self, name: &str) {
        self.set(name, Entry::Silence);
    }

    pub(super) fn config(&self) -> ResolverConfig {
        let mut connection = ConnectionConfig::udp();
        connection.port = self.address.port();
        let server = NameServerConfig::new(self.address.ip(), true, vec![connection]);
        ResolverConfig::from_parts(None, vec!["never.search".parse().unwrap()], vec![server])
    }

    pub(super) fn options() -> ResolverOpts {
        let mut options = ResolverOpts::default();
        options.ndots = 5;
        options.timeout = Duration::from_secs(5);
        options
    }
}

fn reply(message: Message, known: &BTreeMap<String, Entry>) -> Option<Message> {
    let query = message.queries.first()?.clone();
    let mut name = query.name().to_utf8().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = message.into_response();
    loop {
        let owner = Name::from_ascii(format!("{name}.")).unwrap();
        match known.get(&name) {
            None => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                return Some(reply);
            }
            Some(Entry::Silence) => return None,
            Some(Entry::Fault(code)) => {
                reply.metadata.response_code = *code;
                return Some(reply);
            }
            Some(Entry::Alias(target)) => {
                let target_name = Name::from_utf8(format!("{target}.")).unwrap();
                let data = RData::CNAME(CNAME(target_name));
                reply.add_answer(Record::from_rdata(owner, 60, data));
                name.clone_from(target);
            }
            Some(Entry::Addresses(addresses)) => {
                for address in addresses {
                    match (address, query.query_type()) {
                        (IpAddr::V4(v4), RecordType::A) => reply.add_answer(Record::from_rdata(
                            owner.clone(),
                            60,
                            RData::A((*v4).into()),
                        )),
                        (IpAddr::V6(v6), RecordType::AAAA) => reply.add_answer(Record::from_rdata(
                            owner.clone(),
                            60,
                            RData::AAAA((*v6).into()),
                        )),
                        _ => &mut reply,
                    };
                }
                return Some(reply);
            }
        }
    }
}
