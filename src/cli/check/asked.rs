//! What a command line asks about.

use crate::image::{Host, ImageError, ImageRef};

/// What is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An image.
    Image(ImageRef),
}

impl Asked {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where it is no image; the error says what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, ImageError> {
        ImageRef::parse(text).map(Self::Image)
    }

    /// The text as it was written.
    pub(super) fn as_written(&self) -> &str {
        match self {
            Self::Image(image) => image.as_written(),
        }
    }
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
    use super::is_this_machine;
    use crate::image::ImageRef;

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
