use std::io::{self, Read};

use serde_json::{Value, json};

use super::{LINE_MAX, answer_all};

const EXAMPLES: &str = include_str!("../../../../tests/data/keyring-examples.jsonl");

fn answers(input: impl Read) -> Vec<Value> {
    let mut output = Vec::new();
    answer_all(input, &mut output).unwrap();
    let text = String::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An example's credentials: each with its group, within which the order is free.
fn expected(example: &Value) -> Vec<(u64, Value)> {
    let credentials = example["expect"]["credentials"].as_array().unwrap().iter();
    let pick = |credential: &Value| {
        let fields = ["username", "passwordSha256", "secret"];
        let picked = fields.map(|field| (field.to_owned(), credential[field].clone()));
        (credential["group"].as_u64().unwrap(), Value::Object(picked.into_iter().collect()))
    };
    credentials.map(pick).collect()
}

#[test]
fn the_examples_are_answered() {
    let answers = answers(EXAMPLES.as_bytes());
    assert_eq!(answers.len(), EXAMPLES.lines().count());
    for (line, answer) in EXAMPLES.lines().zip(&answers) {
        let example: Value = serde_json::from_str(line).unwrap();
        let kind = &example["expect"]["errorKind"];
        assert_eq!(answer.as_object().unwrap().len(), 4, "{answer}");
        assert_eq!(answer["id"], example["id"]);
        assert_eq!(answer["error"].is_null(), kind.is_null(), "{answer}");
        let repository = &example["expect"]["repository"];
        let repository = if kind == "image" { &Value::Null } else { repository };
        assert_eq!(answer["repository"], *repository, "{answer}");
        let mut wanted = expected(&example);
        let found = answer["credentials"].as_array().unwrap();
        assert_eq!(found.len(), wanted.len(), "{answer}");
        let groups = wanted.iter().map(|(group, _)| *group);
        let mut found: Vec<(u64, Value)> = groups.zip(found.iter().cloned()).collect();
        wanted.sort_by_key(|(group, value)| (*group, value.to_string()));
        found.sort_by_key(|(group, value)| (*group, value.to_string()));
        assert_eq!(found, wanted, "{line}");
    }
}

#[test]
fn a_malformed_line_is_answered_and_the_next_one_too() {
    let canary = "canary-5c8e";
    let cases = [
        (String::new(), Value::Null, "the line is empty"),
        (canary.to_owned(), Value::Null, "the line is no JSON (at byte 1)"),
        (format!("\"{canary}\""), Value::Null, "the line is no JSON object with id, image"),
        (json!({"id": 7, "image": [canary]}).to_string(), json!(7), "image must be a string"),
        (json!({"id": "a"}).to_string(), json!("a"), "image must be a string"),
        (json!({"image": "a", "secrets": canary}).to_string(), Value::Null, "secrets must be"),
        (json!({"image": "a", "secrets": [canary]}).to_string(), Value::Null, "secrets[0] must"),
        (json!({"image": "a", "secrets": [{}]}).to_string(), Value::Null, "secrets[0].name must"),
        (
            json!({"image": "a", "secrets": [{"name": "s", "data": {"k": canary}}]}).to_string(),
            Value::Null,
            "secrets[0].data must hold base64 only",
        ),
        (json!({"id": "b", "image": "A B"}).to_string(), json!("b"), "image \"A B\" has white"),
    ];
    let lines: Vec<String> = cases
        .iter()
        .flat_map(|(line, ..)| [line.clone(), json!({"id": "next", "image": "a"}).to_string()])
        .collect();
    let answers = answers(lines.join("\r\n").as_bytes());
    assert_eq!(answers.len(), lines.len());
    for ((line, id, problem), pair) in cases.iter().zip(answers.chunks(2)) {
        assert_eq!(pair[0]["id"], *id, "{line}");
        let error = pair[0]["error"].as_str().unwrap();
        assert!(error.starts_with(problem) && !error.contains(canary), "{line}: {error}");
        assert_eq!(pair[0]["repository"], Value::Null);
        assert_eq!(pair[0]["credentials"], json!([]));
        assert_eq!(
            pair[1],
            json!({"id": "next", "error": null,
            "repository": "docker.io/library/a", "credentials": []})
        );
    }
}

#[test]
fn no_line_is_too_long_to_be_passed_over() {
    let endless = io::repeat(b'x').take(LINE_MAX as u64 + 1);
    let answers = answers(endless.chain(&b"\n{\"id\":1,\"image\":\"a\"}"[..]));
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["error"], "the line is longer than 64 MiB");
    assert_eq!(answers[1]["id"], 1);
}

#[test]
fn nothing_in_is_nothing_out() {
    assert!(answers(io::empty()).is_empty());
}
