//! Asking: a probe of a registry, when it is its turn and nobody has just asked the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::api::RegistryCheck;
use crate::evidence::Evidence;
use crate::image::ImageRef;
use crate::probe::{Options, Prober};
use crate::server::Work;
use crate::target::Target;

use super::super::{Context, clock, due};
use super::memory::{is_asked_for, knows, renewed};
use super::probing::{Ground, Lax, Question, question};
use super::round::Known;
use super::sharing::{AGAIN, Answer, Asked, LONGEST};

/// How many images of one check are probed at once.
pub(super) const PROBES_AT_ONCE: usize = 4;
/// After how long no more of them are begun in one look: what is known is written, and the others
/// are asked for in the next look.
const A_WHILE: Duration = Duration::from_secs(10);

/// What is to be asked about targets, each question once and in its turn.
pub(super) fn in_turn<'target>(
    targets: impl Iterator<Item = &'target Target>,
    ground: &'target Ground,
    known: &Known,
) -> Vec<(Question<'target>, ImageRef)> {
    let mut seen = BTreeSet::new();
    let questions = known.in_turn(targets).into_iter().filter_map(|target| {
        let question = question(target, ground);
        let image = ImageRef::parse(&target.image).ok()?;
        seen.insert(question).then_some((question, image))
    });
    questions.collect()
}

/// The answers to these questions, in this order and as far as they could be asked in a while. What is not asked yet
/// takes no room: each question that is under way takes kilobytes.
pub(super) async fn ask_all<'target>(
    context: &Context,
    check: &RegistryCheck,
    ground: &Ground,
    questions: Vec<(Question<'target>, ImageRef)>,
    work: &Work,
) -> BTreeMap<Question<'target>, Arc<Evidence>> {
    let began = Instant::now();
    let mut questions = questions.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut answers = BTreeMap::new();
    loop {
        while under_way.len() < PROBES_AT_ONCE
            && began.elapsed() < A_WHILE
            && let Some((question, image)) = questions.next()
        {
            under_way.push(async move {
                let evidence = ask(context, check, ground, &question, &image, work).await;
                (question, evidence)
            });
        }
        let Some((question, evidence)) = under_way.next().await else { return answers };
        answers.insert(question, evidence);
    }
}

/// Waits for the turn and probes, or waits for what another check asks or has asked.
async fn ask(
    context: &Context,
    check: &RegistryCheck,
    ground: &Ground,
    (written, source, platform, of_spec): &Question<'_>,
    image: &ImageRef,
    work: &Work,
) -> Arc<Evidence> {
    let asked = Arc::new(Asked {
        image: image.clone(),
        platform: platform.cloned(),
        access: ground.access(source, image),
        unattached: ground.unattached(source, image),
        timeout: due::timeout(&check.spec),
    });
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let turn_of_own = || context.budget.turn(image.registry(), namespace);
    work.waits();
    let (prober, answer, turn) = match &ground.lax {
        // What the spec allows is allowed to no other check.
        Lax::Yes(prober, _) if *of_spec => (prober, Answer::default(), None),
        Lax::No | Lax::Yes(..) | Lax::Refused(_) => {
            let prober = &context.prober;
            let is_new = !of_spec && !knows(context, check, written, source);
            let within = within(context, check, if is_new { LONGEST } else { AGAIN });
            if let Some(answer) = context.answers.known(&asked, within) {
                (prober, answer, None)
            } else {
                let turn = turn_of_own().await;
                let (answer, is_new) = context.answers.join(&asked, within);
                (prober, answer, is_new.then_some(turn))
            }
        }
    };
    let awaited = answer.get_or_init(|| async {
        // Whoever asked before may have given it up.
        let turn = match turn {
            Some(turn) => turn,
            None => turn_of_own().await,
        };
        context.budget.pace(image.registry()).await;
        work.gets_on();
        let evidence = probe(context, prober, &asked).await;
        drop(turn);
        Arc::new(evidence)
    });
    let evidence = Arc::clone(awaited.await);
    work.gets_on();
    evidence
}

/// How old an answer may be: what somebody asks for by hand is answered anew, in however many looks.
fn within(context: &Context, check: &RegistryCheck, longest: Duration) -> Duration {
    if is_asked_for(context, check) {
        return Duration::ZERO;
    }
    let longest = longest.min(due::interval(&check.spec) * 3 / 4);
    renewed(context, check).map_or(longest, |ago| longest.min(ago))
}

async fn probe(context: &Context, prober: &Prober, asked: &Asked) -> Evidence {
    let Asked { image, platform, access, unattached, timeout } = asked;
    let options =
        Options { platform: platform.as_ref(), ..Options::within(*timeout, clock::now()) };
    let (evidence, control) =
        prober.probe_for_pod(image, access, unattached.clone(), options).await;
    context.telemetry.probed(&evidence);
    if let Some(control) = control {
        context.telemetry.probed(&control);
    }
    evidence
}
