//! The documents: each link leads somewhere, and each test that `docs/security.md` names is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory of which `wanted` holds, without what is built or hidden.
fn files(directory: &Path, wanted: fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files(&path, wanted, found);
        } else if path.is_file() && wanted(&path) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(root(), |path| path.extension().is_some_and(|kind| kind == "md"), &mut found);
    // Parts of pages, whose links hold where the pages are.
    found.retain(|path| !path.starts_with(root().join("tests/generated")));
    found
}

/// The links of a document, and the anchors of its headings as GitHub makes them.
fn read(document: &Path) -> (Vec<String>, BTreeSet<String>) {
    let text = fs::read_to_string(document).unwrap();
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap());
                let before = seen.entry(anchor.clone()).or_default();
                anchors.insert(match *before {
                    0 => anchor,
                    more => format!("{anchor}-{more}"),
                });
                *before += 1;
            }
            _ => {}
        }
    }
    (links, anchors)
}

fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase();
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.collect()
}

/// What is wrong with a link, if anything is.
fn fault(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") {
        let host = url::Url::parse(link).ok().and_then(|url| url.host_str().map(str::to_owned));
        let is_whole = link.starts_with("https://") && host.is_some_and(|host| host.contains('.'));
        return (!is_whole).then(|| "is no address of https".to_owned());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => document.to_owned(),
        path => document.parent().unwrap().join(path),
    };
    let Ok(target) = target.canonicalize() else { return Some("leads to no file".to_owned()) };
    if !target.starts_with(root().canonicalize().unwrap()) {
        return Some("leads out of the project".to_owned());
    }
    (!anchor.is_empty() && !read(&target).1.contains(anchor))
        .then(|| "leads to no heading".to_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    let mut faults = Vec::new();
    for document in documents() {
        for link in read(&document).0 {
            followed += 1;
            if let Some(fault) = fault(&document, &link) {
                faults.push(format!("{}: {link} {fault}", document.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(followed > 100, "the documents were read: {followed} links");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = root().join("README.md");
    for (link, expected) in [
        ("docs/nothing.md", Some("leads to no file")),
        ("docs/findings.md#nothing", Some("leads to no heading")),
        ("../elsewhere", Some("leads to no file")),
        ("/etc/passwd", Some("leads out of the project")),
        ("http://kubernetes.io/docs", Some("is no address of https")),
        ("docs/findings.md#pullsecretmissing", None),
        ("https://kubernetes.io/docs", None),
    ] {
        assert_eq!(fault(&readme, link).as_deref(), expected, "{link}");
    }
}

/// The third column of the tables in `docs/security.md` names tests.
#[test]
fn what_security_promises_is_tested() {
    let mut sources = Vec::new();
    let is_source = |path: &Path| {
        path.extension().is_some_and(|kind| kind == "rs" || kind == "go" || kind == "sh")
    };
    files(&root().join("src"), is_source, &mut sources);
    files(&root().join("tests"), is_source, &mut sources);
    let sources: Vec<String> =
        sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut named = 0;
    let mut is_of_promises = false;
    for line in page.lines() {
        is_of_promises = line.starts_with('|') && is_of_promises || line == "| promise | test |";
        let Some((promise, tests)) = line.trim_matches('|').rsplit_once(" | ") else { continue };
        if !is_of_promises || tests.trim() == "test" {
            continue;
        }
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test for: {promise}");
        for test in tests {
            named += 1;
            let is_there = |source: &String| {
                source.contains(&format!("fn {test}(")) || source.contains(&format!("func {test}("))
            };
            assert!(sources.iter().any(is_there), "there is no test {test}, for: {promise}");
        }
    }
    assert!(named > 20, "the page was read: {named} tests");
}
