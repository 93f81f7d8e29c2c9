//! Contenders: the controller, and what it is compared with. Each runs as a process of its own, is
//! ready at some time, and has a size.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Config};

use crate::apart::{Apart, HOME, Running};
use crate::ground::{ground, signal};
use crate::process::memory;

/// How long to wait until one is ready.
const PATIENCE: Duration = Duration::from_secs(300);
/// Where the controller answers.
const ADDRESS: &str = "127.0.0.1:18096";

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The controller.
    Registrycheck,
    /// What kube's own documentation shows to keep all pods at hand.
    Reflector,
    /// What controllers in Go have: a shared informer of pods.
    Informer,
}

impl Who {
    /// How it is called in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Registrycheck => "registrycheck",
            Self::Reflector => "kube-rs reflector",
            Self::Informer => "client-go informer",
        }
    }
}

/// One that runs.
pub(crate) struct Contender {
    running: Running,
    /// From its start until it had all pods.
    pub(crate) until_ready: Duration,
}

impl Contender {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(who: Who, apart: &Apart, extra: &[&str]) -> Self {
        let begun = Instant::now();
        let running = match who {
            Who::Registrycheck => {
                let home = format!("--namespace={HOME}");
                let listen = format!("--listen={ADDRESS}");
                let arguments: Vec<&str> =
                    [&home as &str, &listen].iter().chain(extra).copied().collect();
                let running = apart.controller(&apart.kubeconfig, &arguments);
                while !leads_and_is_ready().await.unwrap_or_default() {
                    assert!(begun.elapsed() < PATIENCE, "the controller is not ready");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                running
            }
            Who::Reflector => says_ready(
                Command::new(std::env::current_exe().unwrap())
                    .arg("reflector")
                    .arg(kubeconfig(apart)),
            ),
            Who::Informer => {
                let bench = std::env::var_os("REGISTRYCHECK_BENCH");
                let bench = bench.expect("REGISTRYCHECK_BENCH names the program with the informer");
                says_ready(Command::new(bench).arg("inform").arg(kubeconfig(apart)))
            }
        };
        Self { running, until_ready: begun.elapsed() }
    }

    /// Ends it as Kubernetes does, so that it gives its lease back, and waits for that.
    pub(crate) fn end(mut self) {
        signal("-TERM", self.child().id());
        self.running.0.wait().unwrap();
    }

    fn child(&self) -> &Child {
        &self.running.0
    }

    /// A size that `/proc/ID/status` states, in MB.
    pub(crate) fn megabytes(&self, what: &str) -> f64 {
        f64::from(u32::try_from(memory(self.child().id(), what)).unwrap()) * 1_024.0 / 1e6
    }

    /// Seconds of processor that it has used (proc(5): utime and stime, of 1/100 s).
    pub(crate) fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child().id())).unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks = after_name.split(' ').skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }

    /// How many sockets it has open.
    pub(crate) fn sockets(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child().id())).unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// MB that it has received over the connections that are open (ss(8)).
    pub(crate) fn received(&self) -> f64 {
        let output = Command::new("ss").args(["-tinpH"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mine = format!("pid={},", self.child().id());
        let lines: Vec<&str> = text.lines().collect();
        let of_mine = lines.windows(2).filter(|pair| pair[0].contains(&mine));
        let bytes = of_mine.filter_map(|pair| {
            let value = pair[1].split("bytes_received:").nth(1)?;
            value.split_whitespace().next()?.parse::<f64>().ok()
        });
        bytes.sum::<f64>() / 1e6
    }
}

fn kubeconfig(apart: &Apart) -> PathBuf {
    let file = ground().logs().join("contender.kubeconfig");
    std::fs::write(&file, serde_json::to_string(&apart.kubeconfig).unwrap()).unwrap();
    file
}

fn says_ready(command: &mut Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Running(child)
}

async fn leads_and_is_ready() -> reqwest::Result<bool> {
    let get = |path: &str| reqwest::get(format!("http://{ADDRESS}{path}"));
    let metrics = get("/metrics").await?.text().await?;
    let leads = metrics.contains("\nregistrycheck_leader 1\n");
    Ok(leads && get("/readyz").await?.status().is_success())
}

/// Is the reflector.
pub(crate) async fn reflect(kubeconfig: &str) {
    let _other = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let pods: Api<Pod> = Api::all(Client::try_from(config).unwrap());
    let (store, writer) = reflector::store();
    let watch = watcher(pods, watcher::Config::default()).default_backoff();
    let mut events = watch.reflect(writer).applied_objects().boxed();
    let reads = async { while events.next().await.is_some() {} };
    let says = async {
        store.wait_until_ready().await.unwrap();
        println!("ready");
    };
    tokio::join!(reads, says);
}
