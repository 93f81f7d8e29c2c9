//! azure.json: as whom a node logs in at the registries of Azure.
//!
//! It is decoded as the node's credential provider decodes it (cloud-provider-azure 7b31c76,
//! pkg/azclient/configloader, `auth_conf.go` and `arm_conf.go`). Nothing is trimmed but the name of
//! the cloud. Certificates and federated tokens are for the cloud's other programs; the
//! credential provider logs in with none of them.

use std::fmt;

use crate::access::azure::{CheckAcr, Principal, Selector};
use crate::secret::Secret;

use super::document::{self, Form};

/// The fields of which a value of another type is a fault. Those of the rest of the
/// configuration, which the credential provider decodes too, are taken on trust.
const FORM: Form = Form {
    texts: &[
        "cloud",
        "userAgent",
        "tenantId",
        "networkResourceTenantID",
        "resourceManagerEndpoint",
        "aadClientId",
        "aadClientSecret",
        "aadClientCertPath",
        "aadClientCertPassword",
        "userAssignedIdentityID",
        "aadFederatedTokenFile",
        "aadMSIDataPlaneIdentityPath",
    ],
    flags: &[
        "useManagedIdentityExtension",
        "useFederatedWorkloadIdentityExtension",
        "disableAzureStackCloud",
    ],
};
/// The credential provider does not know it, so that no value of it is a fault.
const LOCATION: &str = "location";

/// What azure.json says that counts for registries.
#[derive(Clone)]
pub(super) struct Config {
    /// The name of the cloud.
    pub(super) cloud: String,
    /// The resource manager that knows the cloud's endpoints; mostly empty.
    pub(super) manager: String,
    /// The tenant of the cluster.
    pub(super) tenant: String,
    /// The node's region.
    pub(super) location: Option<String>,
    is_managed: bool,
    identity: String,
    client_id: String,
    secret: Secret,
    /// Whether id and secret are the word that stands there for a managed identity.
    says_msi: bool,
}

/// Stands in azure.json for the id and for the secret where there is a managed identity.
const MSI: &str = "msi";

/// Shows only what may be shown.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Config").field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads azure.json. The error says what is wrong, as part of a sentence.
    pub(super) fn read(content: &[u8]) -> Result<Self, String> {
        let document = document::read_yaml(content, FORM)?;
        let location = document::read_yaml(content, Form { texts: &[LOCATION], flags: &[] });
        let location = location.map(|document| document.text(LOCATION)).unwrap_or_default();
        let (client_id, secret) = (document.text("aadClientId"), document.text("aadClientSecret"));
        Ok(Self {
            says_msi: client_id == MSI && secret == MSI,
            cloud: document.text("cloud").trim().to_owned(),
            manager: document.text("resourceManagerEndpoint"),
            tenant: document.text("tenantId"),
            location: Some(location).filter(|location| !location.is_empty()),
            is_managed: document.flag("useManagedIdentityExtension"),
            identity: document.text("userAssignedIdentityID"),
            client_id,
            secret: Secret::new(secret),
        })
    }

    /// Whether the cluster has a service principal, so that a token of a service account is
    /// asked for and then not used (`GetCredentials`).
    pub(super) fn has_service_principal(&self) -> bool {
        !self.is_managed
    }

    /// Who the node is. The error says that it is nobody: then the credential provider answers
    /// an empty user name and an empty password, which is as good as nothing.
    pub(super) fn principal(&self) -> Result<Principal, String> {
        let Self { is_managed, identity, client_id, secret, .. } = self;
        if *is_managed {
            return Ok(Principal::Managed(selector(identity)));
        }
        if client_id.is_empty() && secret.is_empty() {
            return Err("it names neither a managed identity nor a service principal".to_owned());
        }
        Ok(Principal::ServicePrincipal { client_id: client_id.clone(), secret: secret.clone() })
    }
}

impl Config {
    /// As whom `az aks check-acr` logs in: it looks at id and secret, and not at
    /// `useManagedIdentityExtension` (Azure/aks-canipull d995351, main.go).
    pub(super) fn check_acr(&self, knows_cloud: bool) -> CheckAcr {
        let Self { cloud, identity, client_id, secret, .. } = self;
        if !knows_cloud {
            CheckAcr::UnknownCloud(cloud.clone())
        } else if self.says_msi {
            CheckAcr::Managed(identity.clone())
        } else {
            CheckAcr::ServicePrincipal { client_id: client_id.clone(), secret: secret.clone() }
        }
    }
}

/// `getManagedIdentityCredential`.
fn selector(identity: &str) -> Selector {
    if identity.is_empty() {
        Selector::Unnamed
    } else if identity.to_uppercase().contains("/SUBSCRIPTIONS/") {
        Selector::ResourceId(identity.to_owned())
    } else {
        Selector::ClientId(identity.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::access::azure::{CheckAcr, Principal, Selector};
    use crate::properties::{check as check_any, corpus, edited_bytes};
    use crate::secret::Secret;

    #[track_caller]
    fn check(content: &str, expected: &Principal) -> Config {
        let config = Config::read(content.as_bytes()).unwrap();
        assert_eq!(config.principal().as_ref(), Ok(expected), "{content}");
        assert!(!format!("{config:?}").contains("canary"), "{config:?}");
        config
    }

    #[track_caller]
    fn refused(content: &str, expected: &str) {
        let config = Config::read(content.as_bytes());
        let fault = config.and_then(|config| config.principal()).unwrap_err();
        assert!(fault.contains(expected) && !fault.contains("canary"), "{content}: {fault}");
    }

    #[test]
    fn the_identity_is_the_one_that_the_provider_chooses() {
        let managed = |id: &str| {
            format!(
                r#"{{"cloud":" AzurePublicCloud ","tenantId":"t","location":"westeurope",
                "aadClientId":"msi","aadClientSecret":"msi","useManagedIdentityExtension":true,
                "userAssignedIdentityID":"{id}","cloudProviderRateLimitQPS":6}}"#
            )
        };
        let config = check(&managed("c"), &Principal::Managed(Selector::ClientId("c".to_owned())));
        assert_eq!(config.cloud, "AzurePublicCloud");
        assert_eq!((config.tenant.as_str(), config.location.as_deref()), ("t", Some("westeurope")));
        assert!(!config.has_service_principal());
        let id = "/Subscriptions/s/resourceGroups/g";
        check(&managed(id), &Principal::Managed(Selector::ResourceId(id.to_owned())));
        check(&managed(""), &Principal::Managed(Selector::Unnamed));
        let principal = Principal::ServicePrincipal {
            client_id: " c".to_owned(),
            secret: Secret::new("canary"),
        };
        for more in ["", r#","useManagedIdentityExtension":false"#, r#","location":[1]"#] {
            let text = format!(r#"{{"aadClientId":" c","aadClientSecret":"canary"{more}}}"#);
            let config = check(&text, &principal);
            assert!(config.has_service_principal() && config.location.is_none());
        }
    }

    /// canipull goes by the word `msi`, and the provider by a flag.
    #[test]
    fn check_acr_logs_in_by_other_fields() {
        let managed = |id: &str| CheckAcr::Managed(id.to_owned());
        let (client_id, secret) = (String::new(), Secret::new(Vec::new()));
        let principal = CheckAcr::ServicePrincipal { client_id, secret };
        let unknown = CheckAcr::UnknownCloud("Cloudy".to_owned());
        let msi = r#""aadClientId":"msi","aadClientSecret":"msi","userAssignedIdentityID":"/i""#;
        for (fields, knows_cloud, expected) in [
            (format!(r#"{{{msi},"useManagedIdentityExtension":false}}"#), true, managed("/i")),
            (r#"{"useManagedIdentityExtension":true}"#.to_owned(), true, principal),
            (format!(r#"{{{msi},"cloud":"Cloudy"}}"#), false, unknown),
        ] {
            let config = Config::read(fields.as_bytes()).unwrap();
            assert_eq!(config.check_acr(knows_cloud), expected, "{fields}");
        }
    }

    #[test]
    fn any_azure_json_has_an_answer_and_shows_no_secret() {
        let shards: &[&[u8]] = &[
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"\"",
            b"null",
            b"true",
            b"1e999",
            b"\n",
            b"\t",
            b"- ",
            b"&a ",
            b"*a",
            b"!!binary ",
            b"|\n",
            b"\xff",
            b"\0",
            b"",
        ];
        check_any(&edited_bytes(corpus("azure-json"), shards), |content| {
            let shown = match Config::read(&content) {
                Ok(config) => {
                    let _ = config.check_acr(true);
                    let fault = config.principal().err().unwrap_or_default();
                    format!("{config:?} {fault}")
                }
                Err(fault) => fault,
            };
            assert!(!shown.contains("hunter2"), "{shown}");
        });
    }

    #[test]
    fn what_the_provider_fails_with_is_said() {
        for (content, expected) in [
            ("", "names neither a managed identity nor a service principal"),
            ("{}", "names neither"),
            (
                r#"{"aadClientCertPath":"/p","useFederatedWorkloadIdentityExtension":true}"#,
                "neither",
            ),
            (r#"{"aadClientSecret":"canary""#, "neither JSON nor YAML"),
            (r#"{"aadClientSecret":["canary"]}"#, "its aadClientSecret is a list"),
            (r#"{"useManagedIdentityExtension":"true"}"#, "is a string, and must be true or false"),
            (r#"{"tenantId":1}"#, "its tenantId is a number, and must be a string"),
            (r#"{"aadMSIDataPlaneIdentityPath":{"canary":1}}"#, "is an object"),
        ] {
            refused(content, expected);
        }
    }
}
