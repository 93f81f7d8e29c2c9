//! A whole image of one small layer, as a registry serves it.

use std::sync::LazyLock;

use super::server::{Request, Response};

pub(super) const CONFIG: &str =
    r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:aa"]}}"#;
pub(super) const LAYER: &str = "the bytes of a layer";
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The manifest's document.
pub(super) static MANIFEST: LazyLock<String> = LazyLock::new(|| manifest_of(CONFIG, LAYER));

/// The digest of a text.
pub(super) fn digest(text: &str) -> String {
    super::super::content::sha256(text.as_bytes())
}

/// A manifest of one configuration and one layer.
pub(super) fn manifest_of(config: &str, layer: &str) -> String {
    let part = |media_type: &str, text: &str| {
        serde_json::json!({
            "mediaType": media_type, "digest": digest(text), "size": text.len(),
        })
    };
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": part("application/vnd.oci.image.config.v1+json", config),
        "layers": [part("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    })
    .to_string()
}

/// The image's own digest.
pub(super) fn own_digest() -> String {
    digest(&MANIFEST)
}

/// What the registry answers to whom it lets in.
pub(super) fn serve(request: &Request) -> Response {
    if let Some((_, blob)) = request.path().rsplit_once("/blobs/") {
        return match [CONFIG, LAYER].into_iter().find(|text| digest(text) == blob) {
            Some(text) => blob_of(request, text),
            None => Response::new(404).body(r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#),
        };
    }
    document(MANIFEST_TYPE, &MANIFEST)
}

/// A document under its digest.
pub(super) fn document(media_type: &str, text: &str) -> Response {
    Response::new(200)
        .with("Content-Type", media_type)
        .with("Docker-Content-Digest", digest(text))
        .body(text)
}

/// A blob, or its first byte where that is asked for.
pub(super) fn blob_of(request: &Request, text: &str) -> Response {
    match request.headers.get("range").map(String::as_str) {
        Some("bytes=0-0") => Response::new(206)
            .with("Content-Range", format!("bytes 0-0/{}", text.len()))
            .body(&text[..1]),
        _ => Response::new(200).body(text),
    }
}
