use super::*;

#[test]
fn platforms() {
    check(
        &resolving("reg.test/a:1", "no match for platform in manifest: not found"),
        Code::PlatformMismatch,
        Certain,
    );
    check(
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        Code::PlatformMismatch,
        Certain,
    );
    check(
        "no matching manifest for windows/amd64 10.0.17763 in the manifest list entries",
        Code::PlatformMismatch,
        Certain,
    );
    check(
        "choosing image instance: no image found in image index for architecture \"arm64\", variant \"v8\", OS \"linux\"",
        Code::PlatformMismatch,
        Certain,
    );
    check(
        "image operating system \"windows\" cannot be used on this platform",
        Code::PlatformMismatch,
        Certain,
    );
}

#[test]
fn kinds_of_content() {
    check(
        "failed to pull and unpack image \"reg.test/a:1\": failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:12: not found",
        Code::NotARegistry,
        Likely,
    );
    check(
        "failed to pull and unpack image \"reg.test/a:1\": failed to unpack image on snapshotter overlayfs: mismatched image rootfs and manifest layers",
        Code::ManifestUnsupported,
        Likely,
    );
    check(
        "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest version 2, schema 1 support is disabled by default and will be removed in an upcoming release.",
        Code::ManifestUnsupported,
        Certain,
    );
    check(
        "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported since containerd v2.1, please rebuild the image",
        Code::ManifestUnsupported,
        Certain,
    );
    check(
        "parsing image configuration: unsupported image-specific operation on artifact with type \"application/vnd.cncf.helm.config.v1+json\"",
        Code::ManifestUnsupported,
        Certain,
    );
}

#[test]
fn broken_content() {
    check(
        "failed commit on ref \"layer-sha256:12\": unexpected commit digest sha256:e3b0c442, expected sha256:12: failed precondition",
        Code::ContentCorrupted,
        Certain,
    );
    check(
        "failed commit on ref \"layer-sha256:12\": \"layer-sha256:12\" failed size validation: 1 != 2: failed precondition",
        Code::ContentCorrupted,
        Certain,
    );
    check(
        "filesystem layer verification failed for digest sha256:12",
        Code::ContentCorrupted,
        Certain,
    );
    check(
        &copying("reg.test/a:1", "failed to read expected number of bytes: unexpected EOF"),
        Code::ContentCorrupted,
        Likely,
    );
    check("failed to extract layer sha256:12: unexpected EOF", Code::ContentCorrupted, Likely);
}

#[test]
fn content_that_the_node_lacks() {
    const DIGEST: &str = "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270";
    for cause in [
        "failed to unpack image on snapshotter overlayfs",
        "failed to get reader from content store",
        "failed to resolve rootfs",
    ] {
        check_all(
            &format!(
                "failed to pull and unpack image \"reg.test/a:1\": {cause}: content digest {DIGEST}: not found"
            ),
            &[(Code::RuntimeFailure, Likely)],
        );
    }
    check(
        &format!(
            "Error: ErrImagePull: rpc error: code = NotFound desc = error unpacking image: failed to resolve rootfs: content digest {DIGEST}: not found"
        ),
        Code::RuntimeFailure,
        Likely,
    );
    check(
        &format!(
            "failed to unpack image on snapshotter overlayfs: could not fetch content descriptor {DIGEST} (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found"
        ),
        Code::LayerNotFound,
        Likely,
    );
}

#[test]
fn content_that_runtimes_do_not_take() {
    const SCHEMA: &str = "Pulling Schema 1 images have been deprecated and disabled by default since containerd v2.0. As a workaround you may set an environment variable `CONTAINERD_ENABLE_DEPRECATED_PULL_SCHEMA_1_IMAGE=1`, but this will be completely removed in containerd v2.1.";
    check(SCHEMA, Code::ManifestUnsupported, Certain);
    check(
        &format!("failed to get converter for \"docker.io/library/x:1\": {SCHEMA}"),
        Code::ManifestUnsupported,
        Certain,
    );
    check(
        "reading manifest 1 in reg.test/schema-1: a cache for schema 1 is disabled by default: unauthorized: authentication required",
        Code::CredentialRejected,
        Possible,
    );
    check(
        "failed to extract layer sha256:12: failed to get stream processor for application/vnd.in-toto+json: no processor for media-type: unknown",
        Code::ManifestUnsupported,
        Likely,
    );
    check(
        "encountered unknown type application/json; children may not be fetched",
        Code::ManifestUnsupported,
        Likely,
    );
    // It is a warning, behind which the cause may stand.
    check(
        "encountered unknown type application/json; children may not be fetched: failed to do request: Get \"https://reg.test/v2/a/blobs/sha256:12\": dial tcp 192.0.2.1:443: connect: connection refused",
        Code::ConnectionRefused,
        Certain,
    );
    check(
        "Digest of source image's manifest would not match destination reference",
        Code::ContentCorrupted,
        Likely,
    );
}

#[test]
fn an_image_of_another_architecture() {
    // It may be a warning, behind which the cause stands.
    check(
        "Image architecture mismatch: image uses \"amd64\", expecting one of \"arm64\"; reading manifest 1 in reg.test/a: manifest unknown",
        Code::TagNotFound,
        Likely,
    );
    for message in [
        "Image architecture mismatch: image uses \"amd64\", expecting \"arm64\"",
        "image architecture mismatch: image uses amd64, expecting arm64",
        "copying system image from manifest list: Image operating system mismatch: image uses \"windows\", expecting \"linux\"",
    ] {
        check(message, Code::PlatformMismatch, Likely);
    }
}

#[test]
fn configurations_that_are_no_images() {
    let config = "error pulling image configuration: image config verification failed for digest sha256:6502";
    check(config, Code::ContentCorrupted, Likely);
    check("invalid rootfs in image configuration", Code::ManifestUnsupported, Likely);
}

#[test]
fn other_words_for_what_is_no_image_or_no_registry() {
    check("unsupported schema version 2", Code::ManifestUnsupported, Likely);
    check("can't talk to a V1 docker registry", Code::NotARegistry, Likely);
    let base = "GET https://index.reg.test/v2/: unexpected status code 404 Not Found: <?xml version=\"1.0\"";
    check(base, Code::NotARegistry, Likely);
    check(
        "ref may only contain a single colon character (:)",
        Code::InvalidImageReference,
        Certain,
    );
}

#[test]
fn a_status_of_another_attempt_does_not_hide_how_the_first_one_ended() {
    let words = "happened during read: unexpected EOF (after reconnecting, fetching blob: StatusCode: \
        400, \"\")";
    assert_eq!(read(words)[0].code, Code::DataEndpointUnreachable, "{:?}", read(words));
}
