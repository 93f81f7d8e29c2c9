//! The arguments that say for which service accounts the controller makes tokens.

use clap::Args;

use crate::access::azure::Cloud;
use crate::controller::AccountTokens;
use crate::resolve::account_token::AUDIENCE;
use crate::resolve::azure::{self, AccountName};

use super::failure::Hinted;

/// For which service accounts tokens are made. Without any, none is made.
#[derive(Clone, Debug, Args)]
pub(super) struct AccountTokenArguments {
    /// A service account whose annotations name an identity of Azure: a token of it is made, as
    /// the kubelet makes one for the credential provider, to see what that identity may pull. May
    /// be given several times.
    #[arg(long = "token-for", value_name = "NAMESPACE/ACCOUNT", value_parser = AccountName::parse)]
    accounts: Vec<AccountName>,
    /// The audience of these tokens, which is serviceAccountTokenAudience in the kubelet's
    /// configuration of the credential provider.
    #[arg(long = "token-audience", value_name = "AUDIENCE", default_value = AUDIENCE)]
    audience: String,
    /// The cloud of Azure whose Entra ID is sent these tokens.
    #[arg(long = "azure-cloud", value_name = "NAME", default_value = "AzureCloud",
        value_parser = parse_cloud)]
    cloud: Cloud,
}

impl AccountTokenArguments {
    /// What the controller makes of it.
    pub(super) fn settings(&self) -> AccountTokens {
        let Self { accounts, audience, cloud } = self.clone();
        AccountTokens { accounts: accounts.into_iter().collect(), audience, cloud }
    }
}

fn parse_cloud(text: &str) -> Result<Cloud, Hinted> {
    azure::named(text).ok_or_else(|| {
        let names: Vec<&str> = azure::names().collect();
        Hinted::new(
            format!("{text} is no cloud that is known"),
            format!("write one of {}", names.join(", ")),
        )
    })
}
