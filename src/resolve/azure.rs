//! Azure: as whom a node logs in at the registries of Azure, or a pod's service account does.
//!
//! The node's azure.json is read here, and the file with the endpoints of a cloud of its own.
//! What they say, and what the kubelet's credential provider would make of it, is for the
//! modules below, which are pure; logging in is for [`crate::probe`].

mod account;
mod cloud;
mod config;
mod document;
mod provider;

use std::io;
use std::path::{Path, PathBuf};

use crate::access::Access;
use crate::image::ImageRef;

use cloud::Located;
use config::Config;
use provider::{Setting, Unusable};

pub use account::{Account, AccountName, CLIENT_ID, TENANT_ID};
pub use cloud::{named, names};
pub(super) use provider::Configured;

/// The variable that names the file with a cloud's endpoints (cloud-provider-azure 7b31c76,
/// pkg/azclient/cloud.go, `EnvironmentFilepathName`).
pub(super) const ENVIRONMENT: &str = "AZURE_ENVIRONMENT_FILEPATH";

/// Where the node's identity of Azure is described.
#[derive(Clone, Debug)]
pub struct AzurePlaces {
    /// The node's azure.json.
    pub configuration: PathBuf,
    /// The file with the endpoints of a cloud of its own, where there is one.
    pub environment: Option<PathBuf>,
}

/// The node's identity of Azure, as its credential provider sees it.
#[derive(Clone, Debug)]
pub(super) struct Azure(Result<Setting, Unusable>);

impl Azure {
    /// Reads it. A file with which the credential provider fails is part of it, but not one that
    /// is not there: somebody has named it to us.
    pub(super) fn read(places: &AzurePlaces) -> io::Result<Self> {
        let AzurePlaces { configuration, environment } = places;
        let content = std::fs::read(configuration)?;
        let file = configuration.display().to_string();
        let setting = Config::read(&content)
            .map_err(|reason| Unusable { file: file.clone(), reason })
            .and_then(|config| {
                let located = locate(&config, environment.as_deref())?;
                Ok(Setting { file, config, located })
            });
        Ok(Self(setting))
    }

    /// As whom the credential provider logs in for an image, or why it does not.
    pub(super) fn access(
        &self,
        configured: &Configured,
        image: &ImageRef,
        account: Option<&Account>,
    ) -> Access {
        let Self(setting) = self;
        provider::access(setting, configured, image, account)
    }
}

fn locate(config: &Config, environment: Option<&Path>) -> Result<Located, Unusable> {
    let located = cloud::of_config(&config.cloud, &config.manager);
    let Some(path) = environment.filter(|_| cloud::takes_environment(&config.cloud)) else {
        return Ok(located);
    };
    let content = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => format!("it cannot be read: {error}"),
    });
    content
        .and_then(|content| cloud::with_environment(located, &content))
        .map_err(|reason| Unusable { file: path.display().to_string(), reason })
}
