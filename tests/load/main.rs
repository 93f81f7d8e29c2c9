//! What many pods cost: healthy ones, ones that fail within a minute, and ones of which each wants
//! an image of its own; and many checks that go on. It asserts nothing: the table is for whoever reads it.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

#[expect(dead_code, reason = "the end-to-end tests use the rest")]
#[path = "../end_to_end/apart.rs"]
mod apart;
mod collect;
mod contender;
#[path = "../figures.rs"]
mod figures;
#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "../ground.rs"]
mod ground;
mod images;
#[path = "../played.rs"]
mod played;
#[path = "../process.rs"]
mod process;
mod registry;
mod rest;
#[path = "../served.rs"]
mod served;
mod storm;
mod tail;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["rest"] => rest::rest().await,
        ["storm", pods] => storm::storm(pods.parse().unwrap()).await,
        ["images", count] => images::images(count.parse().unwrap()).await,
        ["turns", count] => images::turns(count.parse().unwrap()).await,
        ["tail", intervals] => tail::tail(intervals.parse().unwrap()).await,
        ["collect", lines, document] => collect::collect(lines, document),
        ["reflector", kubeconfig] => contender::reflect(kubeconfig).await,
        _ => panic!(
            "usage: load rest, load storm PODS, load images COUNT, load turns COUNT, or load tail INTERVALS"
        ),
    }
}

/// A number of things, as figures have it.
fn exact(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
