//! What the credential provider takes of a pod's service account: two annotations and a token
//! (KEP-4412; cloud-provider-azure 7b31c76, `getServiceAccountTokenCredential`).

use std::collections::BTreeMap;

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

    /// The client id and the tenant, or the name of the first annotation that is missing or
    /// empty.
    pub(super) fn identity(&self) -> Result<(&str, &str), &'static str> {
        let client_id = self.value(CLIENT_ID).ok_or(CLIENT_ID)?;
        let tenant = self.value(TENANT_ID).ok_or(TENANT_ID)?;
        Ok((client_id, tenant))
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
