//! The forms in which a secret could be written where it must not be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// How many digits of a digest tell which password it is of.
const DIGITS: usize = 16;

/// Plain, encoded for a URL, in base64 wherever it may begin in what was encoded, and as the
/// beginning of its digest.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let digest = format!("{:x}", Sha256::digest(secret));
    let mut forms = vec![secret.to_owned(), url, digest[..DIGITS].to_owned()];
    for before in ["", "0", "00"] {
        // Only the characters that depend on nothing before and after it.
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        let first = (before.len() * 4).div_ceil(3);
        let last = (before.len() + secret.len()) * 4 / 3;
        forms.push(encoded[first..last].to_owned());
    }
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn a_secret_is_found_in_each_form() {
    let secret = "s3cret/canary+1";
    for text in [
        format!("password={secret}"),
        "s3cret%2Fcanary%2B1".to_owned(),
        STANDARD_NO_PAD.encode(format!("alice:{secret}")),
        STANDARD_NO_PAD.encode(format!("{secret} and more")),
        STANDARD_NO_PAD.encode(format!("ab{secret}c")),
        format!("sha256:{:x}", Sha256::digest(secret)),
    ] {
        assert!(forms(secret).iter().any(|form| text.contains(form.as_str())), "{text}");
    }
}
