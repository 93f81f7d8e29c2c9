//! The Secrets in a manifest: YAML or JSON, several documents, Lists too.
//!
//! A problem is a sentence that says what to write instead, and that repeats nothing of a
//! document but kinds, names and keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::image::is_object_name;
use crate::resolve::azure::Account;
use crate::resolve::keyring::PullSecret;

use super::failure::Hinted;
use super::words::printable;

/// Where a pod's pull secrets stand in an object that has or makes pods, or gives pods theirs.
const PULL_SECRETS: &[&str] = &[
    "/imagePullSecrets",
    "/spec/imagePullSecrets",
    "/spec/template/spec/imagePullSecrets",
    "/spec/jobTemplate/spec/template/spec/imagePullSecrets",
];

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    /// The Secrets, in their order.
    pub(super) secrets: Vec<PullSecret>,
    /// Each ServiceAccount, and what to write where there is nothing else.
    pub(super) accounts: Vec<(Account, Hinted)>,
}

/// Reads a file, or says what is wrong with it.
pub(super) fn read(content: &[u8]) -> Result<Manifests, Hinted> {
    let mut manifests = Manifests::default();
    for document in documents(content)? {
        collect(&document, None, &mut manifests)?;
    }
    Ok(manifests)
}

/// As kubectl does, what begins with a brace is taken for JSON first.
fn documents(content: &[u8]) -> Result<Vec<Value>, Hinted> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    if content.trim_ascii_start().starts_with(b"{") {
        let documents = serde_json::Deserializer::from_slice(content).into_iter();
        if let Ok(documents) = documents.collect() {
            return Ok(documents);
        }
    }
    let documents = serde_yaml_ng::Deserializer::from_slice(content).map(Value::deserialize);
    documents.collect::<Result<_, serde_yaml_ng::Error>>().map_err(|error| {
        let place = error.location().map(|place| {
            format!(" (the fault is near line {}, column {})", place.line(), place.column())
        });
        Hinted::new(
            format!("it is neither YAML nor JSON{}", place.unwrap_or_default()),
            "write what kubectl get secret NAME -n NAMESPACE -o yaml prints",
        )
    })
}

fn collect(
    object: &Value,
    default_kind: Option<&str>,
    manifests: &mut Manifests,
) -> Result<(), Hinted> {
    if object.is_null() {
        return Ok(());
    }
    let Some(fields) = object.as_object() else {
        return Err(Hinted::new(
            "it holds something that is no Kubernetes object",
            "write Secrets",
        ));
    };
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let version = text("apiVersion").or(default_kind.map(|_| "v1"));
    match (text("kind").or(default_kind), version) {
        (Some("Secret"), Some("v1")) => manifests.secrets.push(secret(fields)?),
        (Some(kind @ "ServiceAccount"), Some("v1")) => {
            manifests.accounts.push((account(fields)?, no_secret(kind, object)));
        }
        (Some(kind @ ("List" | "SecretList")), Some("v1")) => {
            let item_kind = (kind == "SecretList").then_some("Secret");
            for item in fields.get("items").and_then(Value::as_array).into_iter().flatten() {
                collect(item, item_kind, manifests)?;
            }
        }
        (Some("Secret" | "List" | "SecretList"), _) => {
            return Err(Hinted::new("the apiVersion of a Secret is v1", "write apiVersion: v1"));
        }
        (None, _) if fields.contains_key("auths") => {
            return Err(Hinted::new(
                "it is Docker's configuration and no Secret",
                "make one of it: kubectl create secret docker-registry regcred \
                 --from-file=.dockerconfigjson=FILE --dry-run=client -o yaml",
            ));
        }
        (None, _) => {
            return Err(Hinted::new(
                "it holds an object without a kind",
                "begin a Secret with apiVersion: v1 and kind: Secret",
            ));
        }
        (Some(kind), _) => return Err(no_secret(kind, object)),
    }
    Ok(())
}

/// What a credential provider may be told of a ServiceAccount.
fn account(fields: &Map<String, Value>) -> Result<Account, Hinted> {
    let metadata = fields.get("metadata").and_then(Value::as_object);
    let name = metadata.and_then(|metadata| metadata.get("name")).and_then(Value::as_str);
    let name = name.filter(|name| !name.is_empty());
    let unnamed = || Hinted::new("a ServiceAccount has no name", "write metadata: {name: NAME}");
    let name = name.ok_or_else(unnamed)?;
    let of = |problem: Hinted| problem.of(&format!("ServiceAccount {}", printable(name)));
    let annotations = match metadata {
        Some(metadata) => strings(metadata, "annotations").map_err(of)?,
        None => Vec::new(),
    };
    let annotations = annotations.into_iter().map(|(key, value)| (key.clone(), value.to_owned()));
    Ok(Account { name: name.to_owned(), annotations: annotations.collect(), token: None })
}

/// An object of another kind may at least name the secrets that are wanted.
fn no_secret(kind: &str, object: &Value) -> Hinted {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let lists = PULL_SECRETS.iter().filter_map(|place| object.pointer(place)?.as_array());
    let names = lists.flatten().filter_map(|reference| reference.get("name")?.as_str());
    let names: Vec<&str> = names.filter(|name| is_object_name(name)).collect();
    let names = if names.is_empty() { "NAME".to_owned() } else { names.join(" ") };
    let namespace = text("/metadata/namespace").filter(|name| is_object_name(name));
    let subject = format!("{kind} {}", text("/metadata/name").unwrap_or_default());
    Hinted::new(
        format!("{} is no Secret", printable(subject.trim_end())),
        format!(
            "write the Secrets that the pod names in imagePullSecrets, in that order: kubectl get \
             secret {names} -n {} -o yaml",
            namespace.unwrap_or("NAMESPACE")
        ),
    )
}

fn secret(fields: &Map<String, Value>) -> Result<PullSecret, Hinted> {
    let name = fields.get("metadata").and_then(|metadata| metadata.get("name"));
    let name = name.and_then(Value::as_str).filter(|name| !name.is_empty());
    let unnamed = || Hinted::new("a Secret has no name", "write metadata: {name: NAME}");
    let name = name.ok_or_else(unnamed)?;
    let of = |problem: Hinted| problem.of(&format!("Secret {}", printable(name)));
    let kind = match fields.get("type") {
        // The API server's default.
        None | Some(Value::Null) => "Opaque",
        Some(kind) => kind.as_str().ok_or_else(|| {
            let hint = "write for example type: kubernetes.io/dockerconfigjson";
            of(Hinted::new("its type must be a string", hint))
        })?,
    };
    let mut data = BTreeMap::new();
    for (key, value) in strings(fields, "data").map_err(of)? {
        let decoded = from_base64(value).ok_or_else(|| {
            let key = printable(key);
            let hint = "to write it plainly, put it under stringData";
            of(Hinted::new(format!("data.{key} is not base64"), hint))
        })?;
        data.insert(key.clone(), decoded);
    }
    // As the API server does, stringData goes before data.
    for (key, value) in strings(fields, "stringData").map_err(of)? {
        data.insert(key.clone(), value.as_bytes().to_vec());
    }
    Ok(PullSecret { name: name.to_owned(), kind: kind.to_owned(), data })
}

/// A map of strings; null stands for an empty one, in the map's place and in a string's.
fn strings<'a>(
    fields: &'a Map<String, Value>,
    field: &str,
) -> Result<Vec<(&'a String, &'a str)>, Hinted> {
    let map = match fields.get(field) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(map) => map.as_object().ok_or_else(|| {
            Hinted::new(
                format!("its {field} must be a map"),
                format!("write {field}: {{KEY: VALUE}}"),
            )
        })?,
    };
    let string = |(key, value): (&'a String, &'a Value)| match value {
        Value::Null => Ok((key, "")),
        Value::String(text) => Ok((key, text.as_str())),
        _ => {
            let problem = format!("{field}.{} must be a string", printable(key));
            Err(Hinted::new(problem, "put it in quotes"))
        }
    };
    map.iter().map(string).collect()
}

/// Base64 as the API server takes it (encoding/json of Go, `[]byte`): padded, line breaks and
/// what is left in the last bits count for nothing.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let text: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    /// Each secret as `name type key=value…`.
    #[track_caller]
    fn check_good(content: &str, expected: &[&str]) {
        let secrets = read(content.as_bytes()).unwrap().secrets.into_iter().map(|secret| {
            let data = secret.data.iter();
            let data =
                data.map(|(key, value)| format!(" {key}={}", String::from_utf8_lossy(value)));
            format!("{} {}{}", secret.name, secret.kind, data.collect::<String>())
        });
        assert_eq!(secrets.collect::<Vec<_>>(), expected, "{content}");
    }

    #[track_caller]
    fn check_bad(content: &str, expected: &str) {
        let problem = read(content.as_bytes()).unwrap_err();
        let problem = format!("{problem}; {}", problem.hint());
        assert!(problem.contains(expected), "{content}: {problem}");
        assert!(!problem.contains("canary"), "{problem}");
    }

    #[test]
    fn every_form_of_a_manifest_is_read() {
        let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
        check_good(plain, &["a Opaque"]);
        let both = "type: t\ndata: {x: \"YT\\nE=\", y: YQ==, z: null}\nstringData: {y: c}\n";
        check_good(&format!("{plain}{both}"), &["a t x=a1 y=c z="]);
        check_good(
            &format!("# comment\n---\n{plain}---\n---\n{}", plain.replace("name: a", "name: b")),
            &["a Opaque", "b Opaque"],
        );
        let json = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"j"}}"#;
        check_good(json, &["j Opaque"]);
        check_good(&format!("\u{feff}{json}\n\t{json}"), &["j Opaque", "j Opaque"]);
        check_good("{apiVersion: v1, kind: Secret, metadata: {name: f}}", &["f Opaque"]);
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{json},{json}]}}"#);
        check_good(&list, &["j Opaque", "j Opaque"]);
        let typed =
            r#"{"apiVersion":"v1","kind":"SecretList","items":[{"metadata":{"name":"i"}}]}"#;
        check_good(typed, &["i Opaque"]);
        check_good("", &[]);
    }

    #[test]
    fn what_is_no_secret_is_told_what_to_be() {
        check_bad("a: [canary", "neither YAML nor JSON (the fault is near line ");
        check_bad("canary", "something that is no Kubernetes object");
        check_bad("a: canary", "an object without a kind");
        check_bad(r#"{"auths":{"h":{"auth":"canary"}}}"#, "create secret docker-registry regcred");
        check_bad("apiVersion: v1beta1\nkind: Secret", "write apiVersion: v1");
        check_bad("apiVersion: v1\nkind: Secret", "a Secret has no name");
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
        check_bad(&format!("{secret}data: {{k: canary}}"), "Secret s: data.k is not base64");
        check_bad(&format!("{secret}data: [canary]"), "Secret s: its data must be a map");
        check_bad(&format!("{secret}stringData: {{k: 1}}"), "stringData.k must be a string");
        check_bad(&format!("{secret}type: 1"), "Secret s: its type must be a string");
        let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: d, namespace: shop}\n\
                       imagePullSecrets: [{name: one}, {name: two}]";
        let (read_account, hint) = &read(account.as_bytes()).unwrap().accounts[0];
        assert_eq!((read_account.name.as_str(), read_account.is_for_azure()), ("d", false));
        assert_eq!(hint.to_string(), "ServiceAccount d is no Secret");
        assert!(hint.hint().ends_with(": kubectl get secret one two -n shop -o yaml"), "{hint:?}");
        check_bad(&account.replace("name: d,", ""), "a ServiceAccount has no name");
        let annotated = account.replace("name: d,", "name: d, annotations: {k: [canary]},");
        check_bad(&annotated, "ServiceAccount d: annotations.k must be a string");
        check_bad("apiVersion: v1\nkind: Pod", "kubectl get secret NAME -n NAMESPACE -o yaml");
    }
}
