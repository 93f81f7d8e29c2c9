//! Hops: which host failed, and what it is for.

use super::reach::Reach;
use super::shortened;

/// A host, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The registry itself, or a host of which nothing else is known.
    Registry,
    /// The service that gives tokens.
    TokenService,
    /// The endpoint where an identity's token becomes a login.
    Exchange,
    /// The host of the layers.
    Data,
    /// A mirror that the node asks in place of the registry.
    Mirror,
    /// A proxy.
    Proxy,
    /// The node's metadata service.
    Metadata,
}

/// The host that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// What it is for.
    pub(super) role: Role,
    /// Its name, where the text has one.
    pub(super) host: Option<String>,
    /// Whether an address of a request names it.
    pub(super) is_named: bool,
}

impl Hop {
    /// Whether it is a registry of Azure.
    pub(super) fn is_azure(&self) -> bool {
        self.host.as_deref().is_some_and(|host| host.to_lowercase().contains(".azurecr."))
    }

    /// Whether it is one of Azure's regional names.
    pub(super) fn is_regional(&self) -> bool {
        self.host.as_deref().is_some_and(|host| host.contains(".geo.azurecr."))
    }

    /// Whether the name looks misspelt: two clouds' suffixes, or a suffix that none has.
    pub(super) fn is_suspicious(&self) -> bool {
        let Some(host) = self.host.as_deref().map(str::to_lowercase) else { return false };
        let doubled = host.matches(".azurecr.").count() > 1;
        let misspelt = [
            ".azureacr.",
            ".azurcr.",
            ".azurecr.com",
            ".azurercr.",
            ".acr.io",
            "dcoker.io",
            "qauy.io",
        ];
        doubled || misspelt.iter().any(|wrong| host.contains(wrong))
    }

    /// Whether everybody knows the host to exist.
    pub(super) fn is_well_known(&self) -> bool {
        self.is_below(&[
            "docker.io",
            "docker.com",
            "ghcr.io",
            "quay.io",
            "gcr.io",
            "k8s.io",
            "mcr.microsoft.com",
            "ecr.aws",
        ])
    }

    /// Whether everybody knows its certificate to be in order.
    pub(super) fn is_trusted(&self) -> bool {
        let clouds = ["amazonaws.com", "azurecr.io", "pkg.dev", "gitlab.com", "windows.net"];
        self.is_well_known() || self.is_below(&clouds)
    }

    fn is_below(&self, domains: &[&str]) -> bool {
        let Some(host) = self.host.as_deref() else { return false };
        domains.iter().any(|domain| {
            host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        })
    }
}

/// What stands in the address of a token service.
const TOKEN_PATHS: &[&str] = &["/token", "/oauth2", "/jwt/auth", "/v2/auth", "scope=repository"];

/// Hosts that serve layers for registries.
const DATA_HOSTS: &[&str] = &[
    ".blob.core.",
    ".blob.storage.",
    ".data.azurecr.",
    ".cdn.mscr.io",
    ".data.mcr.microsoft.com",
    "production.cloudflare.docker.com",
    "production.cloudfront.docker.com",
    "docker-images-prod.",
    ".r2.cloudflarestorage.com",
    "pkg-containers.githubusercontent.com",
    "cdn.quay.io",
    "cdn01.quay.io",
    "cdn02.quay.io",
    "cdn03.quay.io",
    "starport-layer-bucket",
    ".cloudfront.net",
    "storage.googleapis.com",
    ".s3.",
    ".s3-",
    "s3.amazonaws.com",
    "quayio-production-s3",
];

/// No address that a message has is longer. Without a limit a text of nothing but `https://`
/// would be read to its end from each of them.
const URL_MAX: usize = 8 * 1024;

/// The length of an address at the beginning. Runtimes put a colon behind it, with or
/// without a blank.
pub(super) fn length_of_url(text: &str) -> usize {
    let ends = |character: char| character.is_whitespace() || "\"'`)}],;\\".contains(character);
    let text = shortened(text, URL_MAX);
    let whole = &text[..text.find(ends).unwrap_or(text.len())];
    let authority = whole.find("://").map_or(0, |place| place + 3);
    let path = whole[authority..].find(['/', '?']).map_or(whole.len(), |place| authority + place);
    let query = whole[path..].find('?').map_or(whole.len(), |place| path + place);
    let cut = whole[path..query]
        .match_indices(':')
        .map(|(place, _)| path + place)
        .find(|place| !whole[..*place].ends_with("sha256") && !whole[..*place].ends_with("sha512"));
    whole[..cut.unwrap_or(whole.len())].trim_end_matches([':', '.', ',']).len()
}

/// Whether the words before an address say that it was asked for, rather than that one can
/// read more there.
pub(super) fn is_request(prose: &str) -> bool {
    let before = prose.trim_end_matches(['"', ' ', ':', '\'', '=']);
    let words = [
        "get",
        "head",
        "post",
        "put",
        "request to",
        "status code",
        "content at",
        "endpoint",
        "url",
        "from host",
        "token from",
        "failed to fetch",
    ];
    words.iter().any(|word| {
        before.strip_suffix(word).is_some_and(|front| !front.ends_with(char::is_alphanumeric))
    })
}

fn host_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.split(['/', '?']).next().unwrap_or(after)
}

/// Whether an address is the base of a registry's API.
pub(super) fn is_base(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.split_once('/').is_some_and(|(_, path)| path.trim_end_matches([':', '/']) == "v2")
}

/// The image that the pull was for.
pub(super) fn image(plain: &str) -> Option<&str> {
    let quoted = [
        "pull and unpack image \"",
        "pull image \"",
        "pulling image \"",
        "reference \"",
        "image \"",
    ];
    let after_quote =
        quoted.iter().find_map(|words| plain.split_once(words)).map(|(_, after)| after);
    if let Some(after) = after_quote {
        return after.split(['"', ' ']).next().filter(|image| !image.is_empty());
    }
    let bare = ["manifest for ", "initializing source docker://", "pull access denied for "];
    let after = bare.iter().find_map(|words| plain.split_once(words)).map(|(_, after)| after)?;
    let image = after.split([' ', ',']).next()?.trim_end_matches(':');
    (!image.is_empty()).then_some(image)
}

/// The host of an image, as one reads it: the first part where that looks like a host.
fn host_of_image(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':', '*', '<']) || first == "localhost" => first,
        Some(_) | None => "docker.io",
    }
}

/// The word behind some others.
fn word_after<'text>(plain: &'text str, words: &str) -> Option<&'text str> {
    let after = plain.split_once(words)?.1;
    let word = after.split([' ', ',', '"', '/']).next()?.trim_end_matches([':', '.']);
    (!word.is_empty()).then_some(word)
}

fn is_host(text: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || ".-:".contains(character);
    text.contains('.') && text.len() < 300 && text.chars().all(is_part)
}

/// Whether the address of the metadata service is named, and not that of Google Cloud's resolver, which
/// is the same.
fn names_the_metadata_service(prose: &str) -> bool {
    let mut places = prose.match_indices("169.254.169.254");
    places.any(|(place, address)| {
        let port = prose[place + address.len()..].strip_prefix(":53");
        port.is_none_or(|behind| behind.starts_with(|next: char| next.is_ascii_digit()))
    })
}

/// Finds the hop that failed.
pub(super) fn find(plain: &str, prose: &str, requests: &[String], wrapped: Reach) -> Hop {
    let last = requests.last();
    let host = last
        .map(|url| host_of(url))
        .filter(|host| !host.is_empty())
        .or_else(|| word_after(plain, "lookup "))
        .or_else(|| word_after(plain, "pulling from host "))
        .or_else(|| word_after(plain, "pinging container registry "))
        .or_else(|| word_after(plain, "pinging docker registry "))
        .or_else(|| image(plain).map(host_of_image))
        // `HOST/REPOSITORY:TAG: failed to authorize: …`
        .or_else(|| plain.split('/').next().filter(|first| is_host(first)));
    let role = if prose.contains("proxyconnect") || prose.contains("socks connect") {
        Role::Proxy
    } else if names_the_metadata_service(prose)
        || host.is_some_and(|host| host.starts_with("169.254.169.254"))
    {
        Role::Metadata
    } else {
        last.map_or(Role::Registry, |url| role(url, wrapped))
    };
    let is_local = |host: &str| host.starts_with("localhost:") || host.starts_with("127.");
    let is_of_the_image = |host| image(plain).is_none_or(|image| host_of_image(image) == host);
    let role = if role != Role::Registry {
        role
    } else if host.is_some_and(|host| is_local(host) && !is_of_the_image(host)) {
        Role::Mirror
    } else if wrapped == Reach::Token {
        Role::TokenService
    } else if wrapped == Reach::Blob && last.is_none() {
        // The content is served elsewhere, and the text leaves the address out.
        Role::Data
    } else {
        role
    };
    Hop { role, host: host.map(str::to_owned), is_named: last.is_some() }
}

fn role(url: &str, wrapped: Reach) -> Role {
    let host = host_of(url);
    let path = &url[url.find(host).unwrap_or(0) + host.len()..];
    let is_content = path.contains("/manifests/") || path.contains("/blobs/sha");
    let is_any = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
    let is_elsewhere = wrapped == Reach::Blob && !path.starts_with("/v2/");
    // The runtime tells a mirror for which registry it is asked.
    if is_any(&["?ns=", "&ns="]) && host != "registry-1.docker.io" {
        Role::Mirror
    } else if path.contains("/oauth2/exchange") {
        Role::Exchange
    } else if !is_content && is_any(TOKEN_PATHS) {
        Role::TokenService
    } else if is_elsewhere || DATA_HOSTS.iter().any(|data| host.contains(data)) {
        Role::Data
    } else {
        Role::Registry
    }
}
