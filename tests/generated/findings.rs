//! `docs/findings.md`: the catalogue as a page to read.

use std::fmt::Write as _;

use registrycheck::diagnose::catalogue::{Code, Row, Stage, how_bad, who};
use registrycheck::diagnose::remedy::{Part, parts};

const INTRODUCTION: &str = "\
<!-- Made from src/diagnose/catalogue by `make update`. -->

# Findings

A finding says one thing that is wrong with a pull, or that nothing is. It stands in the status of a
RegistryCheck (`kubectl describe registrycheck`), in Events on the check and on the pods, and in the
answers of the command line. `registrycheck explain CODE` prints what this page has.

## How to read one

- **Code**: the name of what is wrong, and the same everywhere: the reason of Ready and of Events, and
  the label `code` of `registrycheck_affected_pods`. Codes are public. None is renamed or used for
  something else after a release.
- **Severity**: `Error` stops a pull. `Warning` does not stop one now, or leaves open whether it does.
  `Info` says that nothing is wrong. What is an error here is written as a warning where the pull gets
  on all the same, as with the second of two pull secrets.
- **Confidence**: `Certain` is what was seen and has no other explanation. `Likely` is the best
  explanation of what was seen, where something that could not be seen may change it. `Possible` is
  one of several. Where pods fail, a check is not ready, however sure the cause is.
- **Owner**: who can mend it. `Workload` is whoever wrote the pod, its secrets and its service account;
  `Registry` whoever runs the registry; `Network` whoever runs the network, its names and its
  certificates; `Identity` whoever gives identities their rights; `Cluster` whoever runs the cluster
  and its nodes.
- **Message and remedy**: what is wrong, then what to do. A finding has the names of the case in its
  commands. On this page, words in capitals stand for them: `NAMESPACE`, `SECRET` (the pull secret),
  `IMAGE`, `REGISTRY` (its host), `REPOSITORY` (the image's path), `HOST` (the host that does not
  answer, which may be the registry, its token service or its data host), `REGISTRYNAME` (the
  registry's name in Azure), `CLIENT_ID` and `OBJECTID` (of an identity) and `ACCOUNT` (its service
  account). What only you know stays in capitals: `USER`, `PASSWORD`, `GROUP`,
  `CLUSTER`, `NODE` and so on.

The first finding of a check is the cause. Of several, errors come before warnings, the surer before
the less sure, and what comes earlier in a pull before what comes later.

[Registries of Azure](azure.md) says which of these a cause from Azure's own pages is.

";

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("## All codes\n\n| code | what it is |\n|---|---|\n");
    for code in Code::ALL {
        let anchor = code.as_str().to_lowercase();
        let _ = writeln!(page, "| [{code}](#{anchor}) | {} |", code.row().title);
    }
    for stage in Stage::ALL {
        let _ = writeln!(page, "\n## {}", with_capital(&stage.to_string()));
        let rows = Code::ALL.iter().map(|code| code.row());
        for row in rows.filter(|row| row.stage == *stage) {
            describe(&mut page, row);
        }
    }
    page
}

fn describe(page: &mut String, row: &Row) {
    let _ = writeln!(page, "\n### {}\n\n**{}** {}\n", row.code, row.title, row.meaning);
    let _ = writeln!(page, "- Severity: {}.", how_bad(row.severity));
    let _ = writeln!(page, "- Owner: {:?}, {}.", row.owner, who(row.owner));
    let source = row
        .url
        .map_or_else(|| format!("{}.", row.source), |url| format!("[{}]({url}).", row.source));
    let _ = writeln!(page, "- Source: {source}\n");
    steps(page, row.remedy);
    if let Some(azure) = row.azure {
        page.push_str("\nOr, for a registry of Azure:\n\n");
        steps(page, azure);
    }
}

fn steps(page: &mut String, remedy: &str) {
    let mut is_after_command = false;
    for part in parts(remedy) {
        match part {
            Part::Words(words) => {
                let gap = if is_after_command { "\n" } else { "" };
                let _ = writeln!(page, "{gap}{words}");
                is_after_command = false;
            }
            Part::Command(command) => {
                let _ = writeln!(page, "\n```\n{command}\n```");
                is_after_command = true;
            }
        }
    }
}

fn with_capital(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
}
