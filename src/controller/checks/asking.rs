//! Asking: one probe of a registry, when it is its turn.

use crate::api::RegistryCheck;
use crate::evidence::Evidence;
use crate::image::ImageRef;
use crate::probe::Options;
use crate::server::Work;

use super::super::{Context, clock, due};
use super::probing::{Ground, Lax, Question};

/// Waits for the turn, and probes.
pub(super) async fn ask(
    context: &Context,
    check: &RegistryCheck,
    ground: &Ground,
    (_, source, platform, of_spec): &Question<'_>,
    image: &ImageRef,
    work: &Work,
) -> Evidence {
    let prober = match &ground.lax {
        Lax::Yes(prober, _) if *of_spec => prober,
        Lax::No | Lax::Yes(..) | Lax::Refused(_) => &context.prober,
    };
    let access = ground.access(source, image);
    let options =
        Options { platform: *platform, ..Options::within(due::timeout(&check.spec), clock::now()) };
    let unattached = ground.unattached(source, image);
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    work.waits();
    let turn = context.budget.probe(image.registry(), namespace).await;
    work.gets_on();
    let (evidence, control) = prober.probe_for_pod(image, &access, unattached, options).await;
    drop(turn);
    work.gets_on();
    context.telemetry.probed(&evidence);
    if let Some(control) = control {
        context.telemetry.probed(&control);
    }
    evidence
}
