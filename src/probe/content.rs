//! The content of an image: its manifest, the one for the node's platform, its configuration,
//! and its layers as far as the first byte.

#![expect(clippy::result_large_err, reason = "one for each pull")]

mod blobs;

use std::time::Instant;

use reqwest::Method;
use reqwest::header::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::evidence::told::Unfit;
use crate::evidence::{End, Hop, Step, StepName};
use crate::secret::Secret;

use super::connection::micros;
use super::exchange::{Asked, Reply};
use super::protocol::challenge::Demand;
use super::protocol::manifest::{self, Choice, Descriptor, Manifest, Unreadable};
use super::protocol::{self, answer};
use super::pull::{self, demand_of, is_challenge};
use super::walk::{Walk, challenged};
use super::words;

/// How deep an index may stand in another.
const DEPTH_MAX: usize = 3;

/// The manifest that the registry has promised.
pub(super) struct Root {
    pub(super) hop: Hop,
    pub(super) media_type: String,
    pub(super) digest: Option<String>,
    /// In bytes; 0 where it is not known.
    pub(super) size: u64,
}

impl Root {
    pub(super) fn in_words(&self) -> String {
        self.digest.clone().unwrap_or_else(|| "served".to_owned())
    }
}

/// How the content ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// What the registry wants, where it serves the manifest to anybody and the content not.
    pub(super) demand: Option<Demand>,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self { end, demand: None }
    }
}

/// The manifest of one image.
struct Chosen {
    config: Descriptor,
    layers: Vec<Descriptor>,
    /// Whether an index led to it without saying for which platform it is.
    has_to_match: bool,
}

/// What all questions for the content of one image have in common.
pub(super) struct Reader<'reader> {
    pub(super) walk: &'reader Walk<'reader>,
    pub(super) authorization: Option<&'reader HeaderValue>,
    pub(super) secrets: &'reader [Secret],
    /// Whether a challenge is still to be answered.
    pub(super) is_opening: bool,
}

impl Reader<'_> {
    /// Goes on from a manifest that was promised; `body` is the answer to the GET that was sent
    /// beside the HEAD.
    pub(super) async fn content(
        &self,
        root: Root,
        body: Option<Reply>,
        steps: &mut Vec<Step>,
    ) -> Ended {
        let digest = root.digest.clone();
        let began = Instant::now();
        let chosen = self.choose(root, body).await;
        let (passed, detail) = match &chosen {
            Ok((_, detail)) => (true, detail.clone()),
            Err(ended) => (false, words::in_words(&ended.end)),
        };
        let (name, micros) = (StepName::Platform, micros(began.elapsed()));
        self.push(steps, vec![Step { name, host: None, passed, detail, micros }]);
        let chosen = match chosen {
            Ok((chosen, _)) => chosen,
            Err(ended) => return ended,
        };
        match self.blobs(&chosen, steps).await {
            Ok(platform) => End::Served { digest, platform }.into(),
            Err(ended) => ended,
        }
    }

    fn push(&self, steps: &mut Vec<Step>, new: Vec<Step>) {
        self.walk.tell(&new);
        steps.extend(new);
    }

    /// The manifest of the image for the node's platform, and that in words.
    async fn choose(&self, root: Root, body: Option<Reply>) -> Result<(Chosen, String), Ended> {
        let node = self.walk.platform;
        let mut descriptor = Descriptor::of_root(root.media_type, root.digest, root.size);
        let mut body = body;
        let mut name = String::new();
        let mut has_to_match = false;
        for depth in 0..DEPTH_MAX {
            let body = body.take();
            let (hop, found) = self.manifest(&mut descriptor, body, &root.hop, depth == 0).await?;
            let children = match found {
                Manifest::Image { config, layers } => {
                    let digest = descriptor.digest;
                    let detail = if name.is_empty() { digest } else { format!("{name}, {digest}") };
                    return Ok((Chosen { config, layers, has_to_match }, detail));
                }
                Manifest::Index(children) => children,
            };
            let unfit =
                |problem| End::Unfit { hop: hop.clone(), step: StepName::Platform, problem };
            match manifest::choose(&children, node, self.walk.own_platform.as_ref()) {
                Choice::Child(child) if child.has_digest() => {
                    name = child.platform.as_ref().map(ToString::to_string).unwrap_or_default();
                    has_to_match = child.platform.is_none();
                    descriptor = child.clone();
                }
                Choice::Child(_) => {
                    let what = "an index whose entries have no digest".to_owned();
                    return Err(unfit(Unfit::NotAnImage { what, is_only_old: false }).into());
                }
                Choice::None(offered) => {
                    let wanted = node.cloned();
                    return Err(unfit(Unfit::OtherPlatform { wanted, offered }).into());
                }
            }
        }
        let what = "an index within indexes".to_owned();
        let problem = Unfit::NotAnImage { what, is_only_old: false };
        Err(End::Unfit { hop: root.hop, step: StepName::Platform, problem }.into())
    }

    /// One document: the remembered one, that of `body`, or what the registry serves now.
    async fn manifest(
        &self,
        descriptor: &mut Descriptor,
        body: Option<Reply>,
        promised_by: &Hop,
        is_root: bool,
    ) -> Result<(Hop, Manifest), Ended> {
        let Walk { image, memory, .. } = self.walk;
        if let Some(known) = memory.manifest(image, &descriptor.digest) {
            // That of the root was just promised; another may be gone by now.
            let is_there = is_root || self.is_there(descriptor).await;
            if is_there {
                return Ok((promised_by.clone(), known));
            }
        }
        // What was asked by a tag beside the HEAD may be of another digest by now.
        let fits =
            |reply: &Reply| reply.is_success() && mismatch(descriptor, &reply.body).is_none();
        let reply = match body.filter(fits) {
            Some(reply) => reply,
            None => self.fetch(descriptor).await?,
        };
        let hop = reply.hop.clone();
        let unfit = |problem| {
            Err(End::Unfit { hop: hop.clone(), step: StepName::Platform, problem }.into())
        };
        if descriptor.media_type.is_empty() {
            descriptor.media_type = reply.media_type();
        }
        if let Some(problem) = pull::unfit_type(&descriptor.media_type, self.secrets) {
            return unfit(problem);
        }
        if let Some(problem) = mismatch(descriptor, &reply.body) {
            return unfit(problem);
        }
        if descriptor.digest.is_empty() {
            descriptor.digest = sha256(&reply.body);
        }
        match manifest::read(&descriptor.media_type, &reply.body) {
            Ok(read) => {
                memory.keep(image, &descriptor.digest, &read);
                Ok((hop, read))
            }
            Err(Unreadable::Kind(what)) => unfit(Unfit::NotAnImage { what, is_only_old: false }),
            Err(Unreadable::Broken) => {
                // A known type may have parameters, of which the server makes what it wants.
                let type_ = protocol::clean_without(&descriptor.media_type, self.secrets);
                let what = format!("no manifest, although it is called {type_}");
                unfit(Unfit::NotAnImage { what, is_only_old: false })
            }
        }
    }

    async fn is_there(&self, descriptor: &Descriptor) -> bool {
        let Some(url) = protocol::by_digest(&self.walk.manifest, &descriptor.digest) else {
            return false;
        };
        let (step, head) = (StepName::Platform, Method::HEAD);
        let asked = self.walk.ask_manifest(step, head, &url, self.authorization).await;
        matches!(asked.result, Ok(reply) if reply.is_success())
    }

    async fn fetch(&self, descriptor: &Descriptor) -> Result<Reply, Ended> {
        let by_digest = protocol::by_digest(&self.walk.manifest, &descriptor.digest);
        let url = by_digest.as_ref().unwrap_or(&self.walk.manifest);
        let step = StepName::Platform;
        let asked = self.walk.ask_manifest(step, Method::GET, url, self.authorization).await;
        self.success(asked, step)
    }

    /// An answer that is a success, or how the pull ends.
    fn success(&self, asked: Asked, step: StepName) -> Result<Reply, Ended> {
        let reply = asked.result.map_err(Ended::from)?;
        if reply.is_success() {
            return Ok(reply);
        }
        if is_challenge(&reply) && self.is_opening {
            let demand = demand_of(&reply);
            let end = challenged(&demand, &reply);
            return Err(Ended { end, demand: Some(demand) });
        }
        let answer = answer(reply.status, &reply.headers, &reply.body, self.secrets);
        Err(End::Answered { hop: reply.hop, step, answer }.into())
    }
}

/// How the bytes differ from what their descriptor promises.
fn mismatch(descriptor: &Descriptor, body: &[u8]) -> Option<Unfit> {
    let length = body.len() as u64;
    if descriptor.size > 0 && descriptor.size != length {
        return Some(Unfit::Corrupted {
            promised: format!("{} bytes", descriptor.size),
            seen: format!("{length} bytes"),
        });
    }
    // Of other digests only the length is compared.
    if !descriptor.digest.starts_with("sha256:") {
        return None;
    }
    let seen = sha256(body);
    (seen != descriptor.digest)
        .then(|| Unfit::Corrupted { promised: descriptor.digest.clone(), seen })
}

pub(super) fn sha256(body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(body) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
