//! Hosts: where a runtime asks for the images of a registry, as containerd's directories of
//! hosts say (core/remotes/docker/config/hosts.go; containerd, docs/hosts.md).
//!
//! It reads files. What they say is for `file`; asking the servers is for the probe.

mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::image::ImageRef;
use crate::secret::Secret;

use file::Host;

/// A server that is asked for an image.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is, with the path below which its repositories are; `None` for the registry
    /// itself.
    pub url: Option<Url>,
    /// The registry in whose place it stands, which it is told (`?ns=`); `None` for the
    /// registry itself.
    pub stands_for: Option<String>,
    /// Certificates to trust beside the system's, PEM.
    pub authorities: Vec<Vec<u8>>,
    /// The certificate to show, and its key, PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// Whether any certificate will do.
    pub skip_verify: bool,
    /// Headers that are sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// How long a connection may take.
    pub dial_timeout: Option<Duration>,
}

/// Why a directory of hosts cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A hosts.toml has a fault.
    #[error(
        "cannot use {}: {fault}; containerd passes over such a file and asks the registry itself",
        path.display()
    )]
    Fault {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// No server is left.
    #[error(
        "containerd pulls nothing: no host in {} has the capabilities pull and resolve",
        path.display()
    )]
    NoHost {
        /// The file.
        path: PathBuf,
    },
}

/// The servers for an image, in the order in which containerd asks them; the last stands for
/// the registry. None where the directory says nothing of it.
///
/// # Errors
///
/// Where containerd would not use what is there.
pub fn read(root: &Path, image: &ImageRef) -> Result<Vec<Endpoint>, Error> {
    let registry = image.registry().as_str();
    let found = names(registry).into_iter().map(|name| root.join(name)).find(|path| path.exists());
    let Some(directory) = found else { return Ok(Vec::new()) };
    let path = directory.join("hosts.toml");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(Error::Read { path, source }),
    };
    let fault = |fault: String| Error::Fault { path: path.clone(), fault };
    let hosts = if text.is_empty() {
        vec![certificates(&directory)?]
    } else {
        let text = String::from_utf8(text).map_err(|_| fault("it is no UTF-8".to_owned()))?;
        file::read(&text).map_err(fault)?
    };
    // What a tag means is for those alone that may say it (resolver.go, `Resolve`).
    let may = |host: &Host| host.can_pull && (host.can_resolve || image.digest().is_some());
    let endpoints: Result<Vec<Endpoint>, Error> =
        hosts.into_iter().filter(may).map(|host| endpoint(host, &directory, registry)).collect();
    endpoints.and_then(|endpoints| {
        if endpoints.is_empty() { Err(Error::NoHost { path }) } else { Ok(endpoints) }
    })
}

/// The directories that may be a registry's, the first of which counts (`hostPaths`).
fn names(registry: &str) -> Vec<String> {
    let with_port = registry.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_"));
    with_port.into_iter().chain([registry.to_owned(), "_default".to_owned()]).collect()
}

/// Docker's files of certificates, where there is no hosts.toml (`loadCertFiles`).
fn certificates(directory: &Path) -> Result<Host, Error> {
    let failed = |source| Error::Read { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        files.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    files.sort();
    let with_key = |certificate: &String| {
        let key = format!("{}.key", certificate.strip_suffix(".cert")?);
        let key = if files.contains(&key) { key } else { certificate.clone() };
        Some((certificate.clone(), key))
    };
    Ok(Host {
        url: None,
        can_pull: true,
        can_resolve: true,
        authorities: files
            .iter()
            .filter(|file| file.strip_suffix(".crt").is_some())
            .cloned()
            .collect(),
        identities: files.iter().filter_map(with_key).collect(),
        skip_verify: false,
        headers: Vec::new(),
        dial_timeout: None,
    })
}

fn endpoint(host: Host, directory: &Path, registry: &str) -> Result<Endpoint, Error> {
    let Host { url, authorities, identities, skip_verify, headers, dial_timeout, .. } = host;
    let contents = |file: &String| {
        let path = directory.join(file);
        std::fs::read(&path).map_err(|source| Error::Read { path, source })
    };
    let authorities = authorities.iter().map(contents).collect::<Result<_, _>>()?;
    let identity = match identities.first() {
        Some((certificate, key)) => Some((contents(certificate)?, Secret::new(contents(key)?))),
        None => None,
    };
    let is_mirror = url.as_ref().is_some_and(|url| is_another(url, registry));
    let stands_for = is_mirror.then(|| registry.to_owned());
    Ok(Endpoint { url, stands_for, authorities, identity, skip_verify, headers, dial_timeout })
}

/// `isProxy` (core/remotes/docker/registry.go).
fn is_another(url: &Url, registry: &str) -> bool {
    let name = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    host != registry && !(registry == "docker.io" && host == "registry-1.docker.io")
}
