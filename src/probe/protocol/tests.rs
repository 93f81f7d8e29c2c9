use hyper::header::HeaderMap;
use url::Url;

use super::{Grant, answer, clean, has_tags, manifest_url, scopes, shown, tags_url, token};
use crate::image::ImageRef;
use crate::secret::Secret;

mod properties;

fn image(text: &str) -> ImageRef {
    ImageRef::parse(text).unwrap()
}

#[test]
fn urls_are_those_of_the_specification() {
    let base = Url::parse("https://r.test:5000").unwrap();
    let digest = format!("sha256:{}", "a".repeat(64));
    for (written, path) in [
        ("r.test:5000/shop/api:1", "/v2/shop/api/manifests/1".to_owned()),
        ("r.test:5000/api", "/v2/api/manifests/latest".to_owned()),
        (&format!("r.test:5000/a:1@{digest}"), format!("/v2/a/manifests/{digest}")),
    ] {
        let url = manifest_url(&base, &image(written)).unwrap();
        assert_eq!(url.as_str(), format!("https://r.test:5000{path}"));
    }
    let url = tags_url(&base, &image("r.test:5000/shop/api:1")).unwrap();
    assert_eq!(url.as_str(), "https://r.test:5000/v2/shop/api/tags/list?n=1");
}

#[test]
fn scopes_are_containerds() {
    let image = image("r.test/shop/api:1");
    let own = "repository:shop/api:pull";
    assert_eq!(scopes(None, &image), [own]);
    assert_eq!(scopes(Some(""), &image), [own]);
    assert_eq!(scopes(Some(own), &image), [own]);
    assert_eq!(scopes(Some("registry:catalog:*"), &image), ["registry:catalog:*", own]);
    assert_eq!(
        scopes(Some("repository:shop/api:pull,push  repository:b:pull"), &image),
        ["repository:b:pull", own, "repository:shop/api:pull,push"]
    );
}

#[test]
fn texts_from_outside_are_tamed() {
    assert_eq!(clean("  a\tb\r\nc\u{1b}[31m "), "a b  c [31m");
    assert_eq!(clean("a\u{202e}b"), "a b");
    assert_eq!(clean(&"é".repeat(500)).chars().count(), 200);
    let url = Url::parse("https://u:p@h.test/x?sig=secret#f").unwrap();
    assert_eq!(shown(&url, &[]), "https://h.test/x");
}

#[test]
fn answers_are_understood() {
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", "id-2".parse().unwrap());
    headers.insert("X-MS-Correlation-Request-Id", "id-1".parse().unwrap());
    headers.insert("retry-after", "30".parse().unwrap());
    let body = br#"{"errors":[{"code":"NAME_UNKNOWN","message":"a\nb","detail":{}},{"x":1},7]}"#;
    let seen = answer(404, &headers, body, &[]);
    assert_eq!((seen.status, seen.retry_after), (404, Some(30)));
    assert_eq!(seen.correlation.as_deref(), Some("id-1"));
    assert_eq!(seen.body, None);
    assert_eq!(seen.errors.len(), 1);
    assert_eq!(
        (seen.errors[0].code.as_str(), seen.errors[0].message.as_str()),
        ("NAME_UNKNOWN", "a b")
    );

    let oauth = br#"{"error":"invalid_grant","error_description":"no"}"#;
    assert_eq!(answer(400, &HeaderMap::new(), oauth, &[]).errors[0].code, "invalid_grant");

    for body in ["<html>no</html>", r#"{"details":"wrong"}"#, r#"{"errors":[]}"#, "[]"] {
        let seen = answer(500, &HeaderMap::new(), body.as_bytes(), &[]);
        assert_eq!((seen.errors.len(), seen.body.as_deref()), (0, Some(body)));
    }
    assert_eq!(answer(500, &HeaderMap::new(), b" \n", &[]).body, None);
    let many = format!(r#"{{"errors":[{}]}}"#, [r#"{"code":"X"}"#; 9].join(","));
    assert_eq!(answer(500, &HeaderMap::new(), many.as_bytes(), &[]).errors.len(), 5);
}

#[test]
fn a_secret_sent_back_is_not_kept() {
    let secrets = [Secret::new("hunter2-hunter2"), Secret::new(*b"\xffhunter3\nhunter4\xe9")];
    let long = format!("{}hunter2-hunter2", "x".repeat(195));
    for body in [
        "you said hunter2-hunter2",
        "you said \u{fffd}hunter3\nhunter4\u{fffd}",
        r#"{"errors":[{"code":"hunter2-hunter2","message":"hunter2-hunter2"}]}"#,
        &long,
    ] {
        let seen = format!("{:?}", answer(401, &HeaderMap::new(), body.as_bytes(), &secrets));
        assert!(!seen.contains("hunter"), "{seen}");
    }
}

#[test]
fn tokens_are_found_where_containerd_looks() {
    for (body, posted, fetched) in [
        (r#"{"access_token":"a","token":"b"}"#, Some("a"), Some("a")),
        (r#"{"token":"b"}"#, None, Some("b")),
        (r#"{"access_token":"","token":"b"}"#, None, Some("b")),
        (r#"{"access_token":null}"#, None, None),
        (r#"{"token":7}"#, None, None),
        ("{}", None, None),
        ("<html>", None, None),
        ("", None, None),
    ] {
        let found = |grant| token(body.as_bytes(), grant).ok();
        assert_eq!(found(Grant::Password), posted.map(Secret::new), "{body}");
        assert_eq!(found(Grant::Get), fetched.map(Secret::new), "{body}");
    }
}

#[test]
fn tags_are_counted() {
    assert_eq!(has_tags(br#"{"name":"a","tags":["1"]}"#), Some(true));
    assert_eq!(has_tags(br#"{"name":"a","tags":null}"#), Some(false));
    assert_eq!(has_tags(br#"{"name":"a","tags":[]}"#), Some(false));
    assert_eq!(has_tags(b"<html>"), None);
}
