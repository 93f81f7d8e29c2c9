//! Platforms: for which operating system and processor an image is, and which of an index's
//! a node takes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operating system, a processor and its variant (OCI image specification, image index,
/// `platform`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: String,
    /// `amd64`, `arm64`, as Go calls them.
    pub architecture: String,
    /// `v7` and the like; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Platform {
    /// Reads `linux/arm/v7`. `None` where it has not two or three parts.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(|part| part.trim().to_ascii_lowercase());
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next().unwrap_or_default();
        let is_whole = !os.is_empty() && !architecture.is_empty() && parts.next().is_none();
        is_whole.then(|| Self { os, architecture, variant }.normal())
    }

    /// The same in the one spelling that is compared (containerd's platforms, `Normalize`).
    #[must_use]
    pub fn normal(self) -> Self {
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let variant = self.variant.to_ascii_lowercase();
        let (architecture, variant) = match self.architecture.to_ascii_lowercase().as_str() {
            "i386" => ("386".to_owned(), String::new()),
            "x86_64" | "x86-64" | "amd64" => {
                ("amd64".to_owned(), if variant == "v1" { String::new() } else { variant })
            }
            "aarch64" | "arm64" => {
                let is_default = matches!(variant.as_str(), "8" | "v8");
                ("arm64".to_owned(), if is_default { String::new() } else { variant })
            }
            "armhf" => ("arm".to_owned(), "v7".to_owned()),
            "armel" => ("arm".to_owned(), "v6".to_owned()),
            "arm" => {
                let variant = match variant.as_str() {
                    "" | "7" => "v7".to_owned(),
                    "5" | "6" | "8" => format!("v{variant}"),
                    other => other.to_owned(),
                };
                ("arm".to_owned(), variant)
            }
            other => (other.to_owned(), variant),
        };
        Self { os, architecture, variant }
    }

    /// How well a node of this platform likes an image of `other`: the smaller the better,
    /// `None` where it does not take it. A 64-bit processor takes the 32-bit images of its
    /// family too (containerd's platforms, `platformVector` in compare.go).
    pub fn preference(&self, other: &Self) -> Option<usize> {
        let other = other.clone().normal();
        if self.os != other.os {
            return None;
        }
        self.taken().iter().position(|(architecture, variant)| {
            (*architecture, *variant) == (other.architecture.as_str(), other.variant.as_str())
        })
    }

    fn taken(&self) -> Vec<(&str, &str)> {
        const ARM: [&str; 4] = ["v8", "v7", "v6", "v5"];
        let own = (self.architecture.as_str(), self.variant.as_str());
        let mut taken = vec![own];
        match own {
            ("amd64", "") => taken.push(("386", "")),
            ("arm64", "") => taken.extend(ARM.map(|variant| ("arm", variant))),
            ("arm", variant) => {
                let older = ARM.iter().skip_while(|other| **other != variant).skip(1);
                taken.extend(older.map(|variant| ("arm", *variant)));
            }
            _ => {}
        }
        taken
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(formatter, "/{}", self.variant)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn takes(node: &str, image: &str, expected: Option<usize>) {
        let (node, image) = (Platform::parse(node).unwrap(), Platform::parse(image).unwrap());
        assert_eq!(node.preference(&image), expected, "{node} and {image}");
    }

    #[test]
    fn a_node_takes_its_own_platform_and_the_older_ones_of_its_family() {
        takes("linux/amd64", "linux/amd64", Some(0));
        takes("linux/amd64", "linux/x86_64", Some(0));
        takes("linux/amd64", "linux/386", Some(1));
        takes("linux/amd64", "linux/amd64/v3", None);
        takes("linux/amd64", "linux/arm64", None);
        takes("linux/amd64", "windows/amd64", None);
        takes("linux/arm64", "linux/arm64/v8", Some(0));
        takes("linux/arm64", "linux/arm/v7", Some(2));
        takes("linux/arm/v7", "linux/arm/v6", Some(1));
        takes("linux/arm/v6", "linux/arm/v7", None);
        takes("linux/arm", "linux/armhf", Some(0));
        takes("linux/s390x", "linux/s390x", Some(0));
    }

    #[test]
    fn what_is_no_platform_is_none() {
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x"] {
            assert_eq!(Platform::parse(text), None, "{text}");
        }
        assert_eq!(Platform::parse("linux/ARM/7").unwrap().to_string(), "linux/arm/v7");
    }
}
