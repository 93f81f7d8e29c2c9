//! Challenges and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{At, Behaviour, Says, answer};

/// A challenge.
fn wants(name: &'static str, challenge: &str, code: &'static str) -> Behaviour {
    let says = Says::Once(answer(401, &format!("WWW-Authenticate: {challenge}\r\n"), ""));
    Behaviour::new(name, At::Request, says, code)
}

/// A token service's answer to whoever has the right password.
fn gives(name: &'static str, body: impl AsRef<[u8]>, code: &'static str) -> Behaviour {
    Behaviour::new(name, At::Token, Says::Once(answer(200, "", body)), code)
}

fn token(text: &str) -> String {
    format!(r#"{{"token":"{text}","access_token":"{text}"}}"#)
}

/// A token whose claims are these.
fn claiming(claims: impl AsRef<[u8]>) -> String {
    token(&format!("eyJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
}

fn challenges() -> Vec<Behaviour> {
    let long = "a".repeat(300_000);
    let many = "Negotiate YII=, ".repeat(1_000);
    let headers = "WWW-Authenticate: Digest realm=\"x\"\r\n".repeat(95);
    let realm = |realm: &str| format!("Bearer realm=\"{realm}\",service=\"s\"");
    vec![
        wants("realm-elsewhere", &realm("https://tokens.elsewhere.test/token"), "Inconclusive"),
        wants("realm-with-user", &realm("https://u:p@{host}/token"), "Inconclusive"),
        wants("realm-of-a-file", &realm("file:///etc/passwd"), "Inconclusive"),
        wants("realm-in-plain", &realm("http://{host}/token"), "Inconclusive"),
        wants("realm-of-metadata", &realm("https://169.254.169.254/token"), "Inconclusive"),
        wants(
            "realm-of-metadata-by-name",
            &realm("https://metadata.lab.test/token"),
            "ProbeSkipped",
        ),
        wants(
            "realm-of-300-kilobytes",
            &realm(&format!("https://{{host}}/{long}")),
            "Inconclusive",
        ),
        wants(
            "realm-at-a-host-of-300-kilobytes",
            &realm(&format!("https://{long}.lab.test/")),
            "Inconclusive",
        ),
        wants("realm-with-controls", &realm("https://\u{9b}31m\u{202e}/"), "Inconclusive"),
        wants(
            "service-of-300-kilobytes",
            &format!("Bearer realm=\"https://{{host}}/token\",service=\"{long}\""),
            "Inconclusive",
        ),
        wants(
            "scope-of-150-kilobytes",
            &format!("Bearer realm=\"https://{{host}}/token\",scope=\"{}\"", "a ".repeat(75_000)),
            "CredentialRejected",
        ),
        wants("challenges-by-the-thousand", &format!("{many}Basic realm=x"), "Inconclusive"),
        wants("challenges-without-end", &"a=b, Bearer, =".repeat(20_000), "Inconclusive"),
        wants("challenge-with-controls", "\u{9b}31m\u{202e}", "Inconclusive"),
        Behaviour::new(
            "challenges-in-95-headers",
            At::Request,
            Says::Once(answer(401, &headers, "")),
            "Inconclusive",
        ),
    ]
}

pub(super) fn behaviours() -> Vec<Behaviour> {
    let deep = "[".repeat(10_000);
    let mut all = challenges();
    all.extend([
        gives("token-of-10-megabytes", token(&"a".repeat(10 << 20)), "Inconclusive"),
        gives("token-of-200-kilobytes", token(&"a".repeat(100_000)), "Pullable"),
        gives("token-with-controls", token(r"a\u001b[2J\r\nX-Injected: yes"), "Inconclusive"),
        gives("token-that-is-a-number", r#"{"token":1e999,"access_token":-1}"#, "Inconclusive"),
        gives("token-10000-deep", format!(r#"{{"token":{deep}"#), "Inconclusive"),
        gives("token-of-nothing", "{}", "Inconclusive"),
        gives("token-in-a-list", "[[[[]]]]", "Inconclusive"),
        gives("jwt-without-claims", token("eyJ9..c2ln"), "Pullable"),
        gives("jwt-of-dots", token("eyJ......"), "Pullable"),
        gives("jwt-of-no-base64", token("eyJ9.!!!!.c2ln"), "Pullable"),
        gives("jwt-of-no-json", claiming("\u{1b}[2J{{{"), "Pullable"),
        gives("jwt-of-a-list", claiming("[1,2,3]"), "Pullable"),
        gives("jwt-10000-deep", claiming(&deep), "Pullable"),
        gives("jwt-of-no-utf-8", claiming(b"{\"aud\":\"\xff\xfe\"}"), "Pullable"),
        gives("jwt-ended-before-time", claiming(r#"{"exp":-1e300,"aud":[{}],"access":[{"type":"repository","name":"shop/api","actions":["pull"]}]}"#), "Pullable"),
        gives("jwt-until-beyond-time", claiming(r#"{"exp":1e300}"#), "Pullable"),
        gives("jwt-with-controls", claiming(r#"{"access":[{"type":"repository","name":"shop/api","actions":["\u001b[2J\u009b31m\u202e"]}]}"#), "Pullable"),
        gives("jwt-of-many-claims", claiming(format!(r#"{{"aud":[{}1],"access":[{}{{}}]}}"#, "1,".repeat(30_000), "{},".repeat(10_000))), "Pullable"),
        Behaviour::new("token-without-end", At::Token, Says::Endless(b"HTTP/1.1 200 X\r\n\r\n{\"token\":\"".to_vec(), vec![b'a'; 1024]), "Inconclusive"),
        Behaviour::new("token-a-byte-a-second", At::Token, Says::Slowly(b"HTTP/1.1 200 X\r\n\r\n".to_vec(), b"{{{{".to_vec()), "Inconclusive")
        .takes_all(),
        Behaviour::new("token-by-redirects", At::Token, Says::Once(answer(307, "Location: https://metadata.lab.test/\r\n", "")), "Inconclusive"),
    ]);
    all
}
