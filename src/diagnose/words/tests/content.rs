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
