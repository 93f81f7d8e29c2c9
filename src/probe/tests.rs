//! The probe against servers of ours on the loopback interface. Nothing sleeps: a test ends
//! when its probe does, and no probe has more than a second where it must wait.

mod azure;
mod content;
mod credentials;
pub(crate) mod hostile;
mod image;
mod network;
mod proxy;
mod safety;
mod server;
mod targets;
mod zone;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::access::{Access, Credential, Provenance, Unattached};
use crate::evidence::{Attempt, End, Evidence, StepName};
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::secret::Secret;

use super::dns::Names;
use super::{Options, Prober, Settings};
use server::{Authority, Request, Response, Server};
use zone::Zone;

const PASSWORD: &str = "canary-5c8e+/%\"pass";
const MANIFEST: &str = "/v2/shop/api/manifests/1";

/// The time of day in these tests: 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// One authority, one resolver, and what the operator has set.
struct World {
    authority: Authority,
    zone: Zone,
    settings: Settings,
    timeout: Duration,
    /// The node's.
    platform: Option<Platform>,
}

impl World {
    /// A resolver that knows `registry.shop.test`, `auth.shop.test` and `elsewhere.test`, all on
    /// this machine, which may be asked.
    async fn new() -> Self {
        let authority = Authority::new("Test Authority");
        let zone = Zone::serve().await;
        for name in ["registry.shop.test", "auth.shop.test", "elsewhere.test"] {
            zone.has(name, &["127.0.0.1"]);
        }
        let settings = Settings {
            ca_bundle_pem: vec![authority.pem()],
            allow_loopback: true,
            ..Settings::default()
        };
        Self { authority, zone, settings, timeout: Duration::from_secs(10), platform: None }
    }

    /// A server behind a good certificate for `name`.
    async fn serve(
        &self,
        name: &str,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Server {
        Server::tls(self.authority.issue(name), answer).await
    }

    fn prober(&self) -> Prober {
        let policy = super::addresses(&self.settings);
        let names = Names::new(self.zone.config(), Zone::options(), policy).unwrap();
        Prober::with_names(self.settings.clone(), Arc::new(names), Arc::default()).unwrap()
    }

    async fn probe(&self, host: &str, server: &Server, access: &Access) -> Evidence {
        self.probe_image(&format!("{host}:{}/shop/api:1", server.port()), access).await
    }

    async fn probe_image(&self, image: &str, access: &Access) -> Evidence {
        self.probe_for_pod(image, access, Unattached::default()).await
    }

    async fn probe_for_pod(
        &self,
        image: &str,
        access: &Access,
        unattached: Unattached,
    ) -> Evidence {
        let image = ImageRef::parse(image).unwrap();
        let options =
            Options { platform: self.platform.as_ref(), ..Options::within(self.timeout, NOW) };
        let (evidence, _) = self.prober().probe_for_pod(&image, access, unattached, options).await;
        assert_eq!(evidence.image, image);
        no_canary(&evidence);
        evidence
    }
}

/// Nothing of any password or token is in what is kept, in no form in which it was sent.
#[track_caller]
fn no_canary(evidence: &Evidence) {
    for text in [format!("{evidence:?}"), serde_json::to_string(evidence).unwrap()] {
        for canary in ["canary", "Y2FuYXJ5", "OmNhbmFye", "pjYW5hcn"] {
            assert!(!text.contains(canary), "{canary} is in {text}");
        }
    }
}

fn credential(secret: &str, username: &str, password: &str) -> Credential {
    Credential {
        provenance: Provenance::PullSecret { secret: secret.to_owned(), key: "key".to_owned() },
        username: username.to_owned(),
        password: Secret::new(password),
    }
}

fn access(credentials: &[Credential]) -> Access {
    Access { credentials: credentials.to_vec(), azure: None, gaps: Vec::new() }
}

fn anonymous() -> Access {
    Access::default()
}

fn with_password() -> Access {
    access(&[credential("regcred", "robot", PASSWORD)])
}

/// The image, as a registry serves it.
fn manifest() -> Response {
    Response::image()
}

fn served() -> End {
    let platform = Platform::parse("linux/amd64");
    End::Served { digest: Some(image::own_digest()), platform }
}

/// The status of an answer that is no success.
#[track_caller]
fn status(attempt: &Attempt) -> u16 {
    match &attempt.end {
        End::Answered { answer, .. } => answer.status,
        other => panic!("{other:?}"),
    }
}

fn names(attempt: &Attempt) -> Vec<(StepName, bool)> {
    attempt.steps.iter().map(|step| (step.name, step.passed)).collect()
}

/// The steps behind a manifest.
const CONTENT: [StepName; 3] = [StepName::Platform, StepName::Config, StepName::Layer];

fn passed(steps: &[StepName]) -> Vec<(StepName, bool)> {
    steps.iter().map(|name| (*name, true)).collect()
}

fn loopback() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}
