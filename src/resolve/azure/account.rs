//! What the credential provider takes of a pod's service account: two annotations and a token
//! (KEP-4412; cloud-provider-azure 7b31c76, `getServiceAccountTokenCredential`).

use std::collections::BTreeMap;
use std::fmt;

use crate::access::azure::{Cloud, Login, PROVIDER, Principal};
use crate::access::{Gap, ProviderFailure};
use crate::image::is_object_name;
use crate::secret::Secret;

/// The annotation that names the client id (`pkg/credentialprovider/consts.go`).
pub const CLIENT_ID: &str = "kubernetes.azure.com/acr-client-id";
/// The annotation that names the tenant.
pub const TENANT_ID: &str = "kubernetes.azure.com/acr-tenant-id";

/// A service account, as far as a credential provider has to do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its name; empty where it is not known.
    pub name: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// A token of it for the credential provider, where there is one.
    pub token: Option<Secret>,
}

impl Account {
    /// Whether it is one whose pods are to pull with an identity of its own.
    pub fn is_for_azure(&self) -> bool {
        self.value(CLIENT_ID).is_some() || self.value(TENANT_ID).is_some()
    }

    /// The client id and the tenant that it names, or what stops the credential provider: the
    /// first annotation that is missing or empty, or a tenant that is none.
    ///
    /// # Errors
    ///
    /// The gap that this is.
    pub fn identity(&self) -> Result<(&str, &str), Box<Gap>> {
        let client_id = self.value(CLIENT_ID).ok_or_else(|| Box::new(self.lacks(CLIENT_ID)))?;
        let tenant = self.value(TENANT_ID).ok_or_else(|| Box::new(self.lacks(TENANT_ID)))?;
        if !is_tenant(tenant) {
            let failure = ProviderFailure::Ended {
                status: format!("what the annotation {TENANT_ID} holds is no tenant"),
            };
            return Err(Box::new(Gap::ProviderFailed { provider: PROVIDER.to_owned(), failure }));
        }
        Ok((client_id, tenant))
    }

    /// The identity that it names, with a token of it.
    ///
    /// # Errors
    ///
    /// As [`Account::identity`].
    pub(super) fn principal(&self, token: &Secret) -> Result<Principal, Box<Gap>> {
        let (client_id, tenant) = self.identity()?;
        Ok(Principal::Workload {
            account: self.name.clone(),
            client_id: client_id.to_owned(),
            tenant: tenant.to_owned(),
            token: token.clone(),
        })
    }

    /// How that identity logs in where nothing is known of the node: the tenant in which a token is
    /// exchanged is then the identity's own.
    ///
    /// # Errors
    ///
    /// As [`Account::identity`].
    pub fn login(&self, token: &Secret, cloud: Cloud) -> Result<Login, Box<Gap>> {
        let (_, tenant) = self.identity()?;
        let (principal, tenant) = (self.principal(token)?, tenant.to_owned());
        Ok(Login { principal, tenant, location: None, cloud, check_acr: None })
    }

    /// That it lacks an annotation.
    pub(super) fn lacks(&self, annotation: &str) -> Gap {
        Gap::AnnotationMissing { account: self.name.clone(), annotation: annotation.to_owned() }
    }

    /// The first of these annotations that it does not have. One without a value is one, as the
    /// kubelet sees it (pkg/credentialprovider/plugin/plugin.go of Kubernetes v1.35.4).
    pub(super) fn first_missing<'key>(&self, keys: &'key [String]) -> Option<&'key str> {
        let missing = keys.iter().find(|key| !self.annotations.contains_key(*key));
        missing.map(String::as_str)
    }

    fn value(&self, annotation: &str) -> Option<&str> {
        self.annotations.get(annotation).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What a tenant may be (azidentity 1.14.0, `validTenantID`).
fn is_tenant(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A service account by its names, `NAMESPACE/ACCOUNT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl AccountName {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where it is none; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((_, "*") | ("*", _)) => Err(format!(
                "{text} is more than one service account, and a right to make tokens is given for \
                 one by its name: write each, as NAMESPACE/ACCOUNT"
            )),
            Some((namespace, name)) if is_object_name(namespace) && is_object_name(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => {
                Err(format!("{text} names no service account: write NAMESPACE/ACCOUNT"))
            }
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name } = self;
        write!(formatter, "{namespace}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, AccountName, CLIENT_ID, TENANT_ID};
    use crate::access::Gap;
    use crate::access::azure::Identity;
    use crate::resolve::azure::named;
    use crate::secret::Secret;

    #[test]
    fn an_account_is_named_with_its_namespace() {
        let name = AccountName::parse("shop/robot").unwrap();
        assert_eq!((name.namespace.as_str(), name.name.as_str()), ("shop", "robot"));
        assert_eq!(name.to_string(), "shop/robot");
        for (text, expected) in [
            ("shop/*", "is more than one service account"),
            ("*/robot", "is more than one service account"),
            ("robot", "write NAMESPACE/ACCOUNT"),
            ("shop/", "write NAMESPACE/ACCOUNT"),
            ("shop/a/b", "write NAMESPACE/ACCOUNT"),
            ("Shop/robot", "write NAMESPACE/ACCOUNT"),
        ] {
            let problem = AccountName::parse(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn an_account_alone_logs_in_in_its_own_tenant() {
        let annotations = [(CLIENT_ID, "app"), (TENANT_ID, "tenant")];
        let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let (name, token) = ("robot".to_owned(), Secret::new("canary"));
        let account = Account { name, annotations: annotations.into(), token: None };
        let cloud = named("AzureChinaCloud").unwrap();
        let login = account.login(&token, cloud.clone()).unwrap();
        assert_eq!((login.tenant.as_str(), &login.cloud), ("tenant", &cloud));
        let (account, client_id) = ("robot".to_owned(), "app".to_owned());
        assert_eq!(login.identity(), Identity::Workload { account, client_id });
        assert!(!format!("{login:?}").contains("canary"));
        let none = Account::default().login(&token, cloud).unwrap_err();
        assert!(matches!(*none, Gap::AnnotationMissing { .. }));
    }
}
