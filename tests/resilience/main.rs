//! What the controller does while others fail: `make failover` loses the one of two controllers
//! that leads, and `make chaos` breaks everything around one, in an order that a seed gives.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::env;
use std::process::ExitCode;

#[expect(dead_code, reason = "the end-to-end tests use the rest")]
#[path = "../end_to_end/apart.rs"]
mod apart;
mod chaos;
mod failover;
mod faults;
#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "../ground.rs"]
mod ground;
mod patience;
#[path = "../played.rs"]
mod played;
mod registry;
mod replica;
#[path = "../served.rs"]
mod served;
mod told;
mod wire;
mod world;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["failover", rounds] => failover::run(rounds.parse().unwrap()).await,
        ["chaos", seed, faults] => chaos::run(seed.parse().unwrap(), faults.parse().unwrap()).await,
        _ => panic!("usage: failover ROUNDS | chaos SEED FAULTS"),
    }
}
