//! What the kubelet's credential provider for Azure would do for an image: whether it is run, and
//! as whom it logs in (cloud-provider-azure 7b31c76, cmd/acr-credential-provider and
//! `pkg/credentialprovider/azure_credentials.go`, `NewAcrProvider` and `GetCredentials`).

use crate::access::azure::{Login, PROVIDER, Principal};
use crate::access::{Access, Gap, NodeSource, NotRun, ProviderFailure};
use crate::image::ImageRef;

use super::super::keyring::matches_pattern;
use super::account::Account;
use super::cloud::Located;
use super::config::Config;

/// The hosts for which AKS configures it (`/var/lib/kubelet/credential-provider-config.yaml` of an
/// AKS node), and to which it gives a service principal's secret (`containerRegistryUrls`).
const REGISTRIES: &[&str] = &["*.azurecr.io", "*.azurecr.cn", "*.azurecr.de", "*.azurecr.us"];
/// The hosts for which newer nodes of AKS configure it as well (Azure/AgentBaker 040ade0b94 of
/// July 2026, parts/linux/cloud-init/artifacts/cse_config.sh).
const OF_NEWER_NODES: &[&str] =
    &["*.*.geo.azurecr.io", "*.*.geo.azurecr.cn", "*.*.geo.azurecr.de", "*.*.geo.azurecr.us"];
/// The option with which it logs in by an identity binding (cmd/acr-credential-provider,
/// pkg/config).
const IDENTITY_BINDING: &str = "--ib-sni-name";
/// The options that name the registries of which another one has the images.
const MIRROR: &[&str] = &["--registry-mirror", "-r"];

/// What the kubelet's configuration says of the credential provider.
#[derive(Clone, Debug)]
pub(in crate::resolve) struct Configured {
    /// The hosts for which it is run.
    pub(in crate::resolve) patterns: Vec<String>,
    /// Whether they are taken for those of AKS, since the configuration is not given.
    pub(in crate::resolve) is_assumed: bool,
    /// Its arguments.
    pub(in crate::resolve) arguments: Vec<String>,
    /// Whether it is given a token of the pod's service account; `None` where that is not known.
    pub(in crate::resolve) wants_token: Option<bool>,
    /// The annotations of the service account without which it is not run.
    pub(in crate::resolve) annotations: Vec<String>,
}

impl Configured {
    /// As AKS configures it.
    pub(in crate::resolve) fn by_default() -> Self {
        Self {
            patterns: REGISTRIES.iter().map(ToString::to_string).collect(),
            is_assumed: true,
            arguments: Vec::new(),
            wants_token: None,
            annotations: Vec::new(),
        }
    }

    /// The value of an option, the last one where it is given several times.
    fn option(&self, names: &[&str]) -> Option<&str> {
        let mut value = None;
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            if names.contains(&argument.as_str()) {
                value = arguments.next().map(String::as_str);
            } else if let Some((name, given)) = argument.split_once('=')
                && names.contains(&name)
            {
                value = Some(given);
            }
        }
        value.filter(|value| !value.is_empty())
    }

    /// The option that makes it log in in a way that is not emulated.
    fn other_way(&self, repository: &str) -> Option<&'static str> {
        let mirrors = self.option(MIRROR).unwrap_or_default().replace(' ', "");
        let mut sources = mirrors.split(',').filter_map(|pair| pair.split_once(':'));
        if sources.any(|(source, _)| repository.starts_with(source)) {
            return Some(MIRROR[0]);
        }
        self.option(&[IDENTITY_BINDING]).map(|_| IDENTITY_BINDING)
    }
}

/// As whom it logs in for an image, or why not.
pub(super) fn access(
    setting: &Result<Setting, Unusable>,
    configured: &Configured,
    image: &ImageRef,
    account: Option<&Account>,
) -> Access {
    match login(setting, configured, image, account) {
        Ok((login, open)) => {
            Access { credentials: Vec::new(), azure: Some(login), gaps: open.into_iter().collect() }
        }
        Err(gap) => Access { credentials: Vec::new(), azure: None, gaps: vec![*gap] },
    }
}

/// What the node's files say.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The path of azure.json.
    pub(super) file: String,
    /// What it says.
    pub(super) config: Config,
    /// The cloud in which the node is.
    pub(super) located: Located,
}

/// A file with which the credential provider fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    /// Its path.
    pub(super) file: String,
    /// What is wrong, as part of a sentence.
    pub(super) reason: String,
}

impl From<Unusable> for Gap {
    fn from(Unusable { file, reason }: Unusable) -> Self {
        Self::AzureConfigUnusable { file, reason }
    }
}

/// The login, and what leaves open whether it is that one.
fn login(
    setting: &Result<Setting, Unusable>,
    configured: &Configured,
    image: &ImageRef,
    account: Option<&Account>,
) -> Result<(Login, Option<Gap>), Box<Gap>> {
    let repository = image.repository();
    if !configured.patterns.iter().any(|pattern| matches_pattern(pattern, image).is_ok()) {
        let (provider, patterns) = (PROVIDER.to_owned(), configured.patterns.clone());
        return Err(Box::new(if configured.is_assumed && may_be_asked(setting, image) {
            Gap::ProviderNotRun { provider, reason: NotRun::MayNotMatch }
        } else {
            Gap::ProviderNotMatched { provider, patterns }
        }));
    }
    let named = account.filter(|account| !account.name.is_empty());
    if let (Some(true), Some(account)) = (configured.wants_token, named)
        && let Some(annotation) = account.first_missing(&configured.annotations)
    {
        return Err(Box::new(account.lacks(annotation)));
    }
    let Setting { file, config, located } =
        setting.as_ref().map_err(|fault| Gap::from(fault.clone()))?;
    let not_emulated = |what: &str| {
        let reason = NotRun::NotEmulated { what: what.to_owned() };
        Box::new(Gap::ProviderNotRun { provider: PROVIDER.to_owned(), reason })
    };
    if let Some(what) = located.open {
        return Err(not_emulated(what));
    }
    if let Some(option) = configured.other_way(&repository) {
        return Err(not_emulated(option));
    }
    let token = account.and_then(|account| Some((account, account.token.as_ref()?)));
    let workload = match (configured.wants_token, token) {
        (Some(true), None) => return Err(Box::new(without_token(named))),
        (Some(true) | None, Some((account, token))) => Some(account.principal(token)?),
        (Some(false) | None, None) | (Some(false), Some(_)) => None,
    };
    let unanswered = answered_for(config, located, &repository, image);
    if let Some(gap) = unanswered {
        return Err(Box::new(gap));
    }
    let own =
        || config.principal().map_err(|reason| Unusable { file: file.clone(), reason }.into());
    let principal: Result<Principal, Gap> = match workload {
        Some(workload) if !config.has_service_principal() => Ok(workload),
        Some(_) | None => own(),
    };
    let is_open = configured.wants_token.is_none() && token.is_none();
    let open = named
        .filter(|account| is_open && account.is_for_azure() && !config.has_service_principal());
    let login = Login {
        principal: principal?,
        tenant: config.tenant.clone(),
        location: config.location.clone(),
        cloud: located.cloud.clone(),
        check_acr: Some(config.check_acr(located.is_known)),
    };
    Ok((login, open.map(|account| without_token(Some(account)))))
}

fn failed(failure: ProviderFailure) -> Gap {
    Gap::ProviderFailed { provider: PROVIDER.to_owned(), failure }
}

fn without_token(account: Option<&Account>) -> Gap {
    match account {
        Some(account) => Gap::AccountTokenNotMade { account: account.name.clone() },
        None => Gap::ProviderNotRun { provider: PROVIDER.to_owned(), reason: NotRun::WantsToken },
    }
}

/// Whether nodes of AKS that are new enough, or those of a cloud of its own, ask the provider for
/// an image, and it then has an answer for it.
fn may_be_asked(setting: &Result<Setting, Unusable>, image: &ImageRef) -> bool {
    let Ok(Setting { config, located, .. }) = setting else { return false };
    let of_cloud = format!("*.{}", located.suffix.trim_start_matches('.'));
    let mut patterns = OF_NEWER_NODES.iter().copied().chain([of_cloud.as_str()]);
    patterns.any(|pattern| matches_pattern(pattern, image).is_ok())
        && answered_for(config, located, &image.repository(), image).is_none()
}

/// What stands between the provider's answer and the image; `None` where the answer is for it.
fn answered_for(
    config: &Config,
    located: &Located,
    repository: &str,
    image: &ImageRef,
) -> Option<Gap> {
    let Some(server) = login_server(repository, &located.suffix) else {
        return Some(failed(ProviderFailure::NothingForHost));
    };
    let mut keys = vec![server.to_owned()];
    if config.has_service_principal() {
        keys = REGISTRIES.iter().map(ToString::to_string).collect();
        if located.suffix.contains(".azurecr.") {
            keys.push(format!("*{}", located.suffix));
        }
    }
    let mut first = None;
    for key in keys {
        let Err(rule) = matches_pattern(&key, image) else { return None };
        first.get_or_insert((key, rule));
    }
    first.map(|(key, rule)| {
        let source = NodeSource::Provider { provider: PROVIDER.to_owned() };
        Gap::NodeEntryNotMatching { source, key, rule }
    })
}

/// The registry that it logs in at (`parseACRLoginServerFromImage`): letters and digits before
/// one of four domains, or all up to the domain of the cloud's registries wherever that stands.
fn login_server<'image>(repository: &'image str, suffix: &str) -> Option<&'image str> {
    let host = repository.split('/').next().unwrap_or_default();
    let of_domain = REGISTRIES.iter().find_map(|pattern| host.strip_suffix(&pattern[1..]));
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if of_domain.is_some_and(is_name) {
        return Some(host);
    }
    let start = Some(suffix)
        .filter(|suffix| !suffix.is_empty())
        .and_then(|suffix| repository.find(suffix))?;
    Some(&repository[..start + suffix.len()])
}

#[cfg(test)]
mod tests;
