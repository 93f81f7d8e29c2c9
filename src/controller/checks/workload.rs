//! Workload: as whom a pod pulls whose service account names an identity of Azure.
//!
//! The kubelet then gives its credential provider a token of that account (KEP-4412). One is made
//! here where the operator allows it for that very account; elsewhere it is said that it is not.

use std::collections::BTreeSet;

use crate::access::azure::{Cloud, is_registry};
use crate::access::{Access, Gap};
use crate::image::Host;
use crate::resolve::account_token;
use crate::resolve::azure::{Account, AccountName};

use super::super::Context;
use super::Error;

/// For which service accounts tokens are made, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTokens {
    /// The accounts.
    pub accounts: BTreeSet<AccountName>,
    /// The audience of the tokens.
    pub audience: String,
    /// The cloud whose Entra ID gets them.
    pub cloud: Cloud,
}

/// What the service account of a pod adds to its pull secrets at this registry.
pub(super) async fn access(
    context: &Context,
    namespace: &str,
    registry: &Host,
    account: &Account,
) -> Result<Access, Error> {
    if !account.is_for_azure() || !is_registry(registry.name()) {
        return Ok(Access::default());
    }
    let without = |gap: Gap| Access { gaps: vec![gap], ..Access::default() };
    if let Err(gap) = account.identity() {
        return Ok(without(*gap));
    }
    let AccountTokens { accounts, audience, cloud } = &context.settings.account_tokens;
    let not_made = Gap::AccountTokenNotMade { account: account.name.clone() };
    let name = AccountName { namespace: namespace.to_owned(), name: account.name.clone() };
    if !accounts.contains(&name) {
        return Ok(without(not_made));
    }
    let token = account_token::make(&context.client, &name, audience).await;
    let Some(token) = token.map_err(Error::Resolve)? else { return Ok(without(not_made)) };
    Ok(match account.login(&token, cloud.clone()) {
        Ok(login) => Access { azure: Some(login), ..Access::default() },
        Err(gap) => without(*gap),
    })
}
