//! Unattached secrets: a control with what a pod's service account lists and the pod does not.
//! It says why a pull fails and never makes it succeed, since the kubelet uses none of it.

use std::time::Instant;

use crate::access::{Access, Gap, Unattached};
use crate::evidence::{Attempt, End, Evidence};
use crate::image::ImageRef;

use super::{Options, Prober};

impl Prober {
    /// Tries `image` as [`Self::probe`] does, and where all that the pod has was refused, with
    /// what is `unattached` too. What follows is a gap of the evidence; what was seen of that
    /// control stands beside it.
    pub async fn probe_for_pod(
        &self,
        image: &ImageRef,
        access: &Access,
        unattached: Unattached,
        options: Options<'_>,
    ) -> (Evidence, Option<Evidence>) {
        let began = Instant::now();
        let mut evidence = self.probe(image, access, options).await;
        let Unattached { account, credentials } = unattached;
        if credentials.is_empty() || !evidence.lacks_credential() {
            return (evidence, None);
        }
        let timeout = options.timeout.saturating_sub(began.elapsed());
        let listed = Access { credentials, azure: None, gaps: Vec::new() };
        let control = self.probe(image, &listed, Options { timeout, ..options }).await;
        let gap = control.attempts.iter().find_map(|attempt| not_attached(&account, attempt));
        evidence.gaps.splice(..0, gap);
        (evidence, Some(control))
    }
}

/// What follows from one secret; nothing where the registry refuses it too.
fn not_attached(account: &str, attempt: &Attempt) -> Option<Gap> {
    let secret = attempt.credential.as_ref()?.pull_secret()?;
    let serves = match &attempt.end {
        End::Served { .. } => true,
        End::Unreachable { .. } | End::NotSent { .. } | End::Unfit { .. } => false,
        End::Answered { .. } | End::Challenged { .. } => return None,
    };
    let (secret, account) = (secret.to_owned(), account.to_owned());
    Some(Gap::SecretNotAttached { secret, account, serves })
}
