//! `make chart-test`: the chart by the real helm on the real cluster. Every form of it is applied as
//! far as the API server's own validation goes, and one is installed, upgraded, rolled back and
//! uninstalled. It prints what it did, and ends where something is wrong.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::time::Instant;

mod forms;
#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "../ground.rs"]
mod ground;
mod helm;
mod leftovers;
#[expect(dead_code, reason = "the integration tests compare the manifests")]
mod matrix;
mod release;
mod webhook;

/// One thing that is shown, with its result and how long it took.
fn said(begun: Instant, what: &str, result: &str) {
    println!("{:>5.1} s  {what:<38}  {result}", begun.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    println!("\nEvery form of the chart, by the API server's own strict validation\n");
    forms::check_all();
    println!("\nOne release, from its installation to its end\n");
    ground::load_image();
    release::live().await;
    println!("\nOne release that warns at kubectl apply\n");
    webhook::live().await;
}
