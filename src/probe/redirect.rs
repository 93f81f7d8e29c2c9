//! Where a redirect may lead, and what of it is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use reqwest::header::HeaderMap;
use url::Url;

use crate::evidence::{NotSent, Role};
use crate::secret::Secret;

use super::connection::host_of;
use super::exchange::{Body, Question};
use super::protocol;

/// The target of a redirect, if it may be followed: never with a form, which holds a
/// credential, and from nowhere but a registry. A credential of the header goes to no other host,
/// so that the target may be plain HTTP, as it may for containerd; but to none whose very name
/// has it, for names are looked up and written down.
pub(super) fn target(
    question: &Question<'_>,
    from: &Url,
    to: &str,
    headers: &HeaderMap,
) -> Result<Url, NotSent> {
    let mut secrets = sent(question, headers);
    // A host has no capital letters.
    let lower = |secret: &Secret| Secret::new(secret.expose().to_ascii_lowercase());
    secrets.extend(secrets.iter().map(lower).collect::<Vec<_>>());
    let target = from.join(to).ok();
    let location = match &target {
        Some(url) => protocol::shown(url, &secrets),
        None => protocol::shown_text(to, &secrets),
    };
    let is_fit = |url: &Url| {
        let host = host_of(url);
        matches!(url.scheme(), "https" | "http")
            && protocol::can_be_asked(url)
            && protocol::clean_without(&host, &secrets) == protocol::clean(&host)
    };
    target
        .filter(is_fit)
        .filter(|_| question.role == Role::Registry)
        .ok_or(NotSent::BadRedirect { location })
}

/// What a server was sent that it may send back.
pub(super) fn sent(question: &Question<'_>, headers: &HeaderMap) -> Vec<Secret> {
    let mut secrets: Vec<Secret> =
        headers.values().map(|value| Secret::new(value.as_bytes())).collect();
    if let Some(value) = question.authorization {
        let value = value.as_bytes();
        let space = value.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
        let value = &value[space..value.len().saturating_sub(padding).max(space)];
        secrets.push(Secret::new(value));
        // That of Basic is a user's name, a colon and a password (RFC 7617, 2).
        let decoded = STANDARD_NO_PAD.decode(value).unwrap_or_default();
        let colon = decoded.iter().position(|byte| *byte == b':');
        secrets.extend(colon.map(|colon| Secret::new(&decoded[colon + 1..])));
    }
    if let Body::Form(form) = &question.body {
        let values = url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value);
        secrets.extend(values.map(|value| Secret::new(value.as_bytes())));
    }
    secrets
}
