//! Another repository of the same registry, as a control: whether an identity that may not pull
//! the image's repository may pull any.

use reqwest::Method;
use url::Url;

use crate::access::Credential;
use crate::evidence::azure::OtherRepository;
use crate::evidence::{Role, StepName};
use crate::probe::exchange::{ANSWER_MAX, Body, Question};
use crate::probe::protocol::challenge::Bearer;
use crate::probe::protocol::{azure, jwt};
use crate::probe::token::{self, Service};
use crate::probe::walk::Walk;
use crate::secret::Secret;

/// How many other repositories are asked about.
const OTHERS_MAX: usize = 2;

impl Walk<'_> {
    /// What is granted on another repository: the first of a few that may be pulled, else the
    /// first. `None` where the registry does not say which there are.
    pub(super) async fn other_repository(
        &self,
        bearer: &Bearer,
        credential: &Credential,
    ) -> Option<OtherRepository> {
        let realm = self.realm_for(bearer, Some(credential)).ok()?;
        let catalogue = self.token_for(&realm, bearer, credential, "registry:catalog:*").await?;
        let mut names = self.repositories(&catalogue).await;
        names.retain(|name| name != self.image.path());
        let mut others = Vec::new();
        for name in names.into_iter().take(OTHERS_MAX) {
            let scope = format!("repository:{name}:pull");
            let token = self.token_for(&realm, bearer, credential, &scope).await;
            let grant = token.and_then(|token| jwt::claims(token.expose())?.grant(&name));
            let Some(grant) = grant else { continue };
            let may_pull = grant.actions.iter().any(|action| action == "pull");
            others.push(OtherRepository { name, grant });
            if may_pull {
                return others.pop();
            }
        }
        others.into_iter().next()
    }

    async fn token_for(
        &self,
        realm: &Url,
        bearer: &Bearer,
        credential: &Credential,
        scope: &str,
    ) -> Option<Secret> {
        let scopes = [scope.to_owned()];
        let service = Service { realm, name: bearer.service.as_deref(), scopes: &scopes };
        token::fetch_plainly(&self.line, &service, credential).await
    }

    /// The names of some repositories of the registry (Docker registry HTTP API v2, "Listing
    /// Repositories").
    async fn repositories(&self, token: &Secret) -> Vec<String> {
        let mut url = self.line.registry.clone();
        url.set_path("/v2/_catalog");
        url.set_query(Some("n=20"));
        let question = Question {
            step: StepName::Manifest,
            role: Role::Registry,
            method: Method::GET,
            url: &url,
            authorization: Some(&token::bearer(token)),
            body: Body::Nothing,
            limit: ANSWER_MAX,
        };
        let reply = self.line.ask(question).await.result;
        let of_registry =
            reply.ok().filter(|reply| reply.is_success() && reply.hop.role == Role::Registry);
        of_registry.map_or_else(Vec::new, |reply| azure::repositories(&reply.body))
    }
}
