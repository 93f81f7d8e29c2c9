//! What the kubelet writes to a credential provider, and what it takes for an answer
//! (k8s.io/kubelet v0.35.4, pkg/apis/credentialprovider; pkg/credentialprovider/plugin/plugin.go
//! of Kubernetes v1.35.4, `ExecPlugin` and `provide`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::duration;
use crate::access::ProviderFailure;
use crate::secret::Secret;

/// What a provider is asked, in a version of the protocol.
pub(super) fn request(version: &str, repository: &str) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'request> {
        kind: &'static str,
        api_version: &'request str,
        image: &'request str,
    }
    let request =
        Request { kind: "CredentialProviderRequest", api_version: version, image: repository };
    // Three texts are always JSON.
    let mut text = serde_json::to_vec(&request).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Only the two fields that every object has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Response {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default)]
    cache_key_type: String,
    cache_duration: Option<String>,
    auth: Option<BTreeMap<String, Login>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// The entries of an answer, each with its name, user name and password.
pub(super) fn read(
    version: &str,
    answer: &[u8],
) -> Result<Vec<(String, String, Secret)>, ProviderFailure> {
    // The words of the JSON reader may quote the answer, and so are not repeated.
    let not_understood =
        |reason: &str| ProviderFailure::NotUnderstood { reason: reason.to_owned() };
    let kind: Kind = serde_json::from_slice(answer)
        .map_err(|_| not_understood("it is no JSON object with apiVersion and kind"))?;
    if kind.api_version != version {
        return Err(ProviderFailure::OtherVersion {
            expected: version.to_owned(),
            answered: shown(&kind.api_version),
        });
    }
    if kind.kind != "CredentialProviderResponse" {
        return Err(not_understood("its kind is not CredentialProviderResponse"));
    }
    let response: Response = serde_json::from_slice(answer)
        .map_err(|_| not_understood("its fields are not those of a CredentialProviderResponse"))?;
    if response.cache_duration.as_deref().is_some_and(|text| duration::is_negative(text).is_none())
    {
        return Err(not_understood("its cacheDuration is no duration"));
    }
    if !["Image", "Registry", "Global"].contains(&response.cache_key_type.as_str()) {
        return Err(not_understood("its cacheKeyType is not Image, Registry or Global"));
    }
    let entries = response.auth.unwrap_or_default().into_iter();
    let entry =
        |(name, login): (String, Login)| (name, login.username, Secret::new(login.password));
    Ok(entries.map(entry).collect())
}

/// A version as it may be shown, whoever wrote it.
fn shown(version: &str) -> String {
    let is_good = |character: char| character.is_ascii_alphanumeric() || "./-".contains(character);
    if version.is_empty() {
        "(none)".to_owned()
    } else if version.len() <= 60 && version.chars().all(is_good) {
        version.to_owned()
    } else {
        "(none that is known)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{read, request};
    use crate::access::ProviderFailure;

    const VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
    const GOOD: &str = r#"{"kind":"CredentialProviderResponse",
        "apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry",
        "cacheDuration":"6h","auth":{"*.test":{"username":"u","password":"canary"}}}"#;

    #[test]
    fn the_request_is_the_kubelets() {
        let expected = r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"reg.test/app"}"#;
        assert_eq!(request(VERSION, "reg.test/app"), format!("{expected}\n").into_bytes());
    }

    #[test]
    fn an_answer_is_its_entries() {
        let entries = read(VERSION, GOOD.as_bytes()).unwrap();
        let [(name, user, password)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((name.as_str(), user.as_str()), ("*.test", "u"));
        assert_eq!(password.expose(), b"canary");
        for text in [
            GOOD.replace(r#""cacheDuration":"6h","#, ""),
            GOOD.replace(r#""6h""#, "null"),
            GOOD.replace(r#""6h""#, r#""0""#),
        ] {
            assert_eq!(read(VERSION, text.as_bytes()).unwrap().len(), 1, "{text}");
        }
        for auth in ["null", "{}"] {
            let text = format!("{}{auth}}}", &GOOD[..GOOD.find(r#"{"*.test"#).unwrap()]);
            assert!(read(VERSION, text.as_bytes()).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn one_change_makes_it_an_answer_that_the_kubelet_does_not_take() {
        for (text, expected) in [
            (String::new(), "it is no JSON object"),
            ("canary".to_owned(), "it is no JSON object"),
            (
                GOOD.replace("/v1", "/v1beta1"),
                "answers in version credentialprovider.kubelet.k8s.io/v1beta1",
            ),
            (
                GOOD.replace("credentialprovider.kubelet.k8s.io/v1", "\\u001b"),
                "in version (none that",
            ),
            (GOOD.replace("Response\"", "Request\""), "its kind is not"),
            (GOOD.replace("Registry", "canary"), "its cacheKeyType is not"),
            (GOOD.replace("\"cacheKeyType\":\"Registry\",", ""), "its cacheKeyType is not"),
            (GOOD.replace("6h", "6 hours"), "its cacheDuration is no duration"),
            (GOOD.replace("\"6h\"", "6"), "its fields are not"),
            (GOOD.replace("username", "Username"), "its fields are not"),
            (GOOD.replace("\"auth\"", "\"canary\""), "its fields are not"),
            (GOOD.replace("\"canary\"", "7"), "its fields are not"),
        ] {
            let failure: ProviderFailure = read(VERSION, text.as_bytes()).unwrap_err();
            let words = failure.to_string();
            assert!(words.contains(expected), "{words}\n{text}");
            assert!(!words.contains("canary"), "{words}");
        }
    }
}
