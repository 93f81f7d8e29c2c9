//! `values.yaml` and its schema: the same names, and a comment to each.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::helm::{chart, objects};

fn read(name: &str) -> String {
    fs::read_to_string(chart().join(name)).unwrap()
}

/// The paths of all values that are no maps, or whose keys are the user's.
fn of_values(value: &Value, place: &str, paths: &mut BTreeSet<String>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, value) in map {
                of_values(value, &format!("{place}/{key}"), paths);
            }
        }
        None => {
            paths.insert(place.to_owned());
        }
    }
}

fn is_refused(schema: &Value, place: &str) -> bool {
    let mut at = schema;
    for key in place.split('/').skip(1) {
        let property = &at["properties"][key];
        if property.is_null() {
            return at["additionalProperties"] == false;
        }
        at = property;
    }
    false
}

#[test]
fn the_schema_has_every_value() {
    let values = &objects(&read("values.yaml"))[0];
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let mut paths = BTreeSet::new();
    of_values(values, "", &mut paths);
    assert!(paths.len() > 40, "{paths:?}");
    let unknown: Vec<_> = paths.iter().filter(|path| is_refused(&schema, path)).collect();
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
    // And nothing is in the schema that has no default, and so no comment.
    let mut typed = BTreeSet::new();
    of_schema(&schema, "", &mut typed);
    let has_default = |path: &String| values.pointer(path).is_some();
    let without: Vec<_> = typed.iter().filter(|path| !has_default(path)).collect();
    // What a user's own map may have, and what helm adds for charts of charts.
    assert_eq!(
        without,
        [
            "/global",
            "/resources/claims",
            "/webhook/certManager/issuerRef/group",
            "/webhook/certManager/issuerRef/kind",
            "/webhook/certManager/issuerRef/name"
        ]
    );
}

fn of_schema(schema: &Value, place: &str, paths: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (key, property) in properties {
                of_schema(property, &format!("{place}/{key}"), paths);
            }
        }
        None => {
            paths.insert(place.to_owned());
        }
    }
}

/// Each block of values begins with its comment.
#[test]
fn every_value_has_a_comment() {
    let text = read("values.yaml");
    let mut before = "";
    let mut silent = Vec::new();
    for line in text.lines() {
        let begins = !line.is_empty() && !line.starts_with([' ', '#', '-']);
        if begins && before.is_empty() {
            silent.push(line);
        }
        before = line;
    }
    assert!(silent.is_empty(), "{silent:?}");
}
