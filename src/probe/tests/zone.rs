//! A resolver that says what a test has told it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What a resolver says of a name.
#[derive(Clone)]
enum Entry {
    Addresses(Vec<IpAddr>),
    /// The first, when it is asked for the first time, and then the second.
    Changing(IpAddr, IpAddr),
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
                let reply = reply(message, &mut known.lock().unwrap());
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

    /// Leads to one address at the first look-up, and to another at each later one.
    pub(super) fn changes(&self, name: &str, first: &str, then: &str) {
        self.set(name, Entry::Changing(first.parse().unwrap(), then.parse().unwrap()));
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

fn reply(message: Message, known: &mut BTreeMap<String, Entry>) -> Option<Message> {
    let query = message.queries.first()?.clone();
    let mut name = query.name().to_utf8().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = message.into_response();
    loop {
        let owner = Name::from_ascii(format!("{name}.")).unwrap();
        match known.get(&name).cloned() {
            None => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                return Some(reply);
            }
            Some(Entry::Silence) => return None,
            Some(Entry::Fault(code)) => {
                reply.metadata.response_code = code;
                return Some(reply);
            }
            Some(Entry::Changing(first, then)) => {
                add(&mut reply, &owner, &[first], query.query_type());
                if query.query_type() == RecordType::A {
                    known.insert(name, Entry::Addresses(vec![then]));
                }
                return Some(reply);
            }
            Some(Entry::Alias(target)) => {
                let target_name = Name::from_utf8(format!("{target}.")).unwrap();
                let data = RData::CNAME(CNAME(target_name));
                reply.add_answer(Record::from_rdata(owner, 60, data));
                if query.query_type() == RecordType::CNAME {
                    return Some(reply);
                }
                name = target;
            }
            Some(Entry::Addresses(addresses)) => {
                add(&mut reply, &owner, &addresses, query.query_type());
                return Some(reply);
            }
        }
    }
}

/// Adds the addresses of the kind that is asked for.
fn add(reply: &mut Message, owner: &Name, addresses: &[IpAddr], kind: RecordType) {
    for address in addresses {
        let data = match (address, kind) {
            (IpAddr::V4(v4), RecordType::A) => RData::A((*v4).into()),
            (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA((*v6).into()),
            _ => continue,
        };
        reply.add_answer(Record::from_rdata(owner.clone(), 60, data));
    }
}
