//! The kubelet's configuration of credential providers: what a `CredentialProviderConfig` says.
//!
//! It is decoded and checked as by pkg/credentialprovider/plugin/config.go of Kubernetes
//! v1.35.4, for which a configuration with a fault is none: the kubelet does not start.

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::access::azure;

use super::super::azure::Configured;
use super::super::keyring;
use super::duration;

/// The versions in which providers are asked (plugin/plugin.go, `apiVersions`).
const PROTOCOLS: &[&str] = &[
    "credentialprovider.kubelet.k8s.io/v1",
    "credentialprovider.kubelet.k8s.io/v1beta1",
    "credentialprovider.kubelet.k8s.io/v1alpha1",
];

/// The versions of the configuration itself (pkg/kubelet/apis/config).
const VERSIONS: &[&str] = &[
    "kubelet.config.k8s.io/v1",
    "kubelet.config.k8s.io/v1beta1",
    "kubelet.config.k8s.io/v1alpha1",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    api_version: String,
    kind: String,
    #[serde(default)]
    providers: Option<Vec<Provider>>,
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Provider {
    /// Its name, which is that of its program.
    pub(super) name: String,
    /// The hosts for which it is run.
    #[serde(default)]
    pub(super) match_images: Vec<String>,
    default_cache_duration: Option<String>,
    /// The version in which it is asked and has to answer.
    #[serde(default)]
    pub(super) api_version: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Variable>>,
    token_attributes: Option<TokenAttributes>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    value: String,
}

/// What a provider wants of the pod's service account.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenAttributes {
    #[serde(default)]
    service_account_token_audience: String,
    #[serde(default)]
    cache_type: String,
    require_service_account: Option<bool>,
    #[serde(default)]
    required_service_account_annotation_keys: Option<Vec<String>>,
    #[serde(default)]
    optional_service_account_annotation_keys: Option<Vec<String>>,
}

impl Provider {
    /// Its arguments.
    pub(super) fn arguments(&self) -> &[String] {
        self.args.as_deref().unwrap_or_default()
    }

    /// The variables that it gets beside those of the kubelet.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.env.iter().flatten();
        variables.map(|variable| (variable.name.as_str(), variable.value.as_str()))
    }

    /// Whether it wants a token of the pod's service account.
    pub(super) fn wants_token(&self) -> bool {
        self.token_attributes.is_some()
    }

    /// What it says of the provider for the registries of Azure.
    pub(super) fn for_azure(&self) -> Configured {
        let required = self
            .token_attributes
            .as_ref()
            .and_then(|attributes| attributes.required_service_account_annotation_keys.clone());
        Configured {
            patterns: self.match_images.clone(),
            is_assumed: false,
            arguments: self.arguments().to_vec(),
            wants_token: Some(self.wants_token()),
            annotations: required.unwrap_or_default(),
        }
    }

    /// Whether it is the one for the registries of Azure.
    pub(super) fn is_for_azure(&self) -> bool {
        self.name.strip_suffix(".exe").unwrap_or(&self.name) == azure::PROVIDER
    }

    /// What is wrong with it (`validateCredentialProviderConfig`).
    fn fault(&self) -> Option<String> {
        let name = &self.name;
        if name.contains(['/', ' ']) || name == "." || name == ".." {
            return Some(format!("no provider can be called {name:?}"));
        }
        let fault = |text: String| Some(format!("provider {name}: {text}"));
        if !PROTOCOLS.contains(&self.api_version.as_str()) {
            return fault(format!("its apiVersion must be one of {}", PROTOCOLS.join(", ")));
        }
        if self.match_images.is_empty() {
            return fault("its matchImages has no item".to_owned());
        }
        if let Some(item) = self.match_images.iter().find(|item| !keyring::is_pattern(item)) {
            return fault(format!("the item {item} of its matchImages is no URL"));
        }
        match self.default_cache_duration.as_deref().map(duration::is_negative) {
            None => return fault("it has no defaultCacheDuration".to_owned()),
            Some(None) => return fault("its defaultCacheDuration is no duration".to_owned()),
            Some(Some(true)) => return fault("its defaultCacheDuration is negative".to_owned()),
            Some(Some(false)) => {}
        }
        self.token_attributes.as_ref()?.fault(&self.api_version).and_then(fault)
    }
}

impl TokenAttributes {
    fn fault(&self, version: &str) -> Option<String> {
        let required = self.required_service_account_annotation_keys.as_deref().unwrap_or_default();
        let optional = self.optional_service_account_annotation_keys.as_deref().unwrap_or_default();
        let fault = if self.service_account_token_audience.is_empty() {
            "tokenAttributes has no serviceAccountTokenAudience"
        } else if self.require_service_account.is_none() {
            "tokenAttributes has no requireServiceAccount"
        } else if version != PROTOCOLS[0] {
            "tokenAttributes goes with apiVersion credentialprovider.kubelet.k8s.io/v1 only"
        } else if self.require_service_account == Some(false) && !required.is_empty() {
            "requiredServiceAccountAnnotationKeys needs requireServiceAccount: true"
        } else if required.iter().any(|key| optional.contains(key)) {
            "an annotation key of tokenAttributes is both required and optional"
        } else if !["ServiceAccount", "Token"].contains(&self.cache_type.as_str()) {
            "the cacheType of tokenAttributes must be ServiceAccount or Token"
        } else {
            return None;
        };
        Some(fault.to_owned())
    }
}

/// The providers of a configuration, YAML or JSON; the error says what is wrong with it, as
/// part of a sentence.
pub(super) fn read(content: &[u8]) -> Result<Vec<Provider>, String> {
    // As the kubelet's decoder does, only the first document of a file is read.
    let document = serde_yaml_ng::Deserializer::from_slice(content).next();
    let document = document.ok_or("it is empty")?;
    // By way of a value, so that a number is no text and no key stands twice.
    let document = Value::deserialize(document).map_err(|error| error.to_string())?;
    let document: Document =
        serde_yaml_ng::from_value(document).map_err(|error| error.to_string())?;
    if document.kind != "CredentialProviderConfig"
        || !VERSIONS.contains(&document.api_version.as_str())
    {
        return Err(format!(
            "it is {} {}, and must be {} CredentialProviderConfig",
            document.api_version, document.kind, VERSIONS[0]
        ));
    }
    Ok(document.providers.unwrap_or_default())
}

/// What is wrong with the providers of one or several configurations, taken together.
pub(super) fn fault(providers: &[Provider]) -> Option<String> {
    if providers.is_empty() {
        return Some("it has no provider".to_owned());
    }
    let twice = providers.iter().enumerate().find(|(place, provider)| {
        providers[..*place].iter().any(|earlier| earlier.name == provider.name)
    });
    if let Some((_, provider)) = twice {
        return Some(format!("two providers are called {}", provider.name));
    }
    providers.iter().find_map(Provider::fault)
}

#[cfg(test)]
mod tests {
    use super::{fault, read};

    const GOOD: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n\
        providers:\n- name: ecr\n  matchImages: ['*.dkr.ecr.*.amazonaws.com', 'reg.test:5000/team']\n  \
        defaultCacheDuration: 12h\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  \
        args: [get-credentials]\n  env: [{name: AWS_PROFILE, value: example}]\n";

    fn problem(text: &str) -> Option<String> {
        match read(text.as_bytes()) {
            Ok(providers) => fault(&providers),
            Err(problem) => Some(problem),
        }
    }

    #[test]
    fn a_good_configuration_is_read() {
        assert_eq!(problem(GOOD), None);
        let providers = read(GOOD.as_bytes()).unwrap();
        assert_eq!(providers[0].arguments(), ["get-credentials"]);
        let variables: Vec<_> = providers[0].variables().collect();
        assert_eq!(variables, [("AWS_PROFILE", "example")]);
        assert!(!providers[0].wants_token());
        let json = serde_yaml_ng::from_str::<serde_json::Value>(GOOD).unwrap().to_string();
        assert_eq!(problem(&json), None);
        for version in ["v1beta1", "v1alpha1"] {
            let text = GOOD.replace("config.k8s.io/v1", &format!("config.k8s.io/{version}"));
            assert_eq!(problem(&text), None);
        }
    }

    #[test]
    fn one_change_makes_it_one_that_the_kubelet_does_not_take() {
        let token = "  tokenAttributes: {serviceAccountTokenAudience: a, cacheType: Token, requireServiceAccount: true}\n";
        let with_token = format!("{GOOD}{token}");
        assert_eq!(problem(&with_token), None);
        assert!(read(with_token.as_bytes()).unwrap()[0].wants_token());
        let second = &GOOD[GOOD.find("- name").unwrap()..];
        for (text, expected) in [
            (String::new(), "missing field"),
            (GOOD.replace("kind:", "kind: x\nkind:"), "duplicate entry"),
            (GOOD.replace("kind: C", "kind: X"), "it is kubelet.config.k8s.io/v1 X"),
            (GOOD.replace("kubelet.config.k8s.io/v1", "v1"), "it is v1 Cred"),
            (GOOD.replace("name: ecr", "name: a/b"), "no provider can be called"),
            (GOOD.replace("name: ecr", "name: .."), "no provider can be called"),
            (GOOD.replace("name: ecr", "name: 'a b'"), "no provider can be called"),
            (GOOD.replace("12h", "12 h"), "is no duration"),
            (GOOD.replace("12h", "-1s"), "is negative"),
            (GOOD.replace("  defaultCacheDuration: 12h\n", ""), "no defaultCacheDuration"),
            (
                GOOD.replace("provider.kubelet.k8s.io/v1", "provider.kubelet.k8s.io/v2"),
                "must be one of",
            ),
            (GOOD.replace("'*.dkr.ecr.*.amazonaws.com', 'reg.test:5000/team'", ""), "has no item"),
            (GOOD.replace("reg.test:5000", "reg.test:x"), "is no URL"),
            (GOOD.replace("args:", "arguments:"), "unknown field `arguments`"),
            (GOOD.replace("value: example", "value: 1"), "invalid type"),
            (format!("{GOOD}{second}"), "two providers are called ecr"),
            (GOOD[..GOOD.find("- name").unwrap()].to_owned(), "it has no provider"),
            (with_token.replace("Audience: a", "Audience: ''"), "no serviceAccountTokenAudience"),
            (with_token.replace("cacheType: Token", "cacheType: x"), "must be ServiceAccount or"),
            (
                with_token.replace("provider.kubelet.k8s.io/v1", "provider.kubelet.k8s.io/v1beta1"),
                "goes with apiVersion",
            ),
            (
                with_token.replace("true}", "false, requiredServiceAccountAnnotationKeys: [k]}"),
                "needs requireServiceAccount",
            ),
        ] {
            let problem = problem(&text).unwrap_or_default();
            assert!(problem.contains(expected), "{problem}\n{text}");
        }
    }
}
