//! An identity's token: of the node's metadata service, or of Entra ID itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use url::Url;

use crate::access::azure::Selector;
use crate::evidence::{End, NotSent, Role, StepName};
use crate::probe::address::METADATA_SERVICE;
use crate::probe::connection::{host_of, literal};
use crate::probe::exchange::{Asked, Body, Line, Question};
use crate::probe::protocol::azure::{self, Naming};
use crate::probe::protocol::{self, Grant};
use crate::probe::token::{self, BODY_MAX};
use crate::probe::words::in_words;
use crate::secret::Secret;

use super::way::Way;

/// How often the metadata service is asked again.
const REPEATS_MAX: u32 = 3;
/// The longest first pause before that; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

impl Way<'_> {
    /// Asks the metadata service. A stumble is asked again where the credential provider is
    /// meant; canipull takes the first answer.
    pub(super) async fn metadata_token(
        &mut self,
        selector: &Selector,
        naming: Naming,
        resource: &str,
    ) -> Result<Secret, End> {
        let began = Instant::now();
        let base = &self.login.cloud.metadata;
        let url = azure::metadata_url(base, selector, naming, resource);
        let Some(url) = url.filter(|url| may_be_asked(url, self.lines.allow_loopback)) else {
            // There is no way from here to any other service of that kind.
            let (host, reason) = (protocol::clean(base), NotSent::NotAzure);
            return Err(End::NotSent { host, reason });
        };
        let line = &self.lines.metadata;
        let mut connection = Vec::new();
        let mut n_asked = 0;
        let result = loop {
            let asked = line.ask(question(&url, Role::Metadata, Body::Metadata)).await;
            n_asked += 1;
            connection.extend(asked.connection);
            let pause = match (&asked.result, naming) {
                (Ok(reply), Naming::Fitting) => {
                    let answer = protocol::answer(reply.status, &reply.headers, &[], &[]);
                    pause(reply.status, answer.retry_after, n_asked, line)
                }
                (Ok(_) | Err(_), Naming::Fitting | Naming::AsClientId) => None,
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break asked.result,
            }
        };
        let took = began.elapsed();
        self.conclude(&url, Asked { connection, took, result }, n_asked)
    }

    /// Asks Entra ID for the token of a tenant.
    pub(super) async fn entra_token(
        &mut self,
        tenant: &str,
        path: &str,
        query: Option<&str>,
        form: String,
    ) -> Result<Secret, End> {
        let authority = &self.login.cloud.authority;
        let Some(mut url) = azure::entra_url(authority, tenant, path) else {
            let realm = protocol::clean(authority);
            let (host, reason) = (realm.clone(), NotSent::InsecureRealm { realm });
            return Err(End::NotSent { host, reason });
        };
        url.set_query(query);
        let asked = self.lines.entra.ask(question(&url, Role::Entra, Body::Form(form))).await;
        self.conclude(&url, asked, 1)
    }

    #[expect(clippy::result_large_err, reason = "one for each token")]
    fn conclude(&mut self, url: &Url, asked: Asked, n_asked: u32) -> Result<Secret, End> {
        let Asked { connection, took, result } = asked;
        let read = |body: &[u8]| protocol::token(body, Grant::Password);
        let step = StepName::Identity;
        let token = token::given(result, step, read, azure::refusal, &self.secrets);
        let mut said = token.as_ref().map_or_else(in_words, |_| "200".to_owned());
        if n_asked > 1 {
            said = format!("{said}, asked {n_asked} times");
        }
        self.note(step, Some(host_of(url)), connection, took, (said, token.is_ok()));
        self.secrets.extend(token.iter().cloned());
        self.token = token.as_ref().ok().cloned();
        token
    }
}

fn question(url: &Url, role: Role, body: Body) -> Question<'_> {
    let method = if matches!(body, Body::Form(_)) { Method::POST } else { Method::GET };
    let step = StepName::Identity;
    Question { step, role, method, url, authorization: None, body, limit: BODY_MAX }
}

/// Whether a URL is that of the metadata service: the one address that it has, or this machine
/// where that may be asked.
fn may_be_asked(url: &Url, allow_loopback: bool) -> bool {
    let is_here = |address: IpAddr| address.is_loopback() && allow_loopback;
    url.scheme() == "http"
        && literal(url).is_some_and(|address| address == METADATA_SERVICE || is_here(address))
}

/// How long to wait before the metadata service is asked again; `None` where it is not.
///
/// The credential provider asks again after these alone (cloud-provider-azure 7b31c76,
/// pkg/azclient/policy/retryrepectthrottled, `GetRetriableStatusCode`, and its error for a 429).
/// Microsoft Entra wants a 404 and a 410 repeated too ("Retry guidance"), and it does not: then
/// the kubelet has nothing.
fn pause(status: u16, retry_after: Option<u64>, n_asked: u32, line: &Line<'_>) -> Option<Duration> {
    let is_stumble = matches!(status, 408 | 429 | 500 | 502..=504);
    let doubled = PAUSE.min(line.timeout / 16) * 2_u32.pow(n_asked - 1);
    let pause = doubled.max(Duration::from_secs(retry_after.unwrap_or_default()));
    let until = line.started.elapsed().checked_add(pause);
    let fits = until.is_some_and(|until| until < line.timeout);
    (is_stumble && n_asked <= REPEATS_MAX && fits).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_metadata_service_is_one() {
        for (url, on_node, in_tests) in [
            ("http://169.254.169.254/metadata", true, true),
            ("http://169.254.169.254:8080/metadata", true, true),
            ("http://127.0.0.1:8080/metadata", false, true),
            ("https://169.254.169.254/metadata", false, false),
            ("http://169.254.169.253/metadata", false, false),
            ("http://168.63.129.16/metadata", false, false),
            ("http://[::ffff:169.254.169.254]/metadata", false, false),
            ("http://169.254.169.254.example.com/metadata", false, false),
            ("http://metadata/metadata", false, false),
            ("http://10.0.0.1/metadata", false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(may_be_asked(&parsed, false), on_node, "{url}");
            assert_eq!(may_be_asked(&parsed, true), in_tests, "{url}");
        }
    }
}
