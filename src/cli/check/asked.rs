//! What a command line asks about.

use crate::image::{Host, ImageError, ImageRef};

/// What is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Asked {
    /// An image.
    Image(ImageRef),
    /// A registry, and then the login alone.
    Registry(Host),
}

impl Asked {
    /// Reads it. A text without a slash is a registry where it is `localhost`, or a host with a
    /// dot in it, or an address in brackets, each with or without a port: `nginx`, `nginx:1.25`
    /// and `my.app:v1` are images.
    ///
    /// # Errors
    ///
    /// Where it is neither; the error says what to write instead.
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, ImageError> {
        match as_registry(text) {
            Some(registry) => Ok(Self::Registry(registry)),
            None => ImageRef::parse(text).map(Self::Image),
        }
    }

    /// The image, or one that stands in for all of the registry's.
    pub(in crate::cli) fn image(&self) -> ImageRef {
        match self {
            Self::Image(image) => image.clone(),
            Self::Registry(registry) => registry.stand_in(),
        }
    }

    /// The text as it was written.
    pub(in crate::cli) fn as_written(&self) -> &str {
        match self {
            Self::Image(image) => image.as_written(),
            Self::Registry(registry) => registry.as_str(),
        }
    }

    /// The registry.
    pub(super) fn registry(&self) -> &Host {
        match self {
            Self::Image(image) => image.registry(),
            Self::Registry(registry) => registry,
        }
    }
}

fn as_registry(text: &str) -> Option<Host> {
    let host = Host::parse(&text.to_ascii_lowercase()).ok()?;
    let name = host.name();
    (name == "localhost" || name.contains('.') || name.starts_with('[')).then_some(host)
}

/// Whether a registry is named as this very machine: `localhost`, or a loopback address.
pub(super) fn is_this_machine(registry: &Host) -> bool {
    let name = registry.name().to_ascii_lowercase();
    let bare = name.trim_matches(['[', ']']);
    let address = bare.parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Asked, is_this_machine};
    use crate::image::ImageRef;

    #[test]
    fn a_registry_is_told_from_an_image() {
        for registry in [
            "r.example.com",
            "R.example.com:5000",
            "localhost",
            "localhost:5000",
            "10.0.0.1:5000",
            "[::1]:5000",
            "docker.io",
        ] {
            let asked = Asked::parse(registry).unwrap();
            assert!(matches!(asked, Asked::Registry(_)), "{asked:?}");
        }
        for image in [
            "nginx",
            "nginx:1",
            "nginx:1.25",
            "my.app:v1",
            "r.example.com/a",
            "localhost/a",
            "r.example.com@sha256:0",
        ] {
            let asked = Asked::parse(image);
            assert!(!matches!(asked, Ok(Asked::Registry(_))), "{asked:?}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (image, expected) in [
            ("localhost:5000/a", true),
            ("LOCALHOST/a", true),
            ("127.8.0.1:5000/a", true),
            ("[::1]:5000/a", true),
            ("localhost.test/a", false),
            ("10.0.0.1/a", false),
            ("a", false),
        ] {
            let image = ImageRef::parse(image).unwrap();
            assert_eq!(is_this_machine(image.registry()), expected, "{image}");
        }
    }
}
