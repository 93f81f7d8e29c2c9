//! `docs/azure.md`: what the pages about registries of Azure say, which finding that is here, and
//! the case that reproduces it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use registrycheck::diagnose::catalogue::Code;
use registrycheck::diagnose::remedy::{Part, parts};
use serde::Deserialize;

mod rows;

use rows::{PAGES, Page, Row};

const INTRODUCTION: &str = "\
<!-- Made from tests/generated/azure/rows.rs, the catalogue and tests/azure/cases by `make update`. -->

# Registries of Azure

Azure's pages list causes for a pull that fails, and leave it to the reader to find out which of them
it is. Here stands, for each cause of each page, the [finding](findings.md) that says so by itself, the
first command of its remedy, and the cases in which a real kubelet meets that cause
([the lab of Azure](../tests/azure/README.md)). Words in capitals stand for names, which a finding
fills in as far as it knows them.

## The two ways to log in

`az aks check-acr` and the kubelet log in at a registry in different ways, so that either can work where
the other does not. `registrycheck check IMAGE --azure-config FILE`, asked on a node, goes both, and
says `CheckAcrDisagrees` where they differ. What the kubelet does is what counts for pulls.

| | the kubelet's credential provider | `az aks check-acr` |
|---|---|---|
| token | for the registry's audience, `https://containerregistry.azure.net` | for Azure Resource Manager |
| identity | that of the pod's service account where the node gives its provider tokens of it, else `userAssignedIdentityID` as client id or resource id | the node's, as a client id whatever it is |
| a service principal | its id and secret go to the registry as they are | Entra ID is asked for a token |
| pull secrets | tried before it | not looked at |
| repository, tag, layers | asked for by the pull | not asked for |
| a setting that makes them differ | | `azureADAuthenticationAsArmPolicy` |

A token that the registry gives for a repository says what it grants. One without `pull` is how a
missing role, a role that conditions on repositories do not heed, and one of the last 10 minutes all
look: `PullNotAuthorized` is never certain.
";

/// What the page needs to know of a case.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    page: String,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
struct Expected {
    codes: Vec<String>,
}

/// The cases, each with the name of its file.
fn cases() -> Vec<(String, Case)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azure/cases");
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(path).unwrap());
    }
    let mut cases = Vec::new();
    for (file, text) in files {
        let read: Vec<Case> = serde_yaml_ng::from_str(&text).unwrap();
        cases.extend(read.into_iter().map(|case| (file.clone(), case)));
    }
    cases
}

/// The cases of one row: those of its place that expect one of its codes.
fn of_row<'cases>(
    cases: &'cases [(String, Case)],
    page: &Page,
    row: &Row,
) -> Vec<(&'cases str, &'cases str)> {
    let shows = |case: &Case| {
        let is_here = row.place.unwrap_or(page.place) == case.page;
        is_here
            && row.codes.iter().any(|code| case.expect.codes.iter().any(|it| it == code.as_str()))
    };
    let cases = cases.iter().filter(|(_, case)| shows(case));
    cases.map(|(file, case)| (file.as_str(), case.name.as_str())).collect()
}

/// The whole page.
pub(crate) fn page() -> String {
    let cases = cases();
    let mut text = INTRODUCTION.to_owned();
    for page in PAGES {
        let _ = writeln!(text, "\n## {}\n\nFrom [{}]({}).\n", page.title, page.source, page.url);
        text.push_str("| what it says | what it is here | to begin with | reproduced by |\n|---|---|---|---|\n");
        for row in page.rows {
            let codes: Vec<String> = row.codes.iter().map(|code| link(*code)).collect();
            let shown: Vec<String> = of_row(&cases, page, row)
                .into_iter()
                .map(|(file, name)| format!("[`{name}`](../tests/azure/cases/{file})"))
                .collect();
            let shown = if shown.is_empty() { row.without.to_owned() } else { shown.join(", ") };
            let command = row.first.map_or_else(|| first_command(row.codes), as_code);
            let _ = writeln!(text, "| {} | {} | {command} | {shown} |", row.says, codes.join(", "));
        }
    }
    text
}

fn link(code: Code) -> String {
    format!("[{code}](findings.md#{})", code.as_str().to_lowercase())
}

/// The first command that the catalogue has for one of the codes.
fn first_command(codes: &[Code]) -> String {
    let remedies = codes.iter().flat_map(|code| {
        let row = code.row();
        row.azure.into_iter().chain([row.remedy])
    });
    let mut commands = remedies.flat_map(parts).filter_map(|part| match part {
        Part::Command(command) => Some(command),
        Part::Words(_) => None,
    });
    commands.next().map_or_else(String::new, as_code)
}

fn as_code(command: &str) -> String {
    if command.is_empty() { String::new() } else { format!("`{}`", command.replace('|', "\\|")) }
}

#[test]
fn every_row_has_a_case() {
    let cases = cases();
    for page in PAGES {
        for row in page.rows {
            let is_shown = !of_row(&cases, page, row).is_empty();
            assert_eq!(is_shown, row.without.is_empty(), "{}: {}", page.title, row.says);
        }
    }
}

/// A cause that the lab has and no row names would be missing from the page.
#[test]
fn every_failing_case_has_a_row() {
    let cases = cases();
    let shown: Vec<&str> = PAGES
        .iter()
        .flat_map(|page| page.rows.iter().map(move |row| (page, row)))
        .flat_map(|(page, row)| of_row(&cases, page, row))
        .map(|(_, name)| name)
        .collect();
    let fails = |case: &Case| !case.expect.codes.iter().any(|code| code == "Pullable");
    let is_of_page = |case: &Case| {
        let mut places = PAGES
            .iter()
            .flat_map(|page| page.rows.iter().map(|row| row.place.unwrap_or(page.place)));
        places.any(|place| place == case.page)
    };
    let missing = cases
        .iter()
        .map(|(_, case)| case)
        .filter(|case| fails(case) && is_of_page(case) && !shown.contains(&case.name.as_str()));
    let missing: Vec<&str> = missing.map(|case| case.name.as_str()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
