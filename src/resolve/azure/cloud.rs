//! The clouds of Azure: where each has its endpoints.
//!
//! The credential provider knows three by their names and takes any other name for the public
//! one; only a cloud called AzureStackCloud brings endpoints of its own, in a file
//! (cloud-provider-azure 7b31c76, `pkg/azclient/cloud.go` and `pkg/azclient/utils/cloud.go`).

use psl::Psl as _;
use url::Url;

use crate::access::azure::{Cloud, REGISTRY_DOMAINS};

use super::document::{self, Document, Form};

/// The name of a cloud whose endpoints are in a file (pkg/azclient/utils/const.go).
const STACK: &str = "AzureStackCloud";
/// Stands for an endpoint that a cloud does not have (pkg/azclient/cloud.go, `NotAvailable`).
const NOT_AVAILABLE: &str = "N/A";
/// The metadata service (Microsoft Entra documentation, how-to-use-vm-token).
const METADATA: &str = "http://169.254.169.254";
/// The audience for registries, which is the same in all clouds
/// (`pkg/credentialprovider/azure_credentials.go`, `AcrAudience`).
const REGISTRY_AUDIENCE: &str = "https://containerregistry.azure.net";
/// The fields of the file that count (`Environment`).
const ENVIRONMENT: Form = Form {
    texts: &[
        "name",
        "resourceManagerEndpoint",
        "activeDirectoryEndpoint",
        "containerRegistryDNSSuffix",
        "tokenAudience",
    ],
    flags: &[],
};

/// A cloud that is known by its name.
struct Known {
    /// Its names; letters count without regard to case.
    names: &'static [&'static str],
    authority: &'static str,
    /// The endpoint of its resource manager, as `az aks check-acr` has it
    /// (go-autorest, autorest/azure/environments.go).
    manager: &'static str,
    suffix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        names: &["AzureCloud", "AzurePublicCloud"],
        authority: "https://login.microsoftonline.com",
        manager: "https://management.azure.com/",
        suffix: "azurecr.io",
    },
    Known {
        names: &["AzureUSGovernment", "AzureUSGovernmentCloud"],
        authority: "https://login.microsoftonline.us",
        manager: "https://management.usgovcloudapi.net/",
        suffix: "azurecr.us",
    },
    Known {
        names: &["AzureChinaCloud"],
        authority: "https://login.chinacloudapi.cn",
        manager: "https://management.chinacloudapi.cn/",
        suffix: "azurecr.cn",
    },
];

/// A cloud as the credential provider has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) cloud: Cloud,
    /// Whether `az aks check-acr` knows it too: it takes no other for the public one.
    pub(super) is_known: bool,
    /// What the hosts of its registries end with; empty where it has none.
    pub(super) suffix: String,
    /// What knows its endpoints, where that is not asked here: its resource manager, or a token
    /// service that is not Entra ID's.
    pub(super) open: Option<&'static str>,
}

/// The cloud of this name, for who names it; `None` where it is none.
pub fn named(name: &str) -> Option<Cloud> {
    find(name).map(|known| located(name, known).cloud)
}

/// The names of the clouds that [`named`] knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().flat_map(|known| known.names.iter().take(1).copied())
}

/// The cloud of an azure.json with this `cloud` and `resourceManagerEndpoint`.
/// A resource manager of a known cloud says of that cloud what is known.
pub(super) fn of_config(name: &str, manager: &str) -> Located {
    let manager = manager.trim_end_matches('/');
    let of_manager = |known: &&Known| known.manager.trim_end_matches('/') == manager;
    let by_name = find(name).unwrap_or(&KNOWN[0]);
    let of_manager = KNOWN.iter().find(of_manager);
    let is_known = find(name).is_some();
    let is_open = of_manager.is_none() && !manager.is_empty();
    let open = is_open.then_some("resourceManagerEndpoint in azure.json");
    Located { is_known, open, ..located(name, of_manager.unwrap_or(by_name)) }
}

/// Whether endpoints of a cloud of this name may be in a file.
pub(super) fn takes_environment(name: &str) -> bool {
    name.eq_ignore_ascii_case(STACK)
}

/// The cloud with the endpoints of a file (`OverrideAzureCloudConfigFromEnv`). The error says
/// what is wrong with it, as part of a sentence.
///
/// The credential provider takes any endpoint; here none is taken to which a token would go in
/// the clear, and no domain of registries that would be anybody's.
pub(super) fn with_environment(located: Located, content: &[u8]) -> Result<Located, String> {
    let file = document::read_json(content, ENVIRONMENT)?;
    let Located { mut cloud, mut suffix, .. } = located;
    let mut open = None;
    if let Some(authority) = endpoint(&file, "activeDirectoryEndpoint")? {
        // Active Directory Federation Services have their tokens below /adfs.
        let has_path = Url::parse(&authority).is_ok_and(|url| url.path() != "/");
        open = has_path.then_some("activeDirectoryEndpoint of its cloud");
        authority.trim_end_matches('/').clone_into(&mut cloud.authority);
    }
    if let Some(manager) = endpoint(&file, "resourceManagerEndpoint")? {
        cloud.management_audience = manager;
    }
    let of_file = file.text("containerRegistryDNSSuffix");
    if of_file == NOT_AVAILABLE {
        suffix = String::new();
    } else if !of_file.is_empty() {
        let domain = of_file.trim_start_matches('.').to_ascii_lowercase();
        if !is_domain(&domain) {
            return Err("its containerRegistryDNSSuffix is no domain of two names or more".into());
        }
        if is_anybodys(&domain) {
            return Err("below its containerRegistryDNSSuffix anybody may have a name".into());
        }
        if !cloud.registry_domains.contains(&domain) {
            cloud.registry_domains.push(domain);
        }
        suffix = of_file;
    }
    Ok(Located { cloud, is_known: true, suffix, open })
}

fn endpoint(file: &Document, field: &str) -> Result<Option<String>, String> {
    let text = file.text(field);
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(&text).ok();
    let is_good = |url: &Url| {
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let is_named = url.username().is_empty() && url.password().is_none();
        url.scheme() == "https" && url.has_host() && is_bare && is_named
    };
    match url.filter(is_good) {
        Some(_) => Ok(Some(text)),
        None => Err(format!("its {field} is no URL that begins with https://")),
    }
}

/// Whether names below a domain are sold or given to anybody (the public suffix list).
fn is_anybodys(domain: &str) -> bool {
    let suffix = psl::List.suffix(domain.as_bytes());
    suffix.is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

fn find(name: &str) -> Option<&'static Known> {
    let name = name.trim();
    let is_called = |called: &&str| called.eq_ignore_ascii_case(name);
    KNOWN.iter().find(|known| known.names.iter().any(is_called))
}

fn located(name: &str, known: &Known) -> Located {
    let name = if name.trim().is_empty() { KNOWN[0].names[0] } else { name.trim() };
    Located {
        cloud: Cloud {
            name: name.to_owned(),
            metadata: METADATA.to_owned(),
            authority: known.authority.to_owned(),
            registry_audience: REGISTRY_AUDIENCE.to_owned(),
            management_audience: known.manager.to_owned(),
            registry_domains: REGISTRY_DOMAINS.iter().map(ToString::to_string).collect(),
        },
        is_known: true,
        suffix: known.suffix.to_owned(),
        open: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Located, named, names, of_config, takes_environment, with_environment};

    const FILE: &str = r#"{"name":"AzureBleuCloud",
        "resourceManagerEndpoint":"https://management.sovcloud-api.fr/",
        "activeDirectoryEndpoint":"https://login.sovcloud-identity.fr/",
        "containerRegistryDNSSuffix":"azurecr.sovcloud-azure.fr","graphEndpoint":"N/A"}"#;

    #[track_caller]
    fn check(name: &str, manager: &str, authority: &str, audience: &str, suffix: &str) -> Located {
        let located = of_config(name, manager);
        assert_eq!(located.cloud.authority, authority, "{name}");
        assert_eq!(located.cloud.management_audience, audience, "{name}");
        assert_eq!(located.cloud.registry_audience, "https://containerregistry.azure.net");
        assert_eq!(located.cloud.registry_domains, ["azurecr.io", "azurecr.cn", "azurecr.us"]);
        assert_eq!(located.suffix, suffix, "{name}");
        located
    }

    #[test]
    fn a_cloud_is_known_by_its_names_and_any_other_is_the_public_one() {
        let public = ["https://login.microsoftonline.com", "https://management.azure.com/"];
        for name in ["", "AzureCloud", "AZUREPUBLICCLOUD", " azurecloud ", "AzureStackCloud", "x"] {
            let located = check(name, "", public[0], public[1], "azurecr.io");
            assert_eq!(located.open, None);
        }
        let government =
            ["https://login.microsoftonline.us", "https://management.usgovcloudapi.net/"];
        for name in ["AzureUSGovernment", "azureusgovernmentcloud"] {
            check(name, "", government[0], government[1], "azurecr.us");
        }
        let china = ["https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn/"];
        check("AzureChinaCloud", "", china[0], china[1], "azurecr.cn");
        for manager in ["https://management.chinacloudapi.cn", china[1]] {
            let located = check("AzureStackCloud", manager, china[0], china[1], "azurecr.cn");
            assert_eq!((located.cloud.name.as_str(), located.open), ("AzureStackCloud", None));
        }
        let own = "https://management.stack.example";
        let own = check("AzureStackCloud", own, public[0], public[1], "azurecr.io");
        assert_eq!(own.open, Some("resourceManagerEndpoint in azure.json"));
        assert_eq!(of_config("", "").cloud.name, "AzureCloud");
    }

    #[test]
    fn only_a_known_name_can_be_asked_for() {
        assert_eq!(named("azurechinacloud").unwrap().authority, "https://login.chinacloudapi.cn");
        assert_eq!(named("AzureStackCloud"), None);
        let names: Vec<&str> = names().collect();
        assert_eq!(names, ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]);
    }

    #[test]
    fn a_file_brings_endpoints_of_its_own() {
        assert!(takes_environment("azurestackCLOUD") && !takes_environment("AzureCloud"));
        let located = of_config("AzureStackCloud", "https://management.stack.example");
        let own = with_environment(located.clone(), FILE.as_bytes()).unwrap();
        assert_eq!(own.cloud.authority, "https://login.sovcloud-identity.fr");
        assert_eq!(own.cloud.management_audience, "https://management.sovcloud-api.fr/");
        assert_eq!(own.cloud.registry_domains[3], "azurecr.sovcloud-azure.fr");
        assert_eq!((own.suffix.as_str(), own.open), ("azurecr.sovcloud-azure.fr", None));
        let empty = with_environment(located.clone(), b"{}").unwrap();
        assert_eq!(empty, Located { is_known: true, open: None, ..located.clone() });
        let none = FILE.replace("azurecr.sovcloud-azure.fr", "N/A");
        let none = with_environment(located.clone(), none.as_bytes()).unwrap();
        assert_eq!((none.suffix.as_str(), none.cloud.registry_domains.len()), ("", 3));
        // Its tokens are elsewhere than those of Entra ID.
        let adfs = FILE.replace("sovcloud-identity.fr/", "sovcloud-identity.fr/adfs");
        let adfs = with_environment(located, adfs.as_bytes()).unwrap();
        assert_eq!(adfs.open, Some("activeDirectoryEndpoint of its cloud"));
    }

    #[test]
    fn a_file_with_an_endpoint_that_is_no_safe_one_is_refused() {
        let located = of_config("AzureStackCloud", "");
        for (good, bad, expected) in [
            ("https://login.", "http://login.", "its activeDirectoryEndpoint is no URL that"),
            ("https://login.", "https://canary@login.", "its activeDirectoryEndpoint"),
            ("https://management.", "management.", "its resourceManagerEndpoint is no URL"),
            ("azurecr.sovcloud-azure.fr", "fr", "its containerRegistryDNSSuffix is no domain"),
            ("azurecr.sovcloud-azure.fr", "co.uk", "below its containerRegistryDNSSuffix anybody"),
            ("azurecr.sovcloud-azure.fr", ".github.io", "below its containerRegistryDNSSuffix"),
            ("azurecr.sovcloud-azure.fr", "a..fr", "its containerRegistryDNSSuffix"),
            ("azurecr.sovcloud-azure.fr", "canary/x.fr", "its containerRegistryDNSSuffix"),
            (
                "\"https://login.sovcloud-identity.fr/\"",
                "1",
                "its activeDirectoryEndpoint is a numb",
            ),
            ("{", "canary", "it is no JSON object"),
        ] {
            let fault = with_environment(located.clone(), FILE.replacen(good, bad, 1).as_bytes());
            let fault = fault.unwrap_err();
            assert!(fault.contains(expected) && !fault.contains("canary"), "{bad}: {fault}");
        }
    }
}
