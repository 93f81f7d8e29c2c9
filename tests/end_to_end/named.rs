//! Each way to fail, called by its name.

use futures::future::join_all;
use registrycheck::api::ConditionStatus;

use super::installed;
use crate::ground::{Namespace, eventually, ground, ready};

/// A way to fail, and what has to be said of it.
struct Case {
    /// The namespace.
    name: &'static str,
    image: &'static str,
    /// The server in the pull secret `regcred`, and whether its password is right; `None`
    /// where the pod names a secret that does not exist.
    secret: Option<(&'static str, bool)>,
    /// Whether the pod names the secret.
    named: bool,
    /// The check's name.
    check: &'static str,
    code: &'static str,
    /// What the message has to contain.
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "secret-missing",
        image: "basic.test/shop/api:v1",
        secret: None,
        named: true,
        check: "basic.test",
        code: "PullSecretMissing",
        says: "regcred does not exist",
    },
    Case {
        name: "wrong-password",
        image: "basic.test/shop/api:v1",
        secret: Some(("basic.test", false)),
        named: true,
        check: "basic.test",
        code: "CredentialRejected",
        says: "pull secret regcred",
    },
    Case {
        name: "wrong-password-bearer",
        image: "bearer.test/shop/api:v1",
        secret: Some(("bearer.test", false)),
        named: true,
        check: "bearer.test",
        code: "CredentialRejected",
        says: "pull secret regcred",
    },
    Case {
        name: "other-host",
        image: "basic.test/shop/api:v1",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "basic.test",
        code: "PullSecretHostMismatch",
        says: "bearer.test does not match",
    },
    Case {
        name: "other-port",
        image: "basic.test/shop/api:v1",
        secret: Some(("basic.test:443", true)),
        named: true,
        check: "basic.test",
        code: "PullSecretHostMismatch",
        says: "no default ports",
    },
    Case {
        name: "no-secret",
        image: "bearer.test/shop/api:v1",
        secret: None,
        named: false,
        check: "bearer.test",
        code: "NoCredentials",
        says: "no pull secret",
    },
    Case {
        name: "no-secret-basic",
        image: "basic.test/shop/api:v1",
        secret: None,
        named: false,
        check: "basic.test",
        code: "NoCredentials",
        says: "no pull secret",
    },
    Case {
        name: "wrong-tag",
        image: "basic.test/shop/api:v9",
        secret: Some(("basic.test", true)),
        named: true,
        check: "basic.test",
        code: "TagNotFound",
        says: "no tag v9",
    },
    Case {
        name: "wrong-tag-bearer",
        image: "bearer.test/shop/api:v9",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "bearer.test",
        code: "TagNotFound",
        says: "no tag v9",
    },
    Case {
        name: "wrong-repository",
        image: "anonymous.test/shop/nothing:v1",
        secret: None,
        named: false,
        check: "anonymous.test",
        code: "RepositoryNotFound",
        says: "no repository shop/nothing",
    },
    Case {
        name: "hidden",
        image: "bearer.test/secret/plans:v1",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "bearer.test",
        code: "PullNotAuthorized",
        says: "no right to pull secret/plans",
    },
    Case {
        name: "unknown-host",
        image: "missing.test/shop/api:v1",
        secret: None,
        named: false,
        check: "missing.test",
        code: "DnsNameNotFound",
        says: "missing.test does not exist",
    },
    Case {
        name: "refused",
        image: "refused.test/shop/api:v1",
        secret: None,
        named: false,
        check: "refused.test",
        code: "ConnectionRefused",
        says: "nothing accepts connections",
    },
    Case {
        name: "silent",
        image: "silent.test/shop/api:v1",
        secret: None,
        named: false,
        check: "silent.test",
        code: "ConnectionTimeout",
        says: "does not answer",
    },
    Case {
        name: "expired",
        image: "expired.test/shop/api:v1",
        secret: None,
        named: false,
        check: "expired.test",
        code: "TlsCertificateExpired",
        says: "expired at",
    },
    Case {
        name: "wrong-name",
        image: "wrongname.test/shop/api:v1",
        secret: None,
        named: false,
        check: "wrongname.test",
        code: "TlsNameMismatch",
        says: "not for wrongname.test",
    },
    Case {
        name: "untrusted",
        image: "untrusted.test/shop/api:v1",
        secret: None,
        named: false,
        check: "untrusted.test",
        code: "TlsCertificateUntrusted",
        says: "is not trusted",
    },
    Case {
        name: "plain-http",
        image: "plain.test:5001/shop/api:v1",
        secret: None,
        named: false,
        check: "plain.test-",
        code: "SchemeMismatch",
        says: "speaks HTTP",
    },
    Case {
        name: "unavailable",
        image: "unavailable.test/shop/api:v1",
        secret: None,
        named: false,
        check: "unavailable.test",
        code: "RegistryUnavailable",
        says: "status 503",
    },
    Case {
        name: "invalid-name",
        image: "Basic.test/Shop/API:v1",
        secret: None,
        named: false,
        check: "basic.test",
        code: "InvalidImageReference",
        says: "",
    },
    Case {
        name: "template",
        image: "basic.test/shop/{{image}}",
        secret: None,
        named: false,
        check: "basic.test",
        code: "InvalidImageReference",
        says: "",
    },
];

async fn fails_as_told(case: &Case) -> Result<(), String> {
    let namespace = Namespace::new(&format!("case-{}", case.name)).await;
    if let Some((server, right)) = case.secret {
        let password = if right {
            ground().password(server.trim_end_matches(":443"))
        } else {
            "wrong-canary".to_owned()
        };
        namespace.secret("regcred", server, &password);
    }
    let secrets: &[&str] = if case.named { &["regcred"] } else { &[] };
    namespace.pod("app", case.image, secrets);
    let check = eventually(&format!("{} to be {}", case.name, case.code), || async {
        let checks = namespace.checks().await;
        let check = checks
            .into_iter()
            .find(|check| check.metadata.name.as_deref().unwrap().starts_with(case.check))?;
        // The first answer counts: a wrong one that is put right later is wrong.
        let said = ready(&check)?.status == ConditionStatus::False;
        said.then_some(check)
    })
    .await;
    let ready = ready(&check).unwrap();
    let events = namespace.told("app").await;
    let event = events.iter().find(|event| event.reason.as_deref() == Some(case.code));
    let status = check.status.as_ref().unwrap();
    let right = ready.reason == case.code
        && ready.message.contains(case.says)
        && status.affected_pods == 1
        && event.is_some();
    let seen = format!(
        "{}: {} ({} pods, event {}) {}",
        case.name,
        ready.reason,
        status.affected_pods,
        event.is_some(),
        ready.message
    );
    if right { Ok(()) } else { Err(seen) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_called_by_its_name() {
    installed();
    let results = join_all(CASES.iter().map(fails_as_told)).await;
    let wrong: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
