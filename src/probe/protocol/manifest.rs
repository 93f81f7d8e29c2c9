//! Manifests: what an image consists of, as the registry's documents say it. Pure.
//!
//! Sources: OCI image specification 1.1 (manifest, index, config), Docker image manifest
//! version 2 schema 2, and what containerd makes of them (core/images/image.go, `Manifest`;
//! core/images/mediatypes.go).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::image::platform::Platform;

use super::clean;

/// A part of an image, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) struct Descriptor {
    pub(in crate::probe) media_type: String,
    pub(in crate::probe) digest: String,
    /// In bytes; 0 where the document does not say.
    pub(in crate::probe) size: u64,
    pub(in crate::probe) platform: Option<Platform>,
    /// The registry need not have it: a layer that names other places (`urls`), as those of
    /// Windows do.
    is_foreign: bool,
}

/// What a manifest's document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Manifest {
    /// One image.
    Image { config: Descriptor, layers: Vec<Descriptor> },
    /// Images for several platforms.
    Index(Vec<Descriptor>),
}

/// Why a document is no manifest that containerd takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Unreadable {
    /// It is of a kind that is no image; in words that follow "it is".
    Kind(String),
    /// It is not what its kind says.
    Broken,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Part>,
    layers: Option<Few<Part>>,
    manifests: Option<Few<Part>>,
    fs_layers: Option<IgnoredAny>,
}

/// A list that nobody has made long: a document of a few megabytes can name a million parts.
struct Few<T>(Vec<T>);

/// The longest list, in entries; Docker takes 127 layers.
const FEW: usize = 1_000;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Few<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "a list of at most {FEW} entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Few<T>, A::Error> {
                let mut few = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    if few.len() == FEW {
                        return Err(A::Error::invalid_length(FEW + 1, &self));
                    }
                    few.push(entry);
                }
                Ok(Few(few))
            }
        }

        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<u64>,
    platform: Option<Spoken>,
    urls: Option<Few<IgnoredAny>>,
}

/// A platform as a document says it. As in Go, `null` is nothing.
#[derive(Deserialize)]
struct Spoken {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl Spoken {
    fn platform(self) -> Platform {
        let said = |text: Option<String>| clean(&text.unwrap_or_default());
        Platform {
            os: said(self.os),
            architecture: said(self.architecture),
            variant: said(self.variant),
        }
    }
}

impl From<Part> for Descriptor {
    fn from(part: Part) -> Self {
        Self {
            media_type: clean(&part.media_type.unwrap_or_default()),
            is_foreign: part.urls.is_some_and(|Few(urls)| !urls.is_empty()),
            digest: part.digest.unwrap_or_default(),
            size: part.size.unwrap_or_default(),
            platform: part.platform.map(Spoken::platform),
        }
    }
}

impl Descriptor {
    /// What a HEAD of a manifest promises.
    pub(in crate::probe) fn of_root(media_type: String, digest: Option<String>, size: u64) -> Self {
        let digest = digest.unwrap_or_default();
        Self { media_type, digest, size, platform: None, is_foreign: false }
    }

    /// Whether its digest can stand in a URL.
    pub(in crate::probe) fn has_digest(&self) -> bool {
        crate::image::is_digest(&self.digest)
    }
}

/// Whether a media type is a Docker schema 1 manifest's, and whether it is signed. containerd
/// 1.x converts the signed ones; 2.x takes none of them.
pub(in crate::probe) fn schema_1(media_type: &str) -> Option<bool> {
    match bare(media_type).as_str() {
        "application/vnd.docker.distribution.manifest.v1+prettyjws" => Some(true),
        "application/vnd.docker.distribution.manifest.v1+json" => Some(false),
        _ => None,
    }
}

/// Whether a media type is one of those that containerd reads as an index or a manifest.
pub(in crate::probe) fn is_known(media_type: &str) -> bool {
    matches!(
        bare(media_type).as_str(),
        "application/vnd.docker.distribution.manifest.v2+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json"
            | "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.oci.image.index.v1+json"
    )
}

/// A media type without its parameters, in lower case.
fn bare(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a document that was served as `media_type`.
pub(in crate::probe) fn read(media_type: &str, body: &[u8]) -> Result<Manifest, Unreadable> {
    let Ok(document) = serde_json::from_slice::<Document>(body) else {
        return Err(Unreadable::Broken);
    };
    if document.fs_layers.is_some() || document.schema_version == Some(1) {
        return Err(Unreadable::Kind("an image of Docker's schema 1".to_owned()));
    }
    let kind = bare(media_type);
    // containerd goes by the type that the registry states (core/images/image.go).
    let is_index = kind.ends_with(".index.v1+json") || kind.ends_with(".list.v2+json");
    if is_index {
        if document.manifests.is_none() && document.config.is_some() {
            let what = "an image that is called an index".to_owned();
            return Err(Unreadable::Kind(what));
        }
        let children = document.manifests.map_or_else(Vec::new, |Few(children)| children);
        return Ok(Manifest::Index(children.into_iter().map(Descriptor::from).collect()));
    }
    match (document.config, document.layers) {
        (Some(config), Some(Few(layers))) => Ok(Manifest::Image {
            config: config.into(),
            layers: layers.into_iter().map(Descriptor::from).collect(),
        }),
        (None, _) | (_, None) => Err(match document.media_type {
            Some(other) if bare(&other) != kind => Unreadable::Kind(clean(&other)),
            Some(_) | None => Unreadable::Broken,
        }),
    }
}

/// Which child of an index a node takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Choice<'index> {
    /// This one.
    Child(&'index Descriptor),
    /// None is for that platform; those there are, each once, at most 10.
    None(Vec<String>),
}

/// Chooses as containerd does: the best that the platform takes, then those that state no
/// platform, in the index's order (core/images/image.go, `Manifest`). Where the node's platform
/// is not known, the one that this machine would take, which is a node's too; else the first
/// that is an image's.
pub(in crate::probe) fn choose<'index>(
    children: &'index [Descriptor],
    node: Option<&Platform>,
    own: Option<&Platform>,
) -> Choice<'index> {
    let rank = |child: &Descriptor| match (&child.platform, node) {
        (None, _) => Some(usize::MAX),
        (Some(platform), Some(node)) => node.preference(platform),
        (Some(platform), None) if platform.os == "unknown" => None,
        (Some(platform), None) => {
            Some(own.and_then(|own| own.preference(platform)).unwrap_or(usize::MAX - 1))
        }
    };
    let ranked = children.iter().filter_map(|child| Some((rank(child)?, child)));
    match ranked.min_by_key(|(rank, _)| *rank) {
        Some((_, child)) => Choice::Child(child),
        None => Choice::None(offered(children)),
    }
}

fn offered(children: &[Descriptor]) -> Vec<String> {
    let mut offered: Vec<String> = Vec::new();
    for platform in children.iter().filter_map(|child| child.platform.as_ref()) {
        let name = platform.to_string();
        // Attestations state that they are for no platform.
        if platform.os != "unknown" && !offered.contains(&name) && offered.len() < 10 {
            offered.push(name);
        }
    }
    offered
}

/// The layers that the registry has to have.
pub(in crate::probe) fn own_layers(layers: &[Descriptor]) -> impl Iterator<Item = &Descriptor> {
    layers.iter().filter(|layer| !layer.is_foreign)
}

/// What a configuration says of its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) struct Config {
    pub(in crate::probe) platform: Option<Platform>,
    /// How many layers it knows of (`rootfs.diff_ids`).
    pub(in crate::probe) layers: usize,
}

/// Reads a configuration; `None` where it is none.
pub(in crate::probe) fn config(body: &[u8]) -> Option<Config> {
    // The fields of [`Spoken`] stand here one by one: to flatten them in, serde would keep all
    // others first, and four megabytes of numbers take sixteen times as much.
    #[derive(Deserialize)]
    struct Body {
        os: Option<String>,
        architecture: Option<String>,
        variant: Option<String>,
        rootfs: Option<RootFs>,
    }
    #[derive(Deserialize)]
    struct RootFs {
        diff_ids: Option<Few<IgnoredAny>>,
    }
    let Body { os, architecture, variant, rootfs } = serde_json::from_slice(body).ok()?;
    let platform = Spoken { os, architecture, variant }.platform();
    let is_stated = !platform.os.is_empty() && !platform.architecture.is_empty();
    Some(Config {
        platform: is_stated.then(|| platform.normal()),
        layers: rootfs.and_then(|rootfs| rootfs.diff_ids).map_or(0, |Few(layers)| layers.len()),
    })
}

/// Whether a layer is one that containerd unpacks (core/images/mediatypes.go, `IsLayerType`;
/// an unknown type has no diff processor). Layers of other tools, as charts have them, are not.
pub(in crate::probe) fn is_layer(media_type: &str) -> bool {
    let kind = bare(media_type);
    kind.starts_with("application/vnd.oci.image.layer.")
        || kind.starts_with("application/vnd.docker.image.rootfs.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let children: Vec<_> = platforms
            .iter()
            .map(|name| {
                let platform = Platform::parse(name);
                serde_json::json!({"digest": name, "platform": platform})
            })
            .collect();
        let body = serde_json::json!({"manifests": children}).to_string();
        match read(INDEX, body.as_bytes()).unwrap() {
            Manifest::Index(children) => children,
            Manifest::Image { .. } => panic!("an image"),
        }
    }

    #[track_caller]
    fn chooses(platforms: &[&str], node: Option<&str>, expected: Option<&str>) {
        let children = index(platforms);
        let node = node.map(|node| Platform::parse(node).unwrap());
        let own = Platform::parse("linux/arm64");
        let chosen = match choose(&children, node.as_ref(), own.as_ref()) {
            Choice::Child(child) => Some(child.digest.as_str()),
            Choice::None(_) => None,
        };
        assert_eq!(chosen, expected);
    }

    #[test]
    fn the_best_child_is_chosen() {
        let all = ["linux/386", "linux/arm64", "linux/amd64"];
        chooses(&all, Some("linux/amd64"), Some("linux/amd64"));
        chooses(&all[..2], Some("linux/amd64"), Some("linux/386"));
        chooses(&all, Some("linux/s390x"), None);
        chooses(&all, None, Some("linux/arm64"));
        chooses(&["linux/386", "linux/amd64"], None, Some("linux/386"));
        chooses(&["unknown/unknown", "linux/amd64"], None, Some("linux/amd64"));
        chooses(&["unknown/unknown"], None, None);
        chooses(&[], Some("linux/amd64"), None);
        // No platform is stated: the child's own configuration would tell.
        chooses(&["x", "linux/amd64"], Some("linux/amd64"), Some("linux/amd64"));
        chooses(&["x"], Some("linux/amd64"), Some("x"));
    }

    #[test]
    fn an_index_says_what_it_has() {
        let children = index(&["linux/arm64/v8", "unknown/unknown", "linux/arm64/v8"]);
        let node = Platform::parse("linux/amd64");
        assert_eq!(
            choose(&children, node.as_ref(), None),
            Choice::None(vec!["linux/arm64".to_owned()])
        );
    }

    #[test]
    fn documents_are_told_apart() {
        let kind = |media_type, body: &str| read(media_type, body.as_bytes());
        assert_eq!(kind(IMAGE, "<html>"), Err(Unreadable::Broken));
        assert_eq!(kind(IMAGE, "{}"), Err(Unreadable::Broken));
        let old = "an image of Docker's schema 1".to_owned();
        assert_eq!(kind(IMAGE, r#"{"schemaVersion":1}"#), Err(Unreadable::Kind(old)));
        let image = r#"{"config":{"digest":"c","size":3},"layers":[{"digest":"l","urls":["u"]}]}"#;
        let Ok(Manifest::Image { config, layers }) = kind(IMAGE, image) else { panic!() };
        assert_eq!((config.digest.as_str(), config.size), ("c", 3));
        assert_eq!(own_layers(&layers).count(), 0, "a foreign layer is not the registry's");
        assert_eq!(kind(INDEX, "{}"), Ok(Manifest::Index(Vec::new())));
    }

    #[test]
    fn null_is_nothing_and_a_long_list_is_refused() {
        let image =
            r#"{"config":{"digest":"c","size":null},"layers":[{"digest":"l","urls":null}]}"#;
        let Ok(Manifest::Image { layers, .. }) = read(IMAGE, image.as_bytes()) else { panic!() };
        assert_eq!(own_layers(&layers).count(), 1);
        let nothing = config(br#"{"os":null,"variant":null,"rootfs":{"diff_ids":null}}"#);
        assert_eq!(nothing, Some(Config { platform: None, layers: 0 }));
        let long = format!(r#"{{"manifests":[{}{{}}]}}"#, "{},".repeat(FEW));
        assert_eq!(read(INDEX, long.as_bytes()), Err(Unreadable::Broken));
        let called_so = read(INDEX, br#"{"config":{},"layers":[]}"#);
        assert!(matches!(called_so, Err(Unreadable::Kind(_))), "{called_so:?}");
    }

    #[test]
    fn a_configuration_says_for_what_it_is() {
        let read = config(br#"{"os":"linux","architecture":"arm64","variant":"v8","rootfs":{"diff_ids":["a","b"]}}"#);
        let expected = Config { platform: Platform::parse("linux/arm64"), layers: 2 };
        assert_eq!(read, Some(expected));
        assert_eq!(config(b"{}"), Some(Config { platform: None, layers: 0 }));
        assert_eq!(config(b"[]"), None);
    }
}
