//! A controller as a process of its own, at the end of a wire.

use std::process::{Child, Command};
use std::time::Instant;

use serde_json::json;

use crate::apart::{self, Apart, HOME};
use crate::ground::signal;
use crate::wire::Wire;

/// A replica, which ends with this value.
pub(crate) struct Replica {
    /// The name of its pod.
    pub(crate) name: String,
    /// Its wire.
    pub(crate) wire: Wire,
    port: u16,
    command: Command,
    child: Child,
}

impl Replica {
    /// Starts one, with `before` in front of its program, such as `env` and variables.
    pub(crate) async fn start(
        apart: &Apart,
        name: &str,
        port: u16,
        before: &[&str],
        arguments: &[&str],
    ) -> Self {
        let mut kubeconfig = serde_json::to_value(&apart.kubeconfig).unwrap();
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned();
        let (wire, url) = Wire::lay(&server).await;
        kubeconfig["clusters"][0]["cluster"] = json!({"server": url});
        let own = [
            format!("--namespace={HOME}"),
            format!("--pod-name={name}"),
            format!("--listen=127.0.0.1:{port}"),
        ];
        let all: Vec<&str> =
            own.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        let mut command = apart::controller(name, before, &kubeconfig, &all);
        let child = command.spawn().unwrap();
        Self { name: name.to_owned(), wire, port, command, child }
    }

    /// Kills it with a signal that it cannot catch, and starts it again.
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        self.child = self.command.spawn().unwrap();
    }

    /// Kills it with a signal that it cannot catch.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&format!("-{name}"), self.child.id());
    }

    /// What it serves at a path; `None` where it serves nothing.
    pub(crate) async fn served(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = reqwest::get(url).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// When it wrote anything but its Lease after a moment, and what; as far as its wire saw it.
    pub(crate) fn wrote_after(&self, moment: Instant) -> Vec<String> {
        let writes = self.wire.writes();
        let after = writes.iter().filter(|write| write.at > moment);
        let words = after.filter(|write| !write.path.contains("/leases"));
        words.map(|write| format!("{} {}", write.method, write.path)).collect()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
