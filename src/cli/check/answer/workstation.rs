//! What was looked at on a machine, one line for each thing: its name, what came of it, and what
//! was seen.

use serde::Serialize;

use crate::cli::words::printable;
use crate::evidence::workstation::{
    Choice, Client, ClientFile, Engine, EngineSeen, FileSeen, Helper, HelperSeen, PassedOver,
    Program, ProgramSeen, Workstation,
};
use crate::report::probes::duration;

/// One thing that was looked at.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LookedAt {
    name: &'static str,
    result: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip)]
    micros: Option<u64>,
}

const PASSED: &str = "passed";
const FAILED: &str = "failed";
const SKIPPED: &str = "skipped";

impl LookedAt {
    fn new(name: &'static str, result: &'static str, detail: String) -> Self {
        Self { name, result, detail, duration_ms: None, micros: None }
    }

    fn within(self, micros: u64) -> Self {
        let shown = u32::try_from(micros).unwrap_or(u32::MAX);
        Self { duration_ms: Some(f64::from(shown) / 1_000.0), micros: Some(micros), ..self }
    }
}

/// All that was looked at, in the order in which it was.
pub(super) fn looked_at(workstation: &Workstation) -> Vec<LookedAt> {
    let Workstation { programs, engines, files, helpers, choices, login: _ } = workstation;
    let mut found: Vec<LookedAt> = programs.iter().map(program).collect();
    found.extend(engines.iter().filter_map(engine));
    found.extend(no_engine(engines));
    found.extend(files.iter().map(file));
    found.extend(helpers.iter().map(helper));
    found.extend(choices.iter().flat_map(choice));
    found
}

/// `    Engine        2 ms  unix:///var/run/docker.sock: Docker 27.3.1`.
pub(super) fn line(looked_at: &LookedAt) -> String {
    let LookedAt { name, result, detail, micros, .. } = looked_at;
    let time = micros.map(duration).unwrap_or_default();
    let result = if *result == PASSED { String::new() } else { format!("{result}: ") };
    printable(&format!("    {name:<10} {time:>7}  {result}{detail}"))
}

fn program(program: &Program) -> LookedAt {
    let Program { name, seen, micros } = program;
    let (result, said) = match seen {
        ProgramSeen::Absent => (SKIPPED, " is not in PATH".to_owned()),
        ProgramSeen::Answered { product, version } => (PASSED, format!(": {product} {version}")),
        ProgramSeen::Failed { reason } => (SKIPPED, format!(", asked for its version, {reason}")),
    };
    LookedAt::new("Client", result, format!("{name}{said}")).within(*micros)
}

fn engine(engine: &Engine) -> Option<LookedAt> {
    let Engine { address, named_by, seen, micros, .. } = engine;
    let named = named_by.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let (result, said) = match seen {
        EngineSeen::Absent => return None,
        EngineSeen::Answered { product, version } => (PASSED, format!(": {product} {version}")),
        EngineSeen::Skipped { reason } => (SKIPPED, format!(": {reason}")),
        EngineSeen::Unavailable { failure } => (FAILED, format!(" {failure}")),
    };
    Some(LookedAt::new("Engine", result, format!("{address}{named}{said}")).within(*micros))
}

/// The usual places at which there is nothing, in one line.
fn no_engine(engines: &[Engine]) -> Option<LookedAt> {
    let absent = engines.iter().filter(|engine| engine.seen == EngineSeen::Absent);
    let places: Vec<&str> = absent.map(|engine| engine.address.as_str()).collect();
    let detail = || format!("no engine is at {}", places.join(", "));
    (!places.is_empty()).then(|| LookedAt::new("Engine", SKIPPED, detail()))
}

fn file(file: &ClientFile) -> LookedAt {
    let ClientFile { file, seen, .. } = file;
    let (result, said) = match seen {
        FileSeen::Absent => (SKIPPED, " is not there".to_owned()),
        FileSeen::Read { entries, store, helpers } => {
            let store = store.as_ref().map(|store| format!(", credsStore {store}"));
            let helpers = (*helpers > 0).then(|| format!(", {helpers} in credHelpers"));
            let beside: String = store.into_iter().chain(helpers).collect();
            (PASSED, format!(": {entries} in auths{beside}"))
        }
        FileSeen::Unreadable { reason } => (FAILED, format!(" cannot be read: {reason}")),
        FileSeen::Malformed { problem, line, column } => {
            (FAILED, format!(", line {line}, column {column}: {problem}"))
        }
    };
    LookedAt::new("Config", result, format!("{file}{said}"))
}

fn helper(helper: &Helper) -> LookedAt {
    let Helper { program, field, server, seen, micros, .. } = helper;
    let (result, said) = match seen {
        HelperSeen::Answered => (PASSED, "gives a login".to_owned()),
        HelperSeen::Nothing => (PASSED, "keeps no login".to_owned()),
        HelperSeen::Failed { failure } => (FAILED, failure.to_string()),
    };
    let detail = format!("{program} ({field}), asked for {server}: {said}");
    LookedAt::new("Helper", result, detail).within(*micros)
}

fn choice(choice: &Choice) -> Vec<LookedAt> {
    let Choice { client, used, passed_over } = choice;
    let name = match client {
        Client::Docker => "Docker",
        Client::Podman => "Podman",
    };
    let used = match used {
        Some(used) => format!("sends the login in {used}"),
        None => "sends no login".to_owned(),
    };
    let not_used = passed_over.iter().map(|PassedOver { file, key, reason }| {
        LookedAt::new(name, SKIPPED, format!("the entry {key} in {file} {reason}"))
    });
    [LookedAt::new(name, PASSED, used)].into_iter().chain(not_used).collect()
}
