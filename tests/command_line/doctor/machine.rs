//! A machine with an engine, credential helpers and files, all in one directory.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::command_line::{Outcome, hold_no_canary};

/// A machine with a home of its own, which goes with the test.
pub(crate) struct Machine {
    directory: PathBuf,
    variables: Vec<(String, String)>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("registrycheck-doctor-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("bin")).unwrap();
        fs::create_dir_all(directory.join("run")).unwrap();
        Self { directory, variables: Vec::new() }
    }

    /// One with an engine of today, which is all that it needs.
    pub(crate) fn in_order() -> Self {
        let machine = Self::new();
        let docker = r#"{"Version":"27.3.1","Components":[{"Name":"Engine","Version":"27.3.1"}]}"#;
        machine.with_engine("docker.sock", docker).with("DOCKER_HOST", "unix://HOME/docker.sock")
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The same with a variable; `HOME` stands in it for the machine's directory.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let home = self.directory.display().to_string();
        self.variables.push((name.to_owned(), value.replace("HOME", &home)));
        self
    }

    pub(crate) fn with_file(self, name: &str, content: &str) -> Self {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// The same with Docker's file.
    pub(crate) fn with_config(self, config: &Value) -> Self {
        self.with_file(".docker/config.json", &config.to_string())
    }

    /// The same with a credential helper, whose standard input is its `$server`.
    pub(crate) fn with_helper(self, name: &str, script: &str) -> Self {
        let name = format!("bin/docker-credential-{name}");
        let script = format!("#!/bin/sh\n[ \"$1\" = get ] || exit 9\nserver=$(cat)\n{script}\n");
        let machine = self.with_file(&name, &script);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.directory.join(name), mode).unwrap();
        machine
    }

    /// The same with somebody at a socket who answers each request with 200 and this body.
    pub(crate) fn with_engine(self, socket: &str, body: &str) -> Self {
        let listener = UnixListener::bind(self.directory.join(socket)).unwrap();
        let body = body.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                assert_eq!(first, "GET /version HTTP/1.1");
                let _ = lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        self
    }

    /// What the program says of this machine. Nothing that it writes holds a canary.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_registrycheck"))
            .arg("doctor")
            .args(arguments)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin")))
            .env("HOME", &self.directory)
            .env("XDG_RUNTIME_DIR", self.directory.join("run"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        hold_no_canary(&[&out, &err]);
        Outcome { status: output.status.code().unwrap(), out, err }
    }

    /// What it says of this machine and perhaps a registry, by its status and its first finding;
    /// `""` for none.
    #[track_caller]
    pub(crate) fn says(&self, arguments: &[&str], status: i32, code: &str) -> Value {
        let outcome = self.doctor(&[arguments, &["-o", "json"]].concat());
        assert_eq!(outcome.status, status, "{arguments:?}: {}{}", outcome.out, outcome.err);
        let document: Value = serde_json::from_str(&outcome.out).unwrap();
        let first = document["findings"][0]["code"].as_str().unwrap_or_default();
        assert_eq!(first, code, "{document:#}");
        document
    }
}
