//! The page about how far one installation goes: its arithmetic is done here, from the figures of the
//! last `make bench` that was written down.

use super::benchmarks;

const PAGE: &str = include_str!("scale/page.md");
/// The limit of memory that the chart sets, in MB: 128 MiB.
const LIMIT: f64 = 134.2;
/// How many pods fail at once in the cluster that the page is about, in how many checks.
const ALL: f64 = 150_000.0;
const CHECKS: f64 = 5_000.0;

pub(super) fn page() -> String {
    let run = benchmarks::run();
    let ours = |part, what| benchmarks::ours(&run, part, what);
    let (rest_part, storm_part) = ("100000 pods, streaming", "storm of 10000 pods");
    let rest = ours(rest_part, "resident memory");
    let read = ours(rest_part, "received from the API server");
    let processor = ours(rest_part, "processor");
    let storm = ours(storm_part, "memory at most");
    let images = ours("2400 images of a registry, to the last", "memory at most");
    let tail = ours("2000 checks, ", "resident memory at the end");
    let creates = ours(storm_part, "creates of a check, at most");
    let writes = ours(storm_part, "status writes of a check, at most");
    let requests = ours(storm_part, "requests to the API server");
    let seconds = 60.0 + ours(storm_part, "last failing pod to last right status");
    let rate = requests / seconds;
    let writes_all = CHECKS * (creates + writes + 20.0);
    // Of so many of something, how many KB each took, and how many the limit holds.
    let each = |memory: f64, count: f64| {
        let kilobytes = (memory - rest) * 1_000.0 / count;
        let most = (LIMIT - rest) * 1_000.0 / kilobytes;
        (kilobytes, grouped((most / 100.0).floor() * 100.0))
    };
    let (storm_kb, storm_most) = each(storm, 10_000.0);
    let (image_kb, images_most) = each(images, 2_400.0);
    let (check_kb, checks_most) = each(tail, 2_000.0);
    let pod_ms = processor / 100.0;
    let values = [
        ("rest", format!("{rest:.0}")),
        ("read", format!("{read:.0}")),
        ("pod_kb", format!("{:.1}", read / 100.0)),
        ("read_all", format!("{:.2}", read * 1.5 / 1_000.0)),
        ("processor", format!("{processor:.1}")),
        ("pod_ms", format!("{pod_ms:.2}")),
        ("processor_all", format!("{:.0}", processor * 1.5)),
        ("changes", format!("{:.1}", 14.0 * pod_ms / 10.0)),
        ("storm", format!("{storm:.0}")),
        ("storm_kb", format!("{storm_kb:.1}")),
        ("storm_most", storm_most),
        ("images", format!("{images:.0}")),
        ("image_kb", format!("{image_kb:.1}")),
        ("images_most", images_most),
        ("tail", format!("{tail:.0}")),
        ("check_kb", format!("{check_kb:.0}")),
        ("checks_most", checks_most),
        ("creates", format!("{creates}")),
        ("writes", format!("{writes}")),
        ("requests", grouped(requests)),
        ("seconds", format!("{seconds:.0}")),
        ("rate", format!("{rate:.0}")),
        ("writes_all", grouped(writes_all)),
        ("minutes", format!("{:.0}", writes_all / rate / 60.0)),
        ("probes", format!("{}", ours(storm_part, "probes of images with one credential"))),
        ("limit", format!("{:.0}", rest + storm_kb * ALL / 1_000.0)),
        ("storm_processor", format!("{:.0}", ours(storm_part, "processor"))),
    ];
    let page = values
        .iter()
        .fold(PAGE.to_owned(), |page, (name, value)| page.replace(&format!("{{{name}}}"), value));
    assert!(!page.contains('{'), "a figure has no value");
    page
}

/// `21,000`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
