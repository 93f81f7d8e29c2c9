//! `docs/registrycheck.md`: how to work with the resource, and each of its fields, from its schema.

use std::fmt::Write as _;

use registrycheck::install;
use serde_json::Value;

/// What a schema cannot say.
const INTRODUCTION: &str = include_str!("api/introduction.md");

pub(super) fn page() -> String {
    let definition = install::crd();
    let version = &definition["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"]["properties"];
    let mut page = INTRODUCTION.to_owned();
    for part in ["spec", "status"] {
        section(&mut page, part, &schema[part]);
    }
    page.push_str("\n## What is refused\n\n");
    page.push_str(
        "The API server refuses a wrong object at once, with one of these sentences. What is in the\n\
         wrong JSON type, or longer than the field allows, it refuses in its own words.\n\n",
    );
    page.push_str("| field | the sentence |\n|---|---|\n");
    refusals(&mut page, "spec", &schema["spec"]);
    page
}

/// One object and the objects in it, each a table.
fn section(page: &mut String, path: &str, schema: &Value) {
    let level = "#".repeat(2 + path.matches('.').count());
    let said = sentence(schema);
    write!(page, "\n{level} {path}\n\n{said}\n\n| field | type | meaning |\n|---|---|---|\n")
        .unwrap();
    let fields = schema["properties"].as_object().unwrap();
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    for (name, field) in fields {
        let is_required = required.iter().any(|required| *required == name);
        let mut meaning = sentence(field);
        if is_required && path == "spec" {
            meaning.push_str(" Required.");
        }
        if let Some(default) = field["default"].as_str() {
            write!(meaning, " Default: `{default}`.").unwrap();
        }
        writeln!(page, "| `{name}` | {} | {meaning} |", kind(field)).unwrap();
    }
    for (name, field) in fields {
        if field["properties"].is_object() {
            section(page, &format!("{path}.{name}"), field);
        } else if field["items"]["properties"].is_object() {
            section(page, &format!("{path}.{name}[]"), &field["items"]);
        }
    }
}

fn sentence(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A field's type with its bounds.
fn kind(field: &Value) -> String {
    let one_of = |values: &Vec<Value>| {
        let values = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`"));
        values.collect::<Vec<_>>().join(", ")
    };
    if let Some(values) = field["enum"].as_array() {
        return one_of(values);
    }
    match field["type"].as_str().unwrap() {
        "string" if field["format"] == "date-time" => "time".to_owned(),
        "string" => match field["maxLength"].as_u64() {
            Some(longest) => format!("string of at most {longest} characters"),
            None => "string".to_owned(),
        },
        "array" => {
            let of = if field["items"]["properties"].is_object() { "objects" } else { "strings" };
            match field["maxItems"].as_u64() {
                Some(most) => format!("at most {most} {of}"),
                None => of.to_owned(),
            }
        }
        "object" if field["additionalProperties"].is_object() => {
            format!("at most {} pairs of strings", field["maxProperties"])
        }
        other => other.to_owned(),
    }
}

fn refusals(page: &mut String, path: &str, schema: &Value) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let field = rule["fieldPath"].as_str().unwrap_or_default();
        let said = match (rule["message"].as_str(), rule["messageExpression"].as_str()) {
            (Some(message), _) => message.to_owned(),
            (None, expression) => literals(expression.unwrap()),
        };
        writeln!(page, "| `{path}{field}` | {} |", said.replace('|', "\\|")).unwrap();
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        refusals(page, &format!("{path}.{name}"), field);
    }
}

/// What a message made of an object says in any case, up to the word "write".
fn literals(expression: &str) -> String {
    let mut said = String::new();
    for literal in expression.split('\'').skip(1).step_by(2) {
        write!(said, "{literal}…").unwrap();
        if said.contains("write") {
            break;
        }
    }
    said
}
