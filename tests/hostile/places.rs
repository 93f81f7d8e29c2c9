//! Where a registry would lead whoever asks it.

use super::{At, Behaviour, Says, answer};

/// A redirect.
fn to(name: &'static str, location: &str, code: &'static str) -> Behaviour {
    let says = Says::Once(answer(307, &format!("Location: {location}\r\n"), ""));
    Behaviour::new(name, At::Request, says, code)
}

pub(super) fn behaviours() -> Vec<Behaviour> {
    let long = "a".repeat(300_000);
    vec![
        Behaviour::new("redirects-without-end", At::Request, Says::Redirects, "Inconclusive"),
        to("redirect-to-metadata", "http://169.254.169.254/metadata/identity", "ProbeSkipped"),
        to("redirect-to-metadata-in-decimal", "http://2852039166/metadata", "ProbeSkipped"),
        to("redirect-to-metadata-in-octal", "http://0251.0376.0251.0376/metadata", "ProbeSkipped"),
        to(
            "redirect-to-metadata-mapped",
            "http://[::ffff:169.254.169.254]/metadata",
            "ProbeSkipped",
        ),
        to("redirect-to-metadata-by-name", "https://metadata.lab.test/metadata", "ProbeSkipped"),
        to("redirect-to-no-address", "http://0.0.0.0:1/", "ProbeSkipped"),
        to("redirect-to-a-file", "file:///etc/passwd", "Inconclusive"),
        to("redirect-with-user", "https://u:p@metadata.lab.test/", "ProbeSkipped"),
        to("redirect-of-300-kilobytes", &format!("https://{{host}}/{long}"), "Inconclusive"),
        to(
            "redirect-to-a-host-of-300-kilobytes",
            &format!("https://{long}.lab.test/"),
            "Inconclusive",
        ),
        to(
            "redirect-to-a-host-of-many-labels",
            &format!("https://{}lab.test/", "a.".repeat(9_000)),
            "Inconclusive",
        ),
        to("redirect-with-controls", "https://{host}:x/\u{9b}31m\u{202e}", "Inconclusive"),
        to("redirect-nowhere", "http://", "Inconclusive"),
        Behaviour::new("rebinding", At::Request, Says::LookedUpAgain, "ProbeSkipped"),
    ]
}
