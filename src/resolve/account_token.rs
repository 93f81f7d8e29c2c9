//! Tokens of service accounts, for pods that pull with the identity that their account names.
//!
//! A kubelet makes one for its credential provider (KEP-4412), bound to the pod; this one is
//! bound to nothing, and is over soon. It is sent to Entra ID and kept nowhere.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::secret::Secret;

use super::Error;
use super::azure::AccountName;

/// The audience that Entra ID wants of a token that it is to exchange (Microsoft Entra
/// documentation, "Workload identity federation").
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The shortest lifetime that the API server allows (Kubernetes v1.35.4,
/// pkg/apis/authentication/validation).
const LIFETIME_SECONDS: i64 = 10 * 60;

/// Makes a token; `None` where this may not be done, or there is no such account.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but a token, 404 or 403.
pub async fn make(
    client: &Client,
    account: &AccountName,
    audience: &str,
) -> Result<Option<Secret>, Error> {
    let AccountName { namespace, name } = account;
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let spec = TokenRequestSpec {
        audiences: vec![audience.to_owned()],
        bound_object_ref: None,
        expiration_seconds: Some(LIFETIME_SECONDS),
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    match api.create_token_request(name, &PostParams::default(), &request).await {
        Ok(made) => Ok(made.status.map(|status| Secret::new(status.token))),
        Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_not_found() => Ok(None),
        Err(source) => {
            let (namespace, name) = (namespace.clone(), name.clone());
            Err(Error::MakeToken { namespace, name, source: Box::new(source) })
        }
    }
}
