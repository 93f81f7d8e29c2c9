//! Documents of an image that are other than they say, or too much.

use sha2::{Digest as _, Sha256};

use super::{At, Behaviour, Document, Says};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":["sha256:aa"]}}"#;
const LAYER: &str = "the bytes of a layer";
/// The longest configuration that is read, in bytes.
const MOST: usize = 4 << 20;

pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

fn descriptor(type_: &str, digest: &str, size: usize) -> String {
    format!(r#"{{"mediaType":"{type_}","digest":"{digest}","size":{size}}}"#)
}

fn manifest(config: &str, layers: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layers}]}}"#
    )
}

fn config_of(digest: &str, size: usize) -> String {
    descriptor("application/vnd.oci.image.config.v1+json", digest, size)
}

fn layer_of(digest: &str, size: usize) -> String {
    descriptor("application/vnd.oci.image.layer.v1.tar+gzip", digest, size)
}

fn document(path: &str, type_: &str, body: impl Into<Vec<u8>>) -> Document {
    let headers = format!("Content-Type: {type_}\r\n");
    Document { path: path.to_owned(), headers, body: body.into() }
}

fn blob(body: &str) -> Document {
    document(&digest(body.as_bytes()), "application/octet-stream", body)
}

/// An image whose configuration is this, as its tag's document says of it.
fn image(config: &str) -> Vec<Document> {
    let layer = layer_of(&digest(LAYER.as_bytes()), LAYER.len());
    let body = manifest(&config_of(&digest(config.as_bytes()), config.len()), &layer);
    let by_digest = document(&digest(body.as_bytes()), MANIFEST, body.clone());
    vec![document("/manifests/v1", MANIFEST, body), by_digest, blob(config), blob(LAYER)]
}

/// The image that a registry serves where nothing is wrong.
pub(super) fn good() -> Vec<Document> {
    image(CONFIG)
}

pub(super) fn behaviours() -> Vec<Behaviour> {
    let with = |name, documents, code| {
        Behaviour::new(name, At::Content, Says::Documents(documents), code).at_most(24 << 10)
    };
    let top = |name, type_, body: String, code| {
        let by_digest = document(&digest(body.as_bytes()), type_, body.clone());
        let by_tag = document("/manifests/v1", type_, body);
        with(name, vec![by_tag, by_digest, blob(CONFIG), blob(LAYER)], code)
    };
    let (config, layer) = (digest(CONFIG.as_bytes()), digest(LAYER.as_bytes()));
    let config_size = CONFIG.len();
    let config_of_size = |size| manifest(&config_of(&config, size), &layer_of(&layer, LAYER.len()));
    let layers = |entry: &str, count: usize| {
        let list = vec![entry; count].join(",");
        manifest(&config_of(&config, config_size), &list)
    };
    let itself = format!("sha512:{}", "a".repeat(128));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(INDEX, &itself, 0));
    let paths = ["/manifests/v1", &digest(index.as_bytes()), &itself];
    let circle = paths.map(|path| document(path, INDEX, index.clone())).into();
    let many = format!(r#"{{"rootfs":{{"diff_ids":[0{}]}}}}"#, ",0".repeat(999));
    let layer_many = vec![layer_of(&layer, LAYER.len()); 1_000].join(",");
    let of_many = manifest(&config_of(&digest(many.as_bytes()), many.len()), &layer_many);
    let paths = ["/manifests/v1", &digest(of_many.as_bytes())];
    let mut thousand: Vec<_> = paths.map(|path| document(path, MANIFEST, of_many.clone())).into();
    thousand.extend([blob(&many), blob(LAYER)]);
    // Padded to just what is read, of values that take the most room when they are kept.
    let padded = |unit: &str| {
        let rest = &CONFIG[1..];
        let room = (MOST - rest.len() - 20) / unit.len();
        format!(r#"{{"x":[{}0],{rest}"#, unit.repeat(room))
    };
    let names = format!("{{{}{}", "\"\":0,".repeat((MOST - 200) / 5), &CONFIG[1..]);
    let long = "a".repeat(3 << 20);
    vec![
        top(
            "layers-by-the-hundred-thousand",
            MANIFEST,
            layers("{}", 100_000),
            "ManifestUnsupported",
        ),
        with("layers-by-the-thousand", thousand, "Pullable"),
        top(
            "layer-of-lying-size",
            MANIFEST,
            layers(&layer_of(&layer, 1 << 50), 1),
            "ContentCorrupted",
        ),
        top("config-longer-than-said", MANIFEST, config_of_size(1), "ContentCorrupted"),
        top("config-shorter-than-said", MANIFEST, config_of_size(MOST), "ContentCorrupted"),
        top("config-of-a-petabyte", MANIFEST, config_of_size(1 << 50), "Pullable"),
        top(
            "manifest-of-3-megabytes-of-type",
            MANIFEST,
            manifest(&descriptor(&long, &config, config_size), ""),
            "ManifestUnsupported",
        ),
        top(
            "manifest-of-a-long-digest",
            MANIFEST,
            manifest(&config_of(&format!("sha256:{long}"), 1), ""),
            "ManifestUnsupported",
        ),
        top(
            "index-of-nobody",
            INDEX,
            format!(r#"{{"manifests":[{}{{}}]}}"#, "{},".repeat(900)),
            "ManifestUnsupported",
        ),
        with("index-of-itself", circle, "ManifestUnsupported"),
        with("config-of-a-million-numbers", image(&padded("0,")), "Pullable"),
        with("config-of-a-million-lists", image(&padded("[],")), "Pullable"),
        with("config-of-a-million-names", image(&names), "Pullable"),
    ]
}
