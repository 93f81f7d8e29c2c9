//! What a server speaks that does not speak TLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;

use crate::evidence::Failure;

use super::connection::host_of;
use super::dial::USER_AGENT;
use super::protocol::clean;

/// How long a server that does not speak TLS has to say what it speaks.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at what it says: one plain request without any credential to the address that was judged
/// and tried before. `detail` is what the TLS library said.
pub(super) async fn spoken(
    url: &Url,
    address: Option<IpAddr>,
    left: Duration,
    detail: String,
) -> Failure {
    let Some(address) = address else { return Failure::Handshake { detail } };
    let address = SocketAddr::new(address, url.port_or_known_default().unwrap_or(443));
    let left = left.min(PATIENCE);
    let host = host_of(url);
    let request = format!(
        "HEAD /v2/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n"
    );
    match tokio::time::timeout(left, first_words(address, request.as_bytes())).await {
        Ok(Ok(words)) if words.starts_with("HTTP/1") => Failure::PlainHttp,
        // It answers with a record of TLS, mostly an alert: so it does speak it (RFC 8446, 5.1).
        Ok(Ok(words)) if words.starts_with(['\u{15}', '\u{16}']) => Failure::Handshake { detail },
        Ok(Ok(words)) if !words.is_empty() => {
            let line = words.lines().next().unwrap_or_default();
            Failure::NotHttp { detail: clean(&format!("it says {line:?}")) }
        }
        Ok(Ok(_) | Err(_)) | Err(_) => Failure::Handshake { detail },
    }
}

/// What a server says first when it is sent `request`.
async fn first_words(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    stream.writable().await?;
    stream.try_write(request)?;
    let mut words = [0; 256];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut words) {
            Ok(length) => return Ok(String::from_utf8_lossy(&words[..length]).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
