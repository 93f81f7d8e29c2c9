//! The server that misbehaves: a port for each behaviour.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::content::{self, digest};
use super::{At, Behaviour, Document, Says, answer};

/// Who signs certificates.
pub(crate) type Issuing<'issuer> = &'issuer Issuer<'static, KeyPair>;

/// How much the kernel keeps of what nobody has read yet, in bytes. So what was written is what
/// was read, but for that.
const BUFFER: u32 = 32 << 10;

/// A server of one behaviour, for as long as the runtime lives.
pub(crate) struct Hostile {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    told: Arc<Told>,
}

/// What came of it.
#[derive(Default)]
struct Told {
    /// How much of the misbehaviour was written, in bytes.
    written: AtomicU64,
    /// The heads of all requests.
    heads: Mutex<Vec<String>>,
    /// Whether anybody asked for HTTP/2.
    is_asked_for_http2: Mutex<bool>,
}

struct Play {
    behaviour: Behaviour,
    host: String,
    told: Arc<Told>,
}

impl Hostile {
    /// Starts one at an address of its own, behind a good certificate.
    pub(crate) fn start(behaviour: Behaviour, address: SocketAddr, issuer: Issuing<'_>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_send_buffer_size(BUFFER).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls(&behaviour, issuer)));
        let name = behaviour.host();
        let host = if address.port() == 443 { name } else { format!("{name}:{}", address.port()) };
        let told: Arc<Told> = Arc::default();
        let play = Arc::new(Play { behaviour, host, told: Arc::clone(&told) });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (play, acceptor) = (Arc::clone(&play), acceptor.clone());
                tokio::spawn(async move { Box::pin(play.meet(stream, acceptor)).await });
            }
        });
        Self { address, told }
    }

    /// How much of the misbehaviour could be written so far, in KiB.
    pub(crate) fn written(&self) -> u64 {
        self.told.written.load(Ordering::Relaxed) >> 10
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.told.heads.lock().unwrap().clone()
    }

    /// Whether anybody asked for HTTP/2.
    pub(crate) fn is_asked_for_http2(&self) -> bool {
        *self.told.is_asked_for_http2.lock().unwrap()
    }
}

fn tls(behaviour: &Behaviour, issuer: Issuing<'_>) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let more = (0..behaviour.more_names).map(|number| format!("name-{number}.lab.test"));
    let names = more.chain([behaviour.host()]).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2999, 1, 1);
    let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    // Without the check that a server makes of its own certificate, which is no better here.
    let certified = CertifiedKey::new(vec![certificate], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

impl Play {
    async fn meet(&self, mut stream: TcpStream, acceptor: TlsAcceptor) {
        if self.behaviour.at == At::Connection {
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await;
            self.misbehave(&mut stream, "").await;
            return;
        }
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            *self.told.is_asked_for_http2.lock().unwrap() = true;
        }
        let mut buffer = Vec::new();
        while let Some(head) = read(&mut stream, &mut buffer).await {
            self.told.heads.lock().unwrap().push(head.clone());
            let Some(good) = self.good(&head) else {
                self.misbehave(&mut stream, &head).await;
                return;
            };
            if stream.write_all(&good).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }

    /// The answer where it is not time yet to misbehave.
    fn good(&self, head: &str) -> Option<Vec<u8>> {
        let path = path(head);
        let is_token = path.starts_with("/token");
        let is_authorized = head.to_ascii_lowercase().contains("authorization: bearer");
        match self.behaviour.at {
            At::Request if matches!(self.behaviour.says, Says::Redirects) => {
                Some(answer(307, &format!("Location: {path}x\r\n"), ""))
            }
            At::Connection | At::Request => None,
            At::Token if is_token => None,
            At::Token if is_authorized => Some(serve(&content::good(), head)),
            At::Token => {
                let realm = format!("https://{}/token", self.host);
                let header =
                    format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"s\"\r\n");
                Some(answer(401, &header, ""))
            }
            At::Content => match &self.behaviour.says {
                Says::Documents(documents) => Some(serve(documents, head)),
                _ => None,
            },
        }
    }

    async fn misbehave(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), head: &str) {
        match &self.behaviour.says {
            // The answer to a HEAD ends with its head: what comes after it would be the beginning
            // of the next answer or not, as it happens.
            Says::Once(first) | Says::Endless(first, _) | Says::Slowly(first, _)
                if head.starts_with("HEAD ") && end_of_head(first).is_some() =>
            {
                let end = end_of_head(first).unwrap_or_default().saturating_sub(2);
                let last = b"Connection: close\r\n\r\n";
                self.write(stream, &self.filled(&[&first[..end], last].concat())).await;
                let _ = stream.shutdown().await;
            }
            Says::Once(bytes) => {
                self.write(stream, &self.filled(bytes)).await;
                let _ = stream.shutdown().await;
            }
            Says::Endless(first, again) => {
                let mut listens = self.write(stream, first).await;
                while listens {
                    listens = self.write(stream, again).await;
                }
            }
            Says::Slowly(first, rest) => {
                self.write(stream, first).await;
                for byte in rest {
                    if !self.write(stream, &[*byte]).await {
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                // Until whoever listens goes away.
                while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
            }
            Says::Documents(_) | Says::Redirects => {}
            Says::LookedUpAgain => {
                let realm = format!("https://{}/token", self.host);
                let header =
                    format!("WWW-Authenticate: Bearer realm=\"{realm}\"\r\nConnection: close\r\n");
                self.write(stream, &answer(401, &header, "")).await;
            }
        }
    }

    /// Bytes with the host where they name it.
    fn filled(&self, bytes: &[u8]) -> Vec<u8> {
        let mark = b"{host}";
        match bytes.windows(mark.len()).position(|window| window == mark) {
            Some(at) => [&bytes[..at], self.host.as_bytes(), &bytes[at + mark.len()..]].concat(),
            None => bytes.to_vec(),
        }
    }

    /// Whether anybody still listens.
    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
        let is_written = stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok();
        if is_written {
            self.told.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        is_written
    }
}

/// The target of a request.
fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// One of these documents, whole.
fn serve(documents: &[Document], head: &str) -> Vec<u8> {
    let Some(document) = documents.iter().find(|document| path(head).ends_with(&document.path))
    else {
        return answer(404, "", "");
    };
    let digest = digest(&document.body);
    let headers = if document.path.starts_with("sha512:") || path(head).contains("/blobs/") {
        document.headers.clone()
    } else {
        format!("{}Docker-Content-Digest: {digest}\r\n", document.headers)
    };
    let mut whole = answer(200, &headers, &document.body);
    if head.starts_with("HEAD ") {
        whole.truncate(whole.len() - document.body.len());
    }
    whole
}

/// Where a head ends that is whole.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4)
}

/// The head of the next request; `None` where there is none. Its body is passed over.
async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = end_of_head(buffer) {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let length = lines
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .find_map(|(_, value)| value.parse::<usize>().ok())
                .unwrap_or_default();
            if buffer.len() >= end + length {
                buffer.drain(..end + length);
                return Some(head);
            }
        }
        let mut chunk = [0; 1 << 10];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => buffer.extend_from_slice(&chunk[..length]),
        }
    }
}
