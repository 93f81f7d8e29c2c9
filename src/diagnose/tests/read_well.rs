//! Words about an image's content, beside a probe that has read that content.

use crate::image::platform::Platform;

use super::agreement::{before, check_first, contradicted};
use super::*;

const PARTS: &[StepName] =
    &[StepName::Manifest, StepName::Platform, StepName::Config, StepName::Layer];

/// A pull that was served, as far as `steps`, for the platform of the node.
fn read(steps: &[StepName], own: Option<&str>) -> Evidence {
    let platform = own.and_then(Platform::parse);
    let mut served = attempt(Some("good"), End::Served { digest: None, platform });
    served.steps = steps.iter().map(|name| step(*name, true)).collect();
    let platform = Platform::parse("linux/amd64");
    Evidence { attempts: vec![served], platform, ..evidence() }
}

fn whole() -> Evidence {
    read(PARTS, Some("linux/amd64"))
}

fn pull(end: &str) -> Complaint {
    let cause = format!("failed to pull and unpack image \"{IMAGE}\": {end}");
    Complaint::PullFailed { cause }
}

const OTHER_PLATFORM: &str = "no match for platform in manifest: not found";
const MANIFEST_BYTES: &str = "failed to copy: failed commit on ref \"manifest-sha256:abc\": unexpected commit digest sha256:e3b0c442, expected sha256:abc: failed precondition";
const LAYER_BYTES: &str = "failed to copy: failed commit on ref \"layer-sha256:abc\": unexpected commit digest sha256:e3b0c442, expected sha256:abc: failed precondition";
const LAYER_GONE: &str = "failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:abc (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found";
const NO_WAY: &str = "failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://cdn.test/layer?sig=canary\": dial tcp 10.0.0.9:443: i/o timeout";

#[test]
fn what_the_probe_read_well_is_a_difference() {
    let table = [
        (OTHER_PLATFORM, "the node finds fault with what it is served"),
        (MANIFEST_BYTES, "the node finds fault with what it is served"),
        (LAYER_GONE, "is served r.test/shop/api:1 as far as the first byte of a layer"),
        (NO_WAY, "the node gets no answer from cdn.test"),
    ];
    for (words, says) in table {
        let diagnosis = contradicted(&whole(), &pull(words), true, &[]);
        check_first(&diagnosis, NotPullable, Code::NodeDisagrees, Likely);
        let message = &diagnosis.findings[0].message;
        assert!(message.contains(says) && !message.contains("canary"), "{message}");
        let stale = contradicted(&whole(), &pull(words), false, &[]);
        check_first(&stale, Pullable, Code::Pullable, Certain);
        let mended =
            contradicted(&whole(), &pull(words), true, &[before(Code::CredentialRejected)]);
        check_first(&mended, Pullable, Code::Pullable, Certain);
    }
}

#[test]
fn where_the_probe_did_not_come_the_words_lead() {
    use StepName::{Config, Layer, Manifest, Platform};
    let to = |steps: &[StepName]| read(steps, Some("linux/amd64"));
    let unknown = || Evidence { platform: None, ..whole() };
    let table = [
        (to(&[Manifest]), OTHER_PLATFORM, Code::PlatformMismatch),
        (unknown(), OTHER_PLATFORM, Code::PlatformMismatch),
        (read(PARTS, Some("linux/arm64")), OTHER_PLATFORM, Code::PlatformMismatch),
        (to(&[Manifest, Platform]), MANIFEST_BYTES, Code::ContentCorrupted),
        (unknown(), MANIFEST_BYTES, Code::ContentCorrupted),
        (whole(), LAYER_BYTES, Code::ContentCorrupted),
        (to(&[Manifest, Platform, Config]), LAYER_GONE, Code::LayerNotFound),
        (unknown(), LAYER_GONE, Code::LayerNotFound),
        (to(&[Manifest, Platform, Config]), NO_WAY, Code::DataEndpointUnreachable),
        (to(&[Layer]), LAYER_GONE, Code::LayerNotFound),
    ];
    for (evidence, words, code) in table {
        let fresh = contradicted(&evidence, &pull(words), true, &[]);
        check_first(&fresh, NotPullable, code, fresh.findings[0].confidence);
        let old = contradicted(&evidence, &pull(words), false, &[]);
        check_first(&old, NotPullable, code, old.findings[0].confidence);
        assert!(old.findings[0].confidence > Certain, "it may have been mended since");
    }
    // A layer's way needs no platform.
    let diagnosis = contradicted(&unknown(), &pull(NO_WAY), false, &[]);
    check_first(&diagnosis, Pullable, Code::Pullable, Certain);
}
