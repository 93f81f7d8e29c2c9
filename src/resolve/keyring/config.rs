//! The content of a pull secret, as the kubelet decodes it: pkg/credentialprovider/config.go
//! of Kubernetes v1.35.4 (`DockerConfigJSON`, `DockerConfig`, `DockerConfigEntry`).
//!
//! Whatever is wrong is a sentence that holds nothing of the content but the names of entries.

use std::collections::BTreeMap;

use super::json::{self, Value};
use super::{auth, shown_key};

/// A user name and a password; they need not be UTF-8.
#[derive(Default)]
pub(super) struct Login {
    pub(super) username: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// The entries of a secret by their names. Only the last of several with one name counts.
pub(super) type Entries = BTreeMap<String, Login>;

/// The two forms of a pull secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `kubernetes.io/dockerconfigjson`: the entries are in the field `auths`.
    ConfigJson,
    /// `kubernetes.io/dockercfg`: the document is the entries.
    Legacy,
}

impl Form {
    /// The form of a secret's type; `None` where the kubelet ignores it.
    pub(super) fn of_type(kind: &str) -> Option<Self> {
        match kind {
            "kubernetes.io/dockerconfigjson" => Some(Self::ConfigJson),
            "kubernetes.io/dockercfg" => Some(Self::Legacy),
            _ => None,
        }
    }

    /// The key of the secret's data.
    pub(super) fn data_key(self) -> &'static str {
        match self {
            Self::ConfigJson => ".dockerconfigjson",
            Self::Legacy => ".dockercfg",
        }
    }
}

/// Reads a document. The error says what is wrong, as part of a sentence.
pub(super) fn read(form: Form, document: &[u8]) -> Result<Entries, String> {
    let key = form.data_key();
    json::check(document).map_err(|fault| no_json(key, fault))?;
    let mut reader = Reader { entries: Entries::new(), wrong: None };
    match (form, json::read(document)) {
        (Form::Legacy, value) => reader.read_entries(key, value)?,
        (Form::ConfigJson, Value::Null) => {}
        (Form::ConfigJson, Value::Object(members)) => {
            for (name, raw) in members {
                if json::names_field(&name, "auths") {
                    reader.read_entries("the field auths", json::read(raw))?;
                } else if json::names_field(&name, "HttpHeaders") {
                    reader.check_headers(json::read(raw));
                }
            }
        }
        (Form::ConfigJson, other) => reader.complain(|| wrong_type(key, &other, "an object")),
    }
    reader.wrong.map_or(Ok(reader.entries), Err)
}

/// A wrong type is an error at the end of the document only, unless an entry is one before.
struct Reader {
    entries: Entries,
    wrong: Option<String>,
}

impl Reader {
    fn complain(&mut self, complaint: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(complaint);
    }

    fn read_entries(&mut self, what: &str, value: Value<'_>) -> Result<(), String> {
        match value {
            Value::Null => self.entries.clear(),
            Value::Object(members) => {
                for (name, raw) in members {
                    let login = read_entry(&name, json::read(raw))?;
                    self.entries.insert(name, login);
                }
            }
            other => self.complain(|| wrong_type(what, &other, "an object")),
        }
        Ok(())
    }

    /// The headers are not used, but they must be what they are declared as.
    fn check_headers(&mut self, value: Value<'_>) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (_, raw) in members {
                    let value = json::read(raw);
                    if !matches!(value, Value::Null | Value::Text(_)) {
                        self.complain(|| {
                            wrong_type("a value in the field HttpHeaders", &value, "a string")
                        });
                    }
                }
            }
            other => self.complain(|| wrong_type("the field HttpHeaders", &other, "an object")),
        }
    }
}

fn read_entry(name: &str, value: Value<'_>) -> Result<Login, String> {
    let entry = shown_key(name);
    let members = match value {
        Value::Null => return Ok(Login::default()),
        Value::Object(members) => members,
        other => return Err(wrong_type(&format!("the entry {entry}"), &other, "an object")),
    };
    let [mut username, mut password, mut email, mut auth] = [const { String::new() }; 4];
    let mut wrong = None;
    for (name, raw) in members {
        let fields = [
            ("username", &mut username),
            ("password", &mut password),
            ("email", &mut email),
            ("auth", &mut auth),
        ];
        let found = fields.into_iter().find(|(field, _)| json::names_field(&name, field));
        let Some((field, target)) = found else { continue };
        match json::read(raw) {
            Value::Null => {}
            Value::Text(text) => *target = text,
            other => {
                wrong.get_or_insert_with(|| {
                    wrong_type(&format!("the {field} of entry {entry}"), &other, "a string")
                });
            }
        }
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if auth.is_empty() {
        return Ok(Login { username: username.into_bytes(), password: password.into_bytes() });
    }
    match auth::decode(&auth) {
        Ok((username, password)) => Ok(Login { username, password }),
        Err(fault) => Err(no_auth(&entry, fault)),
    }
}

fn wrong_type(what: &str, value: &Value<'_>, wanted: &str) -> String {
    format!("{what} is {} and must be {wanted}", value.kind())
}

fn no_json(key: &str, fault: json::Fault) -> String {
    match fault {
        json::Fault::Ends => format!(
            "{key} is not valid JSON: it ends too early (the kubelet says \"unexpected end of JSON \
             input\")"
        ),
        json::Fault::Cut => format!("{key} is not valid JSON: it ends too early"),
        json::Fault::Unexpected(at) => format!("{key} is not valid JSON (at byte {at})"),
        json::Fault::Trailing(at) => {
            format!("{key} is not valid JSON: something follows its end (at byte {at})")
        }
        json::Fault::TooDeep(at) => {
            format!("{key} is JSON of more than 10000 levels (at byte {at})")
        }
    }
}

fn no_auth(entry: &str, fault: auth::Fault) -> String {
    match fault {
        auth::Fault::Base64(at) => format!(
            "the auth of entry {entry} is not valid base64 (at byte {at}; the kubelet says \
             \"illegal base64 data at input byte {at}\")"
        ),
        auth::Fault::NoColon => format!(
            "the auth of entry {entry} must be the base64 of USER:PASSWORD and has no colon (the \
             kubelet says \"unable to parse auth field, must be formatted as \
             base64(username:password)\")"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, read};

    /// The entries as `name=user/password`, or what is wrong.
    fn shown(form: Form, document: &str) -> Result<Vec<String>, String> {
        let entries = read(form, document.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entry = |(name, login): (&String, &super::Login)| {
            format!("{name}={}/{}", text(&login.username), text(&login.password))
        };
        Ok(entries.iter().map(entry).collect())
    }

    #[track_caller]
    fn check_good(form: Form, document: &str, expected: &[&str]) {
        assert_eq!(shown(form, document).unwrap(), expected, "{document}");
    }

    #[track_caller]
    fn check_bad(form: Form, document: &str, expected: &str) {
        let message = shown(form, document).unwrap_err();
        assert!(message.starts_with(expected), "{document}: {message}");
    }

    #[test]
    fn documents_are_decoded_as_by_go() {
        let json = Form::ConfigJson;
        check_good(json, "null", &[]);
        check_good(json, r#"{"auths":null,"credsStore":1e999,"x":[{}]}"#, &[]);
        check_good(json, r#"{"auths":{"a":{}},"AUTHS":null}"#, &[]);
        check_good(json, r#"{"auths":{"a":{}},"authſ":{"b":null}}"#, &["a=/", "b=/"]);
        let twice = r#"{"auths":{"a":{"username":"u","password":"p"},"a":{"password":"q"}}}"#;
        check_good(json, twice, &["a=/q"]);
        let fields = r#"{"a":{"Username":"u","uſername":"v","username":null,"auth":""}}"#;
        check_good(Form::Legacy, fields, &["a=v/"]);
        check_good(Form::Legacy, r#"{"auths":{"a":{"auth":1}}}"#, &["auths=/"]);
        check_good(json, r#"{"HttpHeaders":{"a":"b","c":null}}"#, &[]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_content() {
        let json = Form::ConfigJson;
        check_bad(json, "[]", ".dockerconfigjson is an array and must be an object");
        check_bad(json, r#"{"auths":"x"}"#, "the field auths is a string and must be an object");
        check_bad(json, r#"{"auths":{"h":7}}"#, "the entry h is a number and must be an object");
        let header = r#"{"HttpHeaders":{"a":true}}"#;
        check_bad(json, header, "a value in the field HttpHeaders is a boolean and must be");
        let replaced = r#"{"auths":{"h":{"auth":"dTpw="},"h":{}}}"#;
        check_bad(json, replaced, "the auth of entry h is not valid base64 (at byte 4;");
        let both = r#"{"auths":[],"auths":{"h":{"email":1,"auth":"%"}}}"#;
        check_bad(json, both, "the email of entry h is a number and must be a string");
        check_bad(
            json,
            r#"{"auths":{"h":{"auth":"%"}}"#,
            ".dockerconfigjson is not valid JSON: it",
        );
        check_bad(Form::Legacy, "{} x", ".dockercfg is not valid JSON: something follows its end");
        check_bad(Form::Legacy, "{x", ".dockercfg is not valid JSON (at byte 1)");
    }
}
