//! A controller as a process of its own, at the end of a wire.

use std::ffi::OsString;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;

use crate::apart::{Apart, HOME};
use crate::ground::ground;
use crate::wire::Wire;

/// A replica, which ends with this value.
pub(crate) struct Replica {
    /// The name of its pod.
    pub(crate) name: String,
    /// Its wire.
    pub(crate) wire: Wire,
    program: Vec<OsString>,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Replica {
    /// Starts one, with `program` before its own name, such as `faketime`.
    pub(crate) async fn start(
        apart: &Apart,
        name: &str,
        port: u16,
        program: &[&str],
        arguments: &[&str],
    ) -> Self {
        let mut kubeconfig = serde_json::to_value(&apart.kubeconfig).unwrap();
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned();
        let (wire, url) = Wire::lay(&server).await;
        kubeconfig["clusters"][0]["cluster"] = json!({"server": url});
        let directory = ground().logs().join(format!("replica-{name}"));
        fs::create_dir_all(&directory).unwrap();
        fs::copy(ground().ca(), directory.join("ca.crt")).unwrap();
        let path = ground().logs().join(format!("kubeconfig-{name}"));
        fs::write(&path, kubeconfig.to_string()).unwrap();
        let mut words: Vec<OsString> = program.iter().map(OsString::from).collect();
        words.push(crate::apart::program());
        let arguments = ["run", &format!("--namespace={HOME}"), &format!("--pod-name={name}")]
            .into_iter()
            .chain([format!("--ca-directory={}", directory.display()).as_str()])
            .chain([format!("--listen=127.0.0.1:{port}").as_str()])
            .chain(arguments.iter().copied())
            .map(str::to_owned)
            .collect();
        let child = spawn(&words, &arguments, name);
        Self { name: name.to_owned(), wire, program: words, port, arguments, child }
    }

    /// Kills it with a signal that it cannot catch, and starts it again.
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it with a signal that it cannot catch.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.program, &self.arguments, &self.name);
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.unwrap().success());
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

fn spawn(program: &[OsString], arguments: &Vec<String>, name: &str) -> Child {
    let log = ground().logs().join(format!("replica-{name}.log"));
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(&program[0])
        .args(&program[1..])
        .args(arguments)
        .env("KUBECONFIG", ground().logs().join(format!("kubeconfig-{name}")))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
