//! What an identity's login adds to a walk: its own attempt, and nobody's.

use reqwest::header::HeaderValue;

use crate::access::Provenance;
use crate::access::azure::{Login, is_for_strangers};
use crate::evidence::{End, Evidence};
use crate::probe::Shared;
use crate::probe::protocol::challenge::Demand;
use crate::probe::walk::{Tried, Walk, is_not_found};

use super::LoggedIn;

impl Walk<'_> {
    /// Logs the identity in, after `opening`, where that is worth it.
    ///
    /// The kubelet's credential provider does so before anything is pulled, and its failure hides
    /// the registry's. So it is asked where the registry refuses whoever asks, and where the
    /// registry does not answer; then as far as the identity's token. Where everybody is served,
    /// or a limit or a missing manifest is all that is wrong, nothing is asked.
    pub(in crate::probe) async fn identify(
        &mut self,
        shared: &Shared,
        login: &Login,
        opening: &End,
    ) -> Option<LoggedIn> {
        let unreached = match opening {
            End::Challenged { .. } => None,
            End::Unreachable { .. } => Some(opening),
            End::Answered { answer, .. } if !matches!(answer.status, 404 | 429) => None,
            End::Answered { .. } | End::Served { .. } | End::NotSent { .. } | End::Unfit { .. } => {
                return None;
            }
        };
        // Boxed, as it is a rare part of each walk and a large one.
        let logged_in = Box::pin(super::log_in(shared, self, login, unreached)).await?;
        self.secrets.extend(logged_in.secrets.iter().cloned());
        Some(logged_in)
    }

    /// Logs the identity in, and tries the image with what that gives; where it is refused, the
    /// image is tried as nobody, whose credential the kubelet is given beside it and tries last,
    /// unless that one is for no such host.
    /// What leads to a 404 for the manifest is returned.
    pub(in crate::probe) async fn with_identity(
        &mut self,
        shared: &Shared,
        login: &Login,
        demand: &Demand,
        evidence: &mut Evidence,
    ) -> Option<HeaderValue> {
        let logged_in = self.identify(shared, login, &evidence.opening.end).await?;
        let LoggedIn { mut azure, credential, .. } = logged_in;
        let mut authorization = None;
        if let Some(credential) = credential {
            let tried = self.attempt(demand, &credential, false).await;
            if let (Demand::Bearer(bearer), Some(grant)) = (demand, &tried.attempt.grant)
                && !grant.actions.iter().any(|action| action == "pull")
            {
                azure.other = self.other_repository(bearer, &credential).await;
            }
            let is_refused = matches!(tried.attempt.end, End::Answered { .. });
            evidence.limit = tried.limit.or(evidence.limit.take());
            if is_not_found(&tried.attempt) {
                authorization = tried.used;
            }
            evidence.attempts.push(tried.attempt);
            if is_refused && is_for_strangers(self.image.registry().name()) {
                let tried = self.as_nobody(demand).await;
                evidence.attempts.push(tried.attempt);
            }
        }
        evidence.azure = Some(Box::new(azure));
        authorization
    }

    async fn as_nobody(&self, demand: &Demand) -> Tried {
        let mut tried = match demand {
            Demand::Bearer(bearer) => self.with_token(bearer, None).await,
            Demand::Basic | Demand::Unsupported(_) => self.with_basic(None, false).await,
        };
        tried.attempt.credential = Some(Provenance::Strangers);
        tried
    }
}
