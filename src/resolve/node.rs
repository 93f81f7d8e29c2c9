//! The node's own credentials: its files in Docker's form, and its credential providers, which
//! the kubelet tries in this order after the pull secrets (`pkg/kubelet/images/image_manager.go`
//! and pkg/credentialprovider of Kubernetes v1.35.4).
//!
//! Files are read and providers are run as the kubelet does it, from where it would. What that
//! comes to is data: a file that is not valid, or a provider that fails, is a [`Gap`]. A
//! configuration with which no kubelet starts is an error.
//!
//! The provider for the registries of Azure is not run where the node's azure.json is given: what
//! it would do is known, and each step of it is one to see (see [`super::azure`]).

mod configuration;
mod duration;
mod protocol;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::azure::{self, Account, Azure, AzurePlaces, Configured};
use super::keyring::{self, NodeEntries};
use crate::access::azure::PROVIDER;
use crate::access::{Access, Gap, NotRun, ProviderFailure};
use crate::image::ImageRef;
use crate::secret::Secret;

use configuration::Provider;

/// How long a provider may take (plugin/plugin.go, `ExecPlugin`).
const PROVIDER_TIME: Duration = Duration::from_secs(60);
/// No answer of a provider is read further; the kubelet has no limit.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;

/// Where the node's credentials are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Files in the form of Docker's `config.json`, or of the older `.dockercfg` where they are
    /// called so; in the kubelet's order.
    pub files: Vec<PathBuf>,
    /// The credential providers.
    pub providers: Option<ProviderPlaces>,
    /// The node's identity of Azure.
    pub azure: Option<AzurePlaces>,
}

/// Where the credential providers are.
#[derive(Clone, Debug)]
pub struct ProviderPlaces {
    /// The kubelet's `--image-credential-provider-config`: a file, or a directory of files.
    pub configuration: PathBuf,
    /// The kubelet's `--image-credential-provider-bin-dir`; without it no provider is run.
    pub directory: Option<PathBuf>,
}

/// What is said of the node cannot be read, or is nothing with which a kubelet starts.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration of the providers cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The node's azure.json cannot be read.
    #[error(
        "cannot read {}; write the path of the node's azure.json, which AKS has at \
         /etc/kubernetes/azure.json",
        path.display()
    )]
    ReadAzure {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The configuration of the providers has a fault.
    #[error("cannot use {}, as no kubelet could: {fault}", path.display())]
    Configuration {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
}

/// What a node has of its own.
#[derive(Clone, Debug)]
pub struct Node {
    files: Vec<PathBuf>,
    directory: Option<PathBuf>,
    /// The providers that are configured; `None` where their configuration is not given.
    providers: Option<Vec<Provider>>,
    azure: Option<Azure>,
}

impl Node {
    /// Reads the configuration of the providers, and the node's azure.json.
    ///
    /// # Errors
    ///
    /// Where the kubelet would not start with that configuration, or azure.json is not there.
    pub fn read(places: Places) -> Result<Self, Error> {
        let Places { files, providers: of_providers, azure } = places;
        let (mut providers, mut directory) = (None, None);
        if let Some(ProviderPlaces { configuration, directory: of_programs }) = of_providers {
            providers = Some(configured(&configuration)?);
            directory = of_programs;
        }
        let azure = azure.map(|places| {
            let own = providers.iter().flatten().filter(|provider| provider.is_for_azure());
            let mut variables = own.flat_map(Provider::variables);
            let of_own = variables.find(|(name, _)| *name == azure::ENVIRONMENT);
            let of_own = of_own.map(|(_, file)| PathBuf::from(file));
            let places = AzurePlaces { environment: of_own.or(places.environment), ..places };
            let path = places.configuration.clone();
            Azure::read(&places).map_err(|source| Error::ReadAzure { path, source })
        });
        Ok(Self { files, directory, providers, azure: azure.transpose()? })
    }

    /// The credentials of the pull secrets, and after them those of the node, which it reads
    /// and asks for now. `account` is the pod's service account, where it is known.
    pub async fn access_after(
        &self,
        secrets: Access,
        image: &ImageRef,
        account: Option<&Account>,
    ) -> Access {
        if secrets.gaps.iter().any(|gap| matches!(gap, Gap::KeyringBroken { .. })) {
            return secrets;
        }
        let files = self.of_files(image);
        let providers = self.of_providers(image).await;
        let azure = self.of_azure(image, account);
        secrets.followed_by(files).followed_by(providers).followed_by(azure)
    }

    /// The first valid `config.json`, and only where there is none the first valid `.dockercfg`
    /// (config.go, `ReadDockerConfigFile`). The files are never taken together.
    fn of_files(&self, image: &ImageRef) -> Access {
        let is_legacy = |file: &&PathBuf| file.file_name() == Some(OsStr::new(".dockercfg"));
        let (legacy, newer): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.files.iter().partition(is_legacy);
        let in_order = newer.into_iter().map(|file| (file, false));
        let in_order = in_order.chain(legacy.into_iter().map(|file| (file, true)));
        let mut gaps = Vec::new();
        let mut used: Option<(String, NodeEntries)> = None;
        for (path, is_legacy) in in_order {
            let file = path.display().to_string();
            let reason = match &used {
                Some((used, _)) => format!("the kubelet reads only the first valid one, {used}"),
                None => match read_file(path, &file, is_legacy) {
                    Ok(entries) => {
                        used = Some((file, entries));
                        continue;
                    }
                    Err(reason) => reason,
                },
            };
            gaps.push(Gap::NodeFileIgnored { file, reason });
        }
        let entries = used.map(|(_, entries)| entries).into_iter().collect();
        let found = keyring::lookup_node(entries, image);
        gaps.extend(found.gaps);
        Access { credentials: found.credentials, azure: None, gaps }
    }

    /// What the providers answer that are for this image. All answers are one keyring
    /// (plugin/plugins.go, `Lookup`).
    async fn of_providers(&self, image: &ImageRef) -> Access {
        let mut gaps = Vec::new();
        let mut answers = Vec::new();
        let emulates = |provider: &&Provider| self.azure.is_some() && provider.is_for_azure();
        for provider in self.providers.iter().flatten().filter(|one| !emulates(one)) {
            let name = provider.name.clone();
            let matches = |pattern: &String| keyring::matches_pattern(pattern, image).is_ok();
            if !provider.match_images.iter().any(matches) {
                let patterns = provider.match_images.clone();
                gaps.push(Gap::ProviderNotMatched { provider: name, patterns });
            } else if provider.wants_token() {
                gaps.push(Gap::ProviderNotRun { provider: name, reason: NotRun::WantsToken });
            } else if let Some(directory) = &self.directory {
                match ask(directory, provider, image, PROVIDER_TIME).await {
                    Ok(entries) => answers.push(NodeEntries::of_provider(&name, entries)),
                    Err(failure) => gaps.push(Gap::ProviderFailed { provider: name, failure }),
                }
            } else {
                gaps.push(Gap::ProviderNotRun { provider: name, reason: NotRun::NoDirectory });
            }
        }
        let found = keyring::lookup_node(answers, image);
        gaps.extend(found.gaps);
        Access { credentials: found.credentials, azure: None, gaps }
    }

    /// As whom the provider for Azure logs in. What it gives stands after the answers of the
    /// others, although the kubelet has one keyring for all: no other has these hosts.
    fn of_azure(&self, image: &ImageRef, account: Option<&Account>) -> Access {
        let Some(azure) = &self.azure else { return Access::default() };
        let configured = match &self.providers {
            None => Some(Configured::by_default()),
            Some(providers) => {
                let own = providers.iter().find(|provider| provider.is_for_azure());
                own.map(Provider::for_azure)
            }
        };
        if let Some(configured) = configured {
            return azure.access(&configured, image, account);
        }
        let failure = ProviderFailure::NotConfigured;
        let gap = Gap::ProviderFailed { provider: PROVIDER.to_owned(), failure };
        Access { gaps: vec![gap], ..Access::default() }
    }
}

/// The providers of a configuration.
fn configured(configuration: &Path) -> Result<Vec<Provider>, Error> {
    let mut providers = Vec::new();
    for path in configuration_files(configuration)? {
        let content =
            std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let found = configuration::read(&content)
            .map_err(|fault| Error::Configuration { path: path.clone(), fault })?;
        providers.extend(found);
    }
    match configuration::fault(&providers) {
        Some(fault) => Err(Error::Configuration { path: configuration.to_owned(), fault }),
        None => Ok(providers),
    }
}

/// The files of a configuration: itself, or those of a directory that are YAML or JSON by their
/// names, in the order of these (plugin/config.go, `readCredentialProviderConfig`).
fn configuration_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_directory = entry.file_type().map_err(failed)?.is_dir();
        let file = entry.path();
        let extension = file.extension().and_then(OsStr::to_str);
        if !is_directory && matches!(extension, Some("json" | "yaml" | "yml")) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, shown: &str, is_legacy: bool) -> Result<NodeEntries, String> {
    let content = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => format!("it cannot be read: {error}"),
    })?;
    NodeEntries::of_file(shown, is_legacy, &content)
}

/// Runs a provider and reads its answer (plugin/plugin.go, `ExecPlugin`). It gets our own
/// environment, as it gets the kubelet's from the kubelet. What it writes to its standard error
/// is not kept: it may hold anything.
async fn ask(
    directory: &Path,
    provider: &Provider,
    image: &ImageRef,
    limit: Duration,
) -> Result<Vec<(String, String, Secret)>, ProviderFailure> {
    let started = Command::new(directory.join(&provider.name))
        .args(provider.arguments())
        .envs(provider.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ProviderFailure::Missing,
        _ => ProviderFailure::NotStarted { reason: error.to_string() },
    })?;
    let request = protocol::request(&provider.api_version, &image.repository());
    let answer = timeout(limit, converse(&mut child, &request)).await;
    let answer = answer.map_err(|_| ProviderFailure::TimedOut { seconds: limit.as_secs() })??;
    protocol::read(&provider.api_version, &answer)
}

async fn converse(child: &mut Child, request: &[u8]) -> Result<Vec<u8>, ProviderFailure> {
    let ended = |error: io::Error| ProviderFailure::Ended { status: error.to_string() };
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let write = async move {
        if let Some(mut input) = input {
            // One that does not want to know the image may close its input.
            let _ = input.write_all(request).await;
        }
    };
    let read = async move {
        let mut answer = Vec::new();
        match output {
            Some(output) => output.take(ANSWER_MAX).read_to_end(&mut answer).await.map(|_| answer),
            None => Ok(answer),
        }
    };
    let ((), answer) = tokio::join!(write, read);
    let answer = answer.map_err(ended)?;
    let status = child.wait().await.map_err(ended)?;
    if status.success() {
        Ok(answer)
    } else {
        Err(ProviderFailure::Ended { status: status.to_string() })
    }
}

#[cfg(test)]
mod tests;
