//! The documents of Azure's cloud provider: flat objects, as Go's decoders take them.
//!
//! Names of fields count without regard to case, unknown fields count for nothing, and a value
//! of another type is a fault (encoding/json; sigs.k8s.io/yaml v1.6, `Unmarshal`, for which of
//! names that differ in case only the last in the order of their bytes counts). No fault holds
//! anything of a value: it may be a secret.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What the fields of a document are, where they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The fields that hold texts.
    pub(super) texts: &'static [&'static str],
    /// The fields that are true or false.
    pub(super) flags: &'static [&'static str],
}

/// The known fields of a document.
#[derive(Default)]
pub(super) struct Document {
    texts: BTreeMap<&'static str, String>,
    flags: BTreeMap<&'static str, bool>,
}

impl Document {
    /// A text; empty where there is none.
    pub(super) fn text(&self, field: &str) -> String {
        self.texts.get(field).cloned().unwrap_or_default()
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, field: &str) -> bool {
        self.flags.get(field).copied().unwrap_or_default()
    }
}

/// Reads a document that may be YAML, of which JSON is a part; an empty one has no field. The
/// error says what is wrong, as part of a sentence.
pub(super) fn read_yaml(content: &[u8], form: Form) -> Result<Document, String> {
    let content = content.trim_ascii();
    // What is JSON is the same as YAML, but for tabs, which YAML has another use for.
    if let Ok(fields) = serde_json::from_slice(content) {
        return known(fields, form);
    }
    let document = serde_yaml_ng::Deserializer::from_slice(content).next();
    let Some(document) = document.filter(|_| !content.is_empty()) else {
        return Ok(Document::default());
    };
    let fields = Fields::deserialize(document).map_err(|error| {
        let place = error.location().map(|place| (place.line(), place.column()));
        misread("neither JSON nor YAML with fields", place)
    })?;
    known(fields, form)
}

/// Reads a document that is JSON.
pub(super) fn read_json(content: &[u8], form: Form) -> Result<Document, String> {
    let fields = serde_json::from_slice(content).map_err(|error| {
        misread("no JSON object", (error.line() > 0).then(|| (error.line(), error.column())))
    })?;
    known(fields, form)
}

fn misread(what: &str, place: Option<(usize, usize)>) -> String {
    let place =
        place.map(|(line, column)| format!(" (the fault is near line {line}, column {column})"));
    format!("it is {what}{}", place.unwrap_or_default())
}

fn known(Fields(fields): Fields, form: Form) -> Result<Document, String> {
    let mut document = Document::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let is_meant = |field: &&&'static str| field.eq_ignore_ascii_case(name);
        if let Some(field) = form.texts.iter().find(is_meant) {
            let text = value.as_str().ok_or_else(|| mistyped(field, value, "a string"))?;
            document.texts.insert(field, text.to_owned());
        } else if let Some(field) = form.flags.iter().find(is_meant) {
            let flag = value.as_bool().ok_or_else(|| mistyped(field, value, "true or false"))?;
            document.flags.insert(field, flag);
        }
    }
    Ok(document)
}

fn mistyped(field: &str, value: &Value, expected: &str) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("its {field} is {found}, and must be {expected}")
}

/// The fields as they are written; of equal names the last counts.
struct Fields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfFields)
    }
}

struct OfFields;

impl<'de> Visitor<'de> for OfFields {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("fields")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Fields, E> {
        Ok(Fields(BTreeMap::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<Value>()? {
            match name {
                Value::String(name) => {
                    fields.insert(name, map.next_value()?);
                }
                Value::Bool(_) | Value::Number(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(A::Error::custom("a name that is no text"));
                }
            }
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Form, read_json, read_yaml};

    const FORM: Form = Form { texts: &["tenantId"], flags: &["useIt"] };

    type Read = fn(&[u8], Form) -> Result<Document, String>;

    #[track_caller]
    fn check(read: Read, content: &str, tenant: &str, flag: bool) {
        let document = read(content.as_bytes(), FORM).unwrap();
        assert_eq!((document.text("tenantId").as_str(), document.flag("useIt")), (tenant, flag));
    }

    #[track_caller]
    fn refused(read: Read, content: &str, expected: &str) {
        let fault = read(content.as_bytes(), FORM).err().unwrap_or_default();
        assert!(fault.contains(expected), "{content}: {fault}");
        assert!(!fault.contains("canary"), "{fault}");
    }

    #[test]
    fn a_document_is_read_as_go_reads_it() {
        for read in [read_json as Read, read_yaml] {
            check(read, r#"{"tenantId":"t","useIt":true,"more":[1,{"a":{}}]}"#, "t", true);
            check(read, r#"{"TENANTID":"t","useit":false}"#, "t", false);
            check(read, r#"{"tenantId":"a","tenantId":"b"}"#, "b", false);
            check(read, r#"{"tenantId":"a","TenantId":"b"}"#, "a", false);
            check(read, r#"{"tenantId":"a","useIt":null}"#, "a", false);
            check(read, "{\n\t\"tenantId\":\t\" t \"\n}\n", " t ", false);
            check(read, "null", "", false);
        }
        check(read_yaml, "", "", false);
        check(read_yaml, "tenantId: t\nuseIt: true\nother: [1]\n3: x\n", "t", true);
        check(read_yaml, "tenantId: a\ntenantId: b\n---\ntenantId: c\n", "b", false);
    }

    #[test]
    fn what_go_does_not_take_is_said_without_a_value() {
        for read in [read_json as Read, read_yaml] {
            refused(read, r#"{"tenantId":"canary""#, "(the fault is near line ");
            refused(read, r#"["canary"]"#, "it is n");
            refused(read, r#""canary""#, "it is n");
            refused(read, r#"{"tenantId":1}"#, "its tenantId is a number, and must be a string");
            refused(read, r#"{"TenantId":["canary"]}"#, "its tenantId is a list");
            refused(read, r#"{"useIt":"canary"}"#, "useIt is a string, and must be true or false");
        }
        refused(read_json, "", "it is no JSON object");
        refused(read_json, "tenantId: canary", "it is no JSON object");
        refused(read_yaml, "tenantId: {a: canary}", "its tenantId is an object");
        refused(read_yaml, "tenantId: [canary", "neither JSON nor YAML");
    }
}
