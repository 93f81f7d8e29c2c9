//! What is generated is committed, and fresh. `UPDATE=1 cargo test generated` rewrites it.

use std::fs;
use std::path::Path;

use registrycheck::install;

mod alerts;
mod api;
mod azure;
mod benchmarks;
mod chart;
mod command_line;
mod examples;
mod findings;
mod metrics;
mod picture;
mod scale;

#[track_caller]
fn check(path: &str, fresh: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, fresh).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == fresh, "{path} is stale: run UPDATE=1 cargo test generated");
}

#[test]
fn the_crd_is_fresh() {
    check("crds/registrycheck.yaml", &install::yaml(&[install::crd()]).unwrap());
}

#[test]
fn the_crd_of_the_chart_is_fresh() {
    check("charts/registrycheck/templates/crd.yaml", &chart::crd());
}

#[test]
fn the_manifests_are_fresh() {
    check(
        "deploy/registrycheck.yaml",
        &install::yaml(&install::manifests(&install::Options::default())).unwrap(),
    );
}

#[test]
fn the_page_of_findings_is_fresh() {
    check("docs/findings.md", &findings::page());
}

#[test]
fn the_page_of_azure_is_fresh() {
    check("docs/azure.md", &azure::page());
}

#[test]
fn the_page_of_benchmarks_is_fresh() {
    check("docs/benchmarks.md", &benchmarks::page());
}

#[test]
fn the_page_of_scale_is_fresh() {
    check("docs/scale.md", &scale::page());
}

#[test]
fn the_page_of_the_resource_is_fresh() {
    check("docs/registrycheck.md", &api::page());
}

#[test]
fn the_alerts_are_fresh() {
    check("charts/registrycheck/files/alerts.yaml", &alerts::file());
}

#[test]
fn the_page_of_the_command_line_is_fresh() {
    check("docs/command-line.md", &command_line::page());
}

#[test]
fn the_picture_of_the_terminal_is_fresh() {
    check("docs/terminal.svg", &picture::terminal());
}

#[test]
fn the_page_of_metrics_is_fresh() {
    check("docs/metrics.md", &metrics::page());
}

#[test]
fn the_answers_that_pages_show_are_fresh() {
    for page in ["docs/credentials.md", "docs/explain.md"] {
        check(page, &examples::page(page));
    }
}
