use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use crate::probe::protocol::challenge::{Bearer, Demand, demand};
use crate::probe::protocol::{Grant, answer, clean, has_tags, shown, token};
use crate::properties::{check, edited_bytes, edited_text};
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
