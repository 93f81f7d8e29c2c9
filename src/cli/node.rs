//! The arguments that say where a node's own credentials are.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args};

use crate::resolve::azure::{Account, AzurePlaces};
use crate::resolve::node::{Node, Places, ProviderPlaces};
use crate::secret::Secret;

use super::failure::Hinted;

/// A token of a service account is no longer than that; a kubelet has no such limit.
const TOKEN_MAX: usize = 64 * 1024;

/// Where a node's own credentials are. Without any of these no node is looked at.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("ways_to_providers").args(["credential_provider_bin_dir", "azure_config"]).multiple(true)
))]
pub(super) struct NodeArguments {
    /// A file of the node with credentials, called .dockercfg or in the form of Docker's
    /// config.json; may be given several times, in the kubelet's order: /var/lib/kubelet, its
    /// working directory, the home of its user, /.
    #[arg(long = "node-config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kubelet's --image-credential-provider-config: the providers that match the image are
    /// run from here, but for acr-credential-provider where --azure-config is given.
    #[arg(long, value_name = "FILE", requires = "ways_to_providers")]
    credential_provider_config: Option<PathBuf>,
    /// The kubelet's --image-credential-provider-bin-dir.
    #[arg(long, value_name = "DIR", requires = "credential_provider_config")]
    credential_provider_bin_dir: Option<PathBuf>,
    /// The node's azure.json, which AKS has at /etc/kubernetes/azure.json: the identity in it
    /// logs in at registries of Azure as the node's acr-credential-provider would. That program
    /// is not run. Without --credential-provider-config it counts for the hosts for which AKS
    /// configures it.
    #[arg(long, value_name = "FILE")]
    azure_config: Option<PathBuf>,
    /// The endpoints of a cloud that azure.json calls AzureStackCloud.
    #[arg(long, value_name = "FILE", env = "AZURE_ENVIRONMENT_FILEPATH", hide_env_values = true)]
    azure_environment_file: Option<PathBuf>,
    /// A token of the pod's service account for the credential provider, as the kubelet gives
    /// it one where it is configured so. The client id and the tenant are those of the
    /// account's annotations; the account is the pod's, or a manifest given with -f.
    #[arg(long, value_name = "FILE", requires = "azure_config")]
    service_account_token_file: Option<PathBuf>,
}

impl NodeArguments {
    /// The node that they describe, if they do.
    pub(super) fn read(&self) -> anyhow::Result<Option<Node>> {
        let directory = self.credential_provider_bin_dir.clone();
        let providers = self.credential_provider_config.clone();
        let providers = providers.map(|configuration| ProviderPlaces { configuration, directory });
        let azure = self.azure_config.clone().map(|configuration| AzurePlaces {
            configuration,
            environment: self.azure_environment_file.clone(),
        });
        if self.files.is_empty() && providers.is_none() && azure.is_none() {
            return Ok(None);
        }
        Ok(Some(Node::read(Places { files: self.files.clone(), providers, azure })?))
    }

    /// Whether a service account counts.
    pub(super) fn wants_account(&self) -> bool {
        self.azure_config.is_some()
    }

    /// The service account with its token, where there is one.
    pub(super) fn with_token(&self, account: Option<Account>) -> anyhow::Result<Option<Account>> {
        let Some(file) = &self.service_account_token_file else { return Ok(account) };
        let Some(account) = account else {
            bail!(Hinted::new(
                "--service-account-token-file goes with a service account, whose annotations name \
                 the identity",
                "name it with --service-account or --pod, or give its manifest with -f, such as \
                 that of: kubectl get serviceaccount NAME -n NAMESPACE -o yaml",
            ));
        };
        Ok(Some(Account { token: Some(token(file)?), ..account }))
    }
}

fn token(file: &Path) -> anyhow::Result<Secret> {
    let content = std::fs::read(file).map_err(|error| {
        Hinted::new(
            format!("cannot read {}: {error}", file.display()),
            "write the path of a token, such as that of: kubectl create token NAME -n NAMESPACE \
             --audience api://AzureADTokenExchange",
        )
    })?;
    let token = content.trim_ascii();
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(byte);
    ensure!(
        !token.is_empty() && token.len() <= TOKEN_MAX && token.iter().all(is_token),
        "cannot use {}: it holds no token of a service account, which is three texts with dots \
         between them",
        file.display()
    );
    Ok(Secret::new(token))
}
