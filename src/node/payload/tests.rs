use std::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::access::azure::Identity;
use crate::access::{Gap, Provenance};
use crate::evidence::azure::Azure;
use crate::evidence::told::Lookup;
use crate::evidence::{Answer, Certificate, CertificateProblem, Hop, RegistryError, Role, Scheme};
use crate::properties;

const IMAGE: &str = "myregistry.azurecr.io/shop/api:v1";

/// Words as long as the probe lets them become.
fn words() -> impl Strategy<Value = String> {
    (select(vec!["x", "denied ", "é", "\"", "\\"]), 0..200_usize)
        .prop_map(|(word, times)| word.repeat(times).chars().take(200).collect())
}

fn hop() -> impl Strategy<Value = Hop> {
    let hosts = ["myregistry.azurecr.io", "myregistry.westeurope.data.azurecr.io", "r.test:5000"];
    let roles = [Role::Registry, Role::TokenService, Role::DataHost, Role::Metadata];
    (select(hosts.to_vec()), select(roles.to_vec())).prop_map(|(host, role)| Hop {
        role,
        host: host.to_owned(),
        address: Some(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))),
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let error =
        words().prop_map(|message| RegistryError { code: "AADSTS7000215".to_owned(), message });
    (vec(error, 0..6), option::of(words()), 200..599_u16).prop_map(|(errors, body, status)| {
        let correlation = Some("5c8e6f0a-0000-4000-8000-000000000000".to_owned());
        Answer { status, errors, body, problem: None, retry_after: Some(30), correlation }
    })
}

fn end() -> impl Strategy<Value = End> {
    let steps = [StepName::Identity, StepName::Exchange, StepName::Token, StepName::Manifest];
    prop_oneof![
        Just(End::Served { digest: Some(format!("sha256:{}", "0".repeat(64))), platform: None }),
        Just(End::Challenged { scheme: Scheme::Bearer }),
        (hop(), select(steps.to_vec()), answer()).prop_map(|(hop, step, answer)| End::Answered {
            hop,
            step,
            answer
        }),
        (hop(), words(), words()).prop_map(|(hop, subject, issuer)| {
            let names = (0..10).map(|n| format!("{n}.myregistry.azurecr.io")).collect();
            let seen = Certificate { subject, issuer, names, ..Certificate::default() };
            let problem = CertificateProblem::Untrusted;
            End::Unreachable { hop, failure: Failure::Certificate { problem, seen } }
        }),
    ]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let names = [StepName::Dns, StepName::Connect, StepName::Tls, StepName::Token];
    let step =
        (select(names.to_vec()), words(), any::<bool>()).prop_map(|(name, detail, passed)| {
            let host = Some("myregistry.westeurope.data.azurecr.io".to_owned());
            Step { name, host, passed, detail, micros: 12_345 }
        });
    (vec(step, 0..12), end()).prop_map(|(steps, end)| {
        let id = Some("00000000-0000-0000-0000-000000000001".to_owned());
        let identity = Identity::Managed { id };
        Attempt::new(Some(Provenance::Azure { identity }), steps, end)
    })
}

/// What a node can see at most: two attempts of its identity, those of both ways to log in, and
/// what a stranger gets.
fn seen() -> impl Strategy<Value = Seen> {
    let lookup = vec(words(), 0..6).prop_map(|aliases| Lookup {
        host: "myregistry.azurecr.io".to_owned(),
        aliases,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST); 8],
    });
    let pulls = (attempt(), vec(attempt(), 0..3), option::of(attempt()));
    let azure = option::of((attempt(), option::of(attempt())));
    (pulls, azure, vec(lookup, 0..4)).prop_map(
        |((opening, attempts, anonymous), azure, lookups)| {
            let azure = azure.map(|(provider, check_acr)| {
                Box::new(Azure {
                    identity: Identity::Managed { id: None },
                    provider,
                    check_acr,
                    principal: None,
                    node_location: Some("westeurope".to_owned()),
                    other: None,
                })
            });
            Seen::Evidence(Box::new(Evidence {
                opening,
                attempts,
                anonymous,
                lookups,
                azure,
                ..plain()
            }))
        },
    )
}

fn plain() -> Evidence {
    let opening = Attempt::new(None, Vec::new(), End::Challenged { scheme: Scheme::Basic });
    Evidence {
        gaps: vec![Gap::ProviderNotMatched { provider: "p".to_owned(), patterns: Vec::new() }],
        ..Evidence::begun(ImageRef::parse(IMAGE).unwrap(), Vantage::Pod, opening)
    }
}

/// How an attempt ended, without what was said of it at length.
fn gist(end: &End) -> String {
    match end {
        End::Answered { hop, step, answer } => {
            let code = answer.errors.first().map(|error| &error.code);
            format!("{hop:?} {step:?} {} {code:?} {:?}", answer.status, answer.retry_after)
        }
        End::Unreachable { hop, failure: Failure::Certificate { problem, .. } } => {
            format!("{hop:?} {problem:?}")
        }
        End::Unreachable { .. }
        | End::Served { .. }
        | End::Challenged { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => format!("{end:?}"),
    }
}

fn gists(mut seen: Seen) -> Vec<String> {
    attempts(&mut seen).iter().map(|attempt| gist(&attempt.end)).collect()
}

#[test]
fn every_payload_fits_and_keeps_every_end() {
    let image = ImageRef::parse(IMAGE).unwrap();
    properties::check(&seen(), |seen| {
        let text = write(seen.clone()).unwrap();
        assert!(text.len() <= MOST_BYTES, "{}", text.len());
        let read = read(&text, &image).unwrap();
        assert_eq!(gists(read), gists(seen));
    });
}

#[test]
fn what_fits_is_written_as_it_is() {
    let image = ImageRef::parse(IMAGE).unwrap();
    let text = write(Seen::Evidence(Box::new(plain()))).unwrap();
    let expected = Evidence { vantage: Vantage::Node, ..plain() };
    assert_eq!(read(&text, &image).unwrap(), Seen::Evidence(Box::new(expected)));
}

/// Whatever a pod writes, it is read or refused.
#[test]
fn nothing_that_a_pod_writes_breaks_the_reader() {
    let image = ImageRef::parse(IMAGE).unwrap();
    let whole = write(Seen::Evidence(Box::new(plain()))).unwrap();
    let shards = ["{", "}", "[", "\"", ":", "null", "\\u0000", "1e999", "evidence", "login"];
    properties::check(&properties::edited_text(&[&whole], &shards), |text| {
        if let Ok(seen) = read(&text, &image) {
            assert!(write(seen).is_ok());
        }
    });
}

#[test]
fn a_strangers_payload_is_refused() {
    #[track_caller]
    fn check(text: &str, expected: Unreadable) {
        let image = ImageRef::parse(IMAGE).unwrap();
        assert_eq!(read(text, &image), Err(expected), "{text}");
    }
    let whole = write(Seen::Evidence(Box::new(plain()))).unwrap();
    check("", Unreadable::Empty);
    check(" \n", Unreadable::Empty);
    check(
        &whole.replace("\"version\":1", "\"version\":2"),
        Unreadable::OtherVersion { version: 2 },
    );
    check(&whole.replace("shop/api", "shop/web"), Unreadable::OtherQuestion);
    check(&whole.replace("\"p\"", "\"\\u001b[2J\""), Unreadable::NotOne);
    check(&format!("{whole}{whole}"), Unreadable::NotOne);
    check(&" ".repeat(MOST_BYTES).replace("  ", "[]"), Unreadable::NotOne);
    check(&format!("{}{whole}", " ".repeat(MOST_BYTES)), Unreadable::TooLong);
    check(&"[".repeat(MOST_BYTES), Unreadable::NotOne);
    check("{\"version\":1}", Unreadable::NotOne);
    check("registrycheck: the file is gone", Unreadable::NotOne);
}
