//! A registry that means harm: whatever it does, the probe ends, has read no more than so much,
//! and keeps nothing that moves a cursor. What is said of it then is for `diagnose` to test.

#[path = "../../../tests/hostile/registry.rs"]
mod registry;

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::evidence::Evidence;
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::probe::{Options, Prober};

use super::{NOW, World, no_canary, with_password};
use registry::{Behaviour, Hostile, behaviours};

/// How long a probe may take of what goes on for as long as somebody listens.
const SHORT: Duration = Duration::from_millis(900);
/// How long any other may: so long that it has to end by itself.
const LONG: Duration = Duration::from_secs(60);
/// How many are asked at once: a flood takes a core.
const AT_ONCE: usize = 4;
/// The most that is kept of anything that a server says, in bytes of JSON.
const EVIDENCE_MAX: usize = 16 << 10;

/// What came of one behaviour.
pub(crate) struct Met {
    name: &'static str,
    /// The code that it should have.
    pub(crate) expected: &'static str,
    most: u64,
    /// What the probe has written down.
    pub(crate) evidence: Evidence,
    server: Hostile,
}

async fn meet(behaviour: Behaviour, world: &World, prober: &Prober) -> Met {
    let Behaviour { name, code: expected, most, takes_all, .. } = behaviour;
    let timeout = if takes_all { SHORT } else { LONG };
    let host = behaviour.host();
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Hostile::start(behaviour, here, world.authority.issuer());
    let image = format!("{host}:{}/shop/api:v1", server.address.port());
    let image = ImageRef::parse(&image).unwrap();
    let platform = Platform::parse("linux/amd64");
    let options = Options { platform: platform.as_ref(), ..Options::within(timeout, NOW) };
    let access = with_password();
    let evidence = prober.probe(&image, &access, options).await;
    Met { name, expected, most, evidence, server }
}

/// What is wrong with what was seen, one line each; `code` and `words` are what is made of it.
pub(crate) fn faults(met: &Met, code: &str, words: &[String]) -> Vec<String> {
    let Met { name, expected, most, evidence, server } = met;
    no_canary(evidence);
    let json = serde_json::to_value(evidence).unwrap();
    let mut texts: Vec<String> = Vec::new();
    collect(&json, &mut texts);
    texts.extend_from_slice(words);
    let mut faults = Vec::new();
    if code != *expected {
        faults.push(format!("{code} and not {expected}: {words:?}"));
    }
    if let Some(text) = texts.iter().find(|text| text.chars().any(moves_a_cursor)) {
        faults.push(format!("{text:?} can be shown"));
    }
    if let Some(text) = texts.iter().find(|text| text.len() > 2_000) {
        faults.push(format!("{} bytes are one text: {text:.100}", text.len()));
    }
    let size = json.to_string().len();
    if size > EVIDENCE_MAX {
        faults.push(format!("{size} bytes of evidence"));
    }
    if server.written() > *most {
        faults.push(format!("{} KiB were taken, and {most} are enough", server.written()));
    }
    if server.is_asked_for_http2() {
        faults.push("HTTP/2 was asked for".to_owned());
    }
    // What is not asked for is not decoded: then no bomb goes off.
    let asks = |head: &String| head.to_ascii_lowercase().contains("accept-encoding");
    if server.heads().iter().any(asks) {
        faults.push("an encoding was asked for".to_owned());
    }
    faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Control characters, and those that turn the text around them.
fn moves_a_cursor(character: char) -> bool {
    (character.is_control() && character != '\n') || matches!(character, '\u{202a}'..='\u{202e}')
}

/// Probes a registry of each behaviour.
pub(crate) async fn meet_all() -> Vec<Met> {
    let world = World::new().await;
    world.zone.has("metadata.lab.test", &["169.254.169.254"]);
    world.zone.has("tokens.elsewhere.test", &["127.0.0.1"]);
    let all = behaviours();
    for behaviour in &all {
        world.zone.has(&behaviour.host(), &["127.0.0.1"]);
    }
    world.zone.changes("rebinding.lab.test", "127.0.0.1", "169.254.169.254");
    let prober = world.prober();
    let met = all.into_iter().map(|behaviour| meet(behaviour, &world, &prober));
    stream::iter(met.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await
}
