use super::*;
use crate::properties::{check, edited_bytes, edited_text};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn a_domain_is_meant_by_whole_labels() {
    let domains = ["azurecr.io".to_owned(), ".azurecr.sovcloud-azure.fr".to_owned(), String::new()];
    for (host, expected) in [
        ("shop.azurecr.io", true),
        ("SHOP.AZURECR.IO", true),
        ("shop.azurecr.io.", true),
        ("shop.westeurope.data.azurecr.io", true),
        ("shop.azurecr.sovcloud-azure.fr", true),
        ("azurecr.io", false),
        (".azurecr.io", false),
        ("shopazurecr.io", false),
        ("shop.azurecr.io.example.com", false),
        ("shop.azurecr.iox", false),
        ("shop.azurecr.us", false),
        ("127.0.0.1", false),
    ] {
        let url = Url::parse(&format!("https://{host}/"));
        assert_eq!(url.is_ok_and(|url| is_within(&url, &domains)), expected, "{host}");
    }
    assert!(may_have_tokens(&url("https://shop.azurecr.io"), &domains));
    assert!(!may_have_tokens(&url("http://shop.azurecr.io"), &domains));
}

#[test]
fn a_token_goes_to_the_same_registry() {
    let domains = ["azurecr.io".to_owned()];
    let registry = url("https://shop.azurecr.io/");
    for (text, expected) in [
        ("https://shop.azurecr.io/oauth2/token", "there"),
        ("https://shop.westeurope.geo.azurecr.io/oauth2/token", "there"),
        ("http://shop.azurecr.io/oauth2/token", "insecure"),
        ("https://other.azurecr.io/oauth2/token", "foreign"),
        ("https://shop.azurecr.us/oauth2/token", "foreign"),
        ("https://shop.example.com/oauth2/token", "foreign"),
        ("https://shop.azurecr.io.example.com/oauth2/token", "foreign"),
        ("https://169.254.169.254/oauth2/token", "foreign"),
        ("https://shop.azurecr.io@example.com/oauth2/token", "bad"),
        ("https://user:hunter2@shop.azurecr.io/oauth2/token", "bad"),
        ("/oauth2/token", "bad"),
    ] {
        let went = match realm(text, &registry, &domains) {
            Ok(_) => "there",
            Err(NotSent::InsecureRealm { .. }) => "insecure",
            Err(NotSent::ForeignRealm { .. }) => "foreign",
            Err(NotSent::BadRealm { realm }) => {
                assert!(!realm.contains("hunter2"));
                "bad"
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(went, expected, "{text}");
    }
    let service = url("https://shop.azurecr.io:8443/oauth2/token?x=1");
    assert_eq!(exchange_url(&service).as_str(), "https://shop.azurecr.io:8443/oauth2/exchange");
}

#[test]
fn a_tenant_is_one_part_of_a_path() {
    let at = |authority, tenant| {
        entra_url(authority, tenant, "oauth2/token").map(|url| url.as_str().to_owned())
    };
    let login = "https://login.microsoftonline.com";
    let expected = format!("{login}/t-1/oauth2/token");
    assert_eq!(at(login, "t-1"), Some(expected.clone()));
    assert_eq!(at("https://login.microsoftonline.com/", "t-1"), Some(expected));
    assert_eq!(at(login, "a/../b?c"), Some(format!("{login}/a%2F..%2Fb%3Fc/oauth2/token")));
    assert_eq!(at("http://login.microsoftonline.com", "t-1"), None);
}

#[track_caller]
fn refuses(body: &str, code: &str, message: &str, correlation: Option<&str>) {
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-request-id", "of-header".parse().unwrap());
    let answer = refusal(400, &headers, body.as_bytes(), &[Secret::new("hunter2")]);
    let error = RegistryError { code: code.to_owned(), message: message.to_owned() };
    assert_eq!((&answer.errors, answer.body), (&vec![error], None), "{body}");
    assert_eq!(answer.correlation.as_deref(), correlation);
}

#[test]
fn an_error_of_entra_is_known_by_its_number() {
    refuses(
        r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'a-1' are expired. Visit the portal.\r\nTrace ID: 1\r\nCorrelation ID: 2","error_codes":[7000222],"trace_id":"1","correlation_id":"of-body"}"#,
        "AADSTS7000222",
        "The provided client secret keys for app 'a-1' are expired",
        Some("of-body"),
    );
    // The metadata service repeats what Entra ID says, and has no list of numbers.
    refuses(
        r#"{"error":"invalid_resource","error_description":"AADSTS50001: The resource was not found Trace ID: 1"}"#,
        "AADSTS50001",
        "The resource was not found",
        Some("of-header"),
    );
    refuses(
        r#"{"error":"invalid_request","error_description":"Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"}"#,
        "invalid_request",
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        Some("of-header"),
    );
    refuses(
        r#"{"error":"x","error_description":"Note: AADSTS and hunter2\nmore"}"#,
        "x",
        "Note: AADSTS and ****",
        Some("of-header"),
    );
    refuses(r#"{"error":"x","error_codes":["7"]}"#, "x", "", Some("of-header"));
}

#[test]
fn what_is_no_error_of_entra_keeps_its_words() {
    for body in ["<html>no</html>", "{}", "[]"] {
        let answer = refusal(502, &HeaderMap::new(), body.as_bytes(), &[]);
        assert_eq!((answer.errors.len(), answer.body.as_deref()), (0, Some(body)));
    }
}

#[test]
fn repositories_are_those_that_have_a_name() {
    let body = br#"{"repositories":["a","a b","A","a/b.c-d_e","","x:y"]}"#;
    assert_eq!(repositories(body), ["a", "a/b.c-d_e"]);
    for body in ["", "[]", r#"{"repositories":null}"#, "{}"] {
        assert!(repositories(body.as_bytes()).is_empty(), "{body}");
    }
}

#[test]
fn a_refresh_token_is_read_and_nothing_of_the_rest_is_said() {
    assert_eq!(refresh_token(br#"{"refresh_token":"r"}"#), Ok(Secret::new("r")));
    for body in ["", "[]", "{}", r#"{"refresh_token":""}"#, r#"{"access_token":"hunter2"}"#] {
        let problem = refresh_token(body.as_bytes()).unwrap_err();
        assert!(!problem.contains("hunter2"), "{body}");
    }
}

#[test]
fn whatever_realm_is_taken_is_the_same_registrys_behind_tls() {
    let seeds = [
        "https://shop.azurecr.io/oauth2/token",
        "https://shop.westeurope.geo.azurecr.io/oauth2/token",
        "https://other.azurecr.io:443/oauth2/token",
        "https://user@shop.azurecr.io.example.com/oauth2/token",
        "http://shop.azurecr.io/oauth2/token",
        "https://shop.azurecr.io./oauth2/token",
    ];
    let shards =
        [".", "/", "@", ":", "\\", "#", "?", "http", "shop", ".azurecr.io", "%2e", "\t", "。", ""];
    let domains = ["azurecr.io".to_owned()];
    let registry = url("https://shop.azurecr.io/");
    check(&edited_text(&seeds, &shards), |text| {
        let Ok(service) = realm(&text, &registry, &domains) else { return };
        // With a dot at its end it is the same name (RFC 1034, 3.1).
        let host = service.host_str().unwrap().trim_end_matches('.');
        assert!(host.starts_with("shop.") && host.ends_with(".azurecr.io"), "{text}: {service}");
        assert_eq!((service.scheme(), service.username()), ("https", ""), "{service}");
        assert_eq!(exchange_url(&service).host(), service.host());
    });
}

#[test]
fn no_error_of_entra_breaks_anything_or_repeats_a_secret() {
    let seeds = [
        &br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid. Trace ID: 1\r\nx hunter2","error_codes":[7000215],"correlation_id":"hunter2"}"#[..],
        br#"{"error":"invalid_request","error_description":"Identity not found"}"#,
        b"<html>hunter2</html>",
    ];
    let shards: &[&[u8]] =
        &[b"AADSTS", b": ", b". ", b"Trace ID:", b"hunter2", b"\"", b"\xff", b"{", b"}", b""];
    let bodies = edited_bytes(seeds.iter().map(|seed| seed.to_vec()).collect(), shards);
    check(&bodies, |body| {
        let answer = refusal(400, &HeaderMap::new(), &body, &[Secret::new("hunter2")]);
        assert!(!format!("{answer:?}").contains("hunter2"));
        for RegistryError { code, message } in &answer.errors {
            assert!(code.chars().count() <= 200 && message.chars().count() <= 200);
            assert!(!message.contains(['\r', '\n']));
        }
        repositories(&body);
        let _ = refresh_token(&body);
    });
}
