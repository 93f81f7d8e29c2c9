use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use crate::image::platform::Platform;
use crate::probe::protocol::challenge::{Bearer, Demand, demand};
use crate::probe::protocol::manifest::{self, Manifest};
use crate::probe::protocol::{Grant, answer, clean, has_tags, jwt, shown, token};
use crate::properties::{check, corpus, edited_bytes, edited_text};
use crate::secret::Secret;

const CHALLENGES: &[&str] = &[
    r#"Bearer realm="https://a.test/token",service="a.test",scope="repository:x:pull""#,
    r#"Basic realm="Registry", charset="UTF-8""#,
    "Negotiate YIIabc/+d==, NTLM",
    r#"Digest realm="d", nonce="n", qop="auth", algorithm=MD5"#,
    "Bearer realm=https://a.test/token service=a.test",
];

const SHARDS: &[&str] = &[
    "\"",
    "\\",
    ",",
    "=",
    " ",
    "Bearer ",
    "Basic",
    "realm",
    "realm=",
    "\\\"",
    "\t",
    "é",
    "\u{0}",
    "token68==",
    ";",
    "",
];

#[test]
fn any_challenge_has_a_meaning() {
    let header = prop_oneof![4 => edited_text(CHALLENGES, SHARDS), 1 => "\\PC{0,40}"];
    check(&vec(header, 0..4), |headers| {
        if let Demand::Unsupported(schemes) = demand(headers.iter().map(String::as_str)) {
            assert!(schemes.len() <= 5);
            assert!(schemes.iter().all(|scheme| !scheme.is_empty() && !scheme.contains(' ')));
        }
    });
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn a_challenge_that_is_well_written_is_read_back() {
    let text = || "[ -~é]{0,20}";
    let others = vec(select(CHALLENGES), 0..2);
    let challenge = (text(), option::of(text()), option::of(text()), others, any::<bool>());
    check(&challenge, |(realm, service, scope, others, tight)| {
        let mut parameters = vec![format!("realm={}", quoted(&realm))];
        parameters.extend(service.iter().map(|service| format!("service={}", quoted(service))));
        parameters.extend(scope.iter().map(|scope| format!("scope={}", quoted(scope))));
        let header = format!("Bearer {}", parameters.join(if tight { "," } else { ", " }));
        let headers = [header.as_str()].into_iter().chain(others);
        assert_eq!(demand(headers), Demand::Bearer(Bearer { realm, service, scope }));
    });
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let seeds = [
        r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
        r#"{"error":"invalid_grant","error_description":"the token hunter2 is expired"}"#,
        r#"{"token":"t","access_token":"a","expires_in":300}"#,
        r#"{"name":"x","tags":["1","2"]}"#,
        "<html><body>hunter2 Not Found</body></html>",
    ];
    let shards: &[&[u8]] = &[
        b"\xff",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"null",
        b"\0",
        b"\x1b[2J",
        b"hunter2",
        b"\xe2\x80\xae",
        b"1",
        b"",
    ];
    edited_bytes(seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), shards)
}

#[test]
fn any_answer_is_read_and_gives_back_no_secret() {
    let id = option::of("[ -~]{0,300}");
    check(&(any::<u16>(), bodies(), id), |(status, body, id)| {
        let secrets = [Secret::new("hunter2")];
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            let name = HeaderName::from_static("x-request-id");
            headers.insert(name, HeaderValue::from_str(&format!("{id}hunter2")).unwrap());
        }
        let answer = answer(status, &headers, &body, &secrets);
        let text = serde_json::to_string(&answer).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.len() < 20_000);
        let _ = has_tags(&body);
        for grant in [Grant::Get, Grant::Password] {
            if let Ok(token) = token(&body, grant) {
                assert!(!token.is_empty());
            }
        }
    });
}

#[test]
fn what_is_shown_is_short_and_moves_no_cursor() {
    check(&any::<String>(), |text| {
        let cleaned = clean(&text);
        assert!(cleaned.chars().count() <= 200);
        assert!(!cleaned.contains(char::is_control));
        assert_eq!(clean(&cleaned), cleaned);
    });
    check(&("[a-z]{1,8}", "[!-~]{0,20}"), |(user, rest)| {
        let Ok(url) = Url::parse(&format!("https://{user}:hunter2@a.test/{rest}?x=hunter2")) else {
            return;
        };
        assert!(rest.contains("hunter2") || !shown(&url, &[]).contains("hunter2"), "{url}");
    });
}

const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\"",
    b"null",
    b"-1",
    b"1e999",
    b"{}",
    b"\xff",
    b"\0",
    b"\x1b[2J",
    b"18446744073709551616",
    b"\\u202e",
    b"",
];

#[test]
fn any_token_is_read_and_what_it_grants_can_be_shown() {
    let claims = edited_bytes(corpus("jwt"), JSON);
    let shards = ["eyJ", ".", "=", "..", "\u{e9}", "!", ""];
    let broken = edited_text(&["eyJ9.e30.c2ln", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9."], &shards);
    let token = prop_oneof![
        4 => claims.prop_map(|claims| format!("eyJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))),
        1 => broken,
    ];
    check(&token, |token| {
        let Some(claims) = jwt::claims(token.as_bytes()) else { return };
        let _ = claims.expires();
        let shown = format!("{:?} {:?}", claims.principal(), claims.grant("shop/api"));
        assert!(!shown.contains(char::is_control) && shown.len() < 4_000, "{shown}");
        let _ = claims.is_login_at("shop.azurecr.io");
    });
}

#[test]
fn any_manifest_is_read_and_what_it_leads_to_is_few_and_can_be_shown() {
    let types = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json; x=\u{9b}",
    ];
    let documents = edited_bytes(corpus("manifest"), JSON);
    check(&(select(types.to_vec()), documents), |(type_, body)| {
        let parts = match manifest::read(type_, &body) {
            Ok(Manifest::Image { config, layers }) => [vec![config], layers].concat(),
            Ok(Manifest::Index(children)) => {
                for node in [Platform::parse("linux/amd64"), None] {
                    let _ = manifest::choose(&children, node.as_ref(), None);
                }
                children
            }
            Err(error) => {
                assert!(!format!("{error:?}").contains(char::is_control), "{error:?}");
                return;
            }
        };
        assert!(parts.len() <= 1_001);
        for part in parts {
            let platform = part.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            let shown = format!("{}{platform}", part.media_type);
            assert!(!shown.contains(char::is_control), "{shown:?}");
            // What goes into a URL is a digest, and nothing else.
            assert!(!part.has_digest() || part.digest.len() <= 7 + 128, "{}", part.digest);
        }
    });
}

#[test]
fn any_configuration_is_read() {
    check(&edited_bytes(corpus("config"), JSON), |body| {
        if let Some(config) = manifest::config(&body) {
            let platform = config.platform.map(|platform| platform.to_string()).unwrap_or_default();
            assert!(!platform.contains(char::is_control), "{platform:?}");
            assert!(config.layers <= 1_000);
        }
    });
}
