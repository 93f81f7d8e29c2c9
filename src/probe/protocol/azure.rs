//! The messages of Azure's logins, and where they may go. Pure.
//!
//! Sources: cloud-provider-azure 7b31c76, pkg/credentialprovider (what the kubelet's credential
//! provider asks); Azure/aks-canipull d995351, pkg/authorizer (what `az aks check-acr` asks);
//! Azure Container Registry, docs/AAD-OAuth.md (the exchange); Microsoft Entra, "How to use
//! managed identities on a virtual machine to acquire an access token" and "Microsoft identity
//! platform and the OAuth 2.0 client credentials flow".

use hyper::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url, form_urlencoded};

use crate::access::azure::Selector;
use crate::evidence::{Answer, NotSent, RegistryError};
use crate::secret::Secret;

use super::{clean, clean_without, header, realm};

/// What a registry of Azure wants to know of whoever asks (Azure Container Registry,
/// docs/http-headers.md).
pub(in crate::probe) const SOURCE_HEADER: &str = "x-meta-source-client";
/// Who we are to it.
pub(in crate::probe) const SOURCE: &str = "azure/aks/registrycheck";

/// Where a registry gives the id of a request, under which its log has it.
const CORRELATION: &str = "x-ms-correlation-request-id";

/// Whether a host is below one of `domains`, by whole labels.
pub(in crate::probe) fn is_within(url: &Url, domains: &[String]) -> bool {
    let Some(Host::Domain(host)) = url.host() else { return false };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    domains.iter().any(|domain| {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        let below = host.strip_suffix(&domain).filter(|_| !domain.is_empty());
        below.is_some_and(|below| below.len() > 1 && below.ends_with('.'))
    })
}

/// Whether a token of Azure, or what a registry gives for one, may be sent to a registry.
pub(in crate::probe) fn may_have_tokens(registry: &Url, domains: &[String]) -> bool {
    registry.scheme() == "https" && is_within(registry, domains)
}

/// The URL of a challenge's token service, if a token of Azure may go there from the registry at
/// `registry`: to that very host, or to another name of the same registry.
pub(in crate::probe) fn realm(
    realm: &str,
    registry: &Url,
    domains: &[String],
) -> Result<Url, NotSent> {
    let url = realm::parse(realm)?;
    let is_own = url.host() == registry.host() || is_same_registry(&url, registry, domains);
    if !is_own || !is_within(&url, domains) {
        Err(NotSent::ForeignRealm { realm: clean(realm) })
    } else if url.scheme() != "https" {
        Err(NotSent::InsecureRealm { realm: clean(realm) })
    } else {
        Ok(url)
    }
}

/// Whether two hosts are names of the same registry: below one domain of registries, with the
/// same first label.
pub(in crate::probe) fn is_same_registry(one: &Url, other: &Url, domains: &[String]) -> bool {
    let (Some(Host::Domain(first)), Some(Host::Domain(second))) = (one.host(), other.host()) else {
        return false;
    };
    let (of_one, of_other) = (domain_of(one, domains), domain_of(other, domains));
    of_one.is_some() && of_one == of_other && first.split('.').next() == second.split('.').next()
}

/// The domain of registries below which a host is, where each registry is another owner's: the
/// longest of `domains`, or all from the label `azurecr` on, which each of Azure's clouds has
/// (`azurecr.de`, `azurecr.sovcloud-azure.fr`).
pub(super) fn domain_of(url: &Url, domains: &[String]) -> Option<String> {
    let lower = |domain: &String| domain.trim_matches('.').to_ascii_lowercase();
    let own = domains.iter().filter(|domain| is_within(url, std::slice::from_ref(domain)));
    let longest = own.map(lower).max_by_key(String::len);
    longest.or_else(|| {
        let Some(Host::Domain(host)) = url.host() else { return None };
        let (name, rest) = host.trim_end_matches('.').split_once(".azurecr.")?;
        (!name.is_empty() && !rest.is_empty()).then(|| format!("azurecr.{rest}"))
    })
}

/// Where the token service of a registry exchanges tokens: the realm's scheme and host count
/// (`azure_acr_helper.go`, `performTokenExchange`).
pub(in crate::probe) fn exchange_url(service: &Url) -> Url {
    let mut url = service.clone();
    url.set_path("/oauth2/exchange");
    url.set_query(None);
    url
}

/// Which parameter names an identity to the metadata service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Naming {
    /// The one that fits, as the credential provider does.
    Fitting,
    /// `client_id` whatever it is, and where there is nothing an empty `mi_res_id`, as canipull
    /// does.
    AsClientId,
}

/// Where the metadata service below `base` has a token of an identity for an audience.
pub(in crate::probe) fn metadata_url(
    base: &str,
    selector: &Selector,
    naming: Naming,
    resource: &str,
) -> Option<Url> {
    let mut url = Url::parse(base).ok()?.join("/metadata/identity/oauth2/token").ok()?;
    let who = match (selector, naming) {
        (Selector::ClientId(id), _) | (Selector::ResourceId(id), Naming::AsClientId) => {
            Some(("client_id", id.as_str()))
        }
        (Selector::ResourceId(id), Naming::Fitting) => Some(("msi_res_id", id.as_str())),
        (Selector::Unnamed, Naming::Fitting) => None,
        (Selector::Unnamed, Naming::AsClientId) => Some(("mi_res_id", "")),
    };
    url.query_pairs_mut()
        .append_pair("api-version", "2018-02-01")
        .extend_pairs(who)
        .append_pair("resource", resource);
    Some(url)
}

/// Where Entra ID at `authority` gives tokens of a tenant; `None` where that is not behind TLS.
pub(in crate::probe) fn entra_url(authority: &str, tenant: &str, path: &str) -> Option<Url> {
    let mut url = Url::parse(authority).ok().filter(|url| url.scheme() == "https")?;
    url.path_segments_mut().ok()?.clear().push(tenant).extend(path.split('/'));
    Some(url)
}

/// A form (`application/x-www-form-urlencoded`).
pub(in crate::probe) fn form(fields: &[(&str, &[u8])]) -> String {
    let encoded = |value: &[u8]| form_urlencoded::byte_serialize(value).collect::<String>();
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    fields.join("&")
}

/// The registry's token of an exchange's answer, or why there is none.
pub(in crate::probe) fn refresh_token(body: &[u8]) -> Result<Secret, &'static str> {
    #[derive(Deserialize)]
    struct Body {
        refresh_token: Option<String>,
    }
    let body: Body = serde_json::from_slice(body)
        .map_err(|_| "the answer is no JSON object of the token exchange")?;
    let filled = body.refresh_token.filter(|token| !token.is_empty());
    filled.map(Secret::new).ok_or("the answer has no refresh_token")
}

/// The names of repositories that a list has (Docker registry HTTP API v2, "Listing
/// Repositories"), as far as they can be names.
pub(in crate::probe) fn repositories(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        repositories: Vec<String>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let is_name = |name: &String| {
        !name.is_empty() && name.len() <= 255 && name.chars().all(is_part) && clean(name) == *name
    };
    body.map_or_else(Vec::new, |body| body.repositories.into_iter().filter(is_name).collect())
}

/// The id under which the registry's log has a request.
pub(in crate::probe) fn correlation(headers: &HeaderMap, secrets: &[Secret]) -> Option<String> {
    let id = header(headers, CORRELATION).map(|id| clean_without(&id, secrets));
    id.filter(|id| !id.is_empty())
}

/// What Entra ID or the metadata service answers that gives no token: `error` (RFC 6749, 5.2),
/// `error_description` and `error_codes` (Microsoft identity platform, "Error response").
///
/// The code is the number that Entra ID documents, where there is one: it says more than the
/// word, and the words may change.
pub(in crate::probe) fn refusal(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
) -> Answer {
    #[derive(Deserialize)]
    struct Body {
        error: Option<String>,
        error_description: Option<String>,
        #[serde(default)]
        error_codes: Vec<Value>,
        correlation_id: Option<String>,
    }
    let answer = super::answer(status, headers, body, secrets);
    let plain = |id: String| clean_without(&id, secrets);
    let of_header = header(headers, "x-ms-request-id").map(plain);
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return Answer { correlation: of_header.or(answer.correlation), ..answer };
    };
    let description = body.error_description.unwrap_or_default();
    let number = body.error_codes.first().and_then(Value::as_u64);
    let code = number
        .map(|number| format!("AADSTS{number}"))
        .or_else(|| numbered(&description))
        .or(body.error);
    let correlation = body.correlation_id.map(plain).or(of_header).or(answer.correlation);
    match code {
        Some(code) => {
            let message = clean_without(first_sentence(&description), secrets);
            let error = RegistryError { code: clean_without(&code, secrets), message };
            Answer { errors: vec![error], body: None, correlation, ..answer }
        }
        None => Answer { correlation, ..answer },
    }
}

/// The first `AADSTS…` of a text.
fn numbered(text: &str) -> Option<String> {
    let from = text.find("AADSTS")?;
    let digits = text[from + 6..].find(|c: char| !c.is_ascii_digit());
    let until = digits.map_or(text.len(), |length| from + 6 + length);
    (until > from + 6).then(|| text[from..until].to_owned())
}

/// The first sentence of an error's description, without its number, which stands beside it, and
/// without the ids of the request.
fn first_sentence(description: &str) -> &str {
    let line = description.split(['\r', '\n']).next().unwrap_or_default();
    let line = line.split("Trace ID:").next().unwrap_or_default();
    let line = match line.split_once(": ") {
        Some((number, rest)) if numbered(number).is_some_and(|found| found == number.trim()) => {
            rest
        }
        _ => line,
    };
    let end = line.find(". ").unwrap_or(line.len());
    line[..end].trim().trim_end_matches('.')
}

#[cfg(test)]
mod tests;
