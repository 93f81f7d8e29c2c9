//! Credentials that are missing, unusable, for another registry or refused.

use super::*;

fn not_attached(serves: bool) -> Gap {
    let (secret, account) = ("late".to_owned(), "default".to_owned());
    Gap::SecretNotAttached { secret, account, serves }
}

/// Certain only where the secret was tried and served; and then it is the cause, whatever else
/// is wrong with the pod's own secrets.
#[test]
fn a_secret_of_the_account_that_the_pod_lacks_is_named() {
    let other = mismatch("x.test", Mismatch::NotAUrl);
    let lacking = without_credential(&[not_attached(true), other.clone()]);
    let found = [(Code::PullSecretNotAttached, Certain), (Code::PullSecretHostMismatch, Certain)];
    check(&lacking, NotPullable, &found);
    let untried = without_credential(&[not_attached(false)]);
    check(&untried, NotPullable, &[(Code::PullSecretNotAttached, Likely)]);
    let gaps = vec![not_attached(true)];
    let refused = Evidence { gaps, ..with_end(answered(401, &["UNAUTHORIZED"])) };
    let first = &diagnosis(&refused).findings[0];
    assert_eq!((first.code, first.confidence), (Code::PullSecretNotAttached, Certain));
    let mut diagnosis = diagnosis(&lacking);
    diagnosis.name_workload("deployment/shop");
    let remedy = &diagnosis.findings[0].remedy;
    assert!(remedy.contains("kubectl rollout restart deployment/shop -n shop"), "{remedy}");
    assert!(remedy.contains("add late to its imagePullSecrets"), "{remedy}");
}

#[test]
fn no_credentials_is_never_certain() {
    check(&without_credential(&[]), Undecided, &[(Code::NoCredentials, Likely)]);
    let by_hand = Evidence { vantage: Vantage::Here, ..without_credential(&[]) };
    check(&by_hand, NotPullable, &[(Code::NoCredentials, Likely)]);
    let unasked = Evidence { anonymous: None, ..without_credential(&[]) };
    check(&unasked, Undecided, &[(Code::NoCredentials, Likely)]);
    check_progress(&unasked, [Some(true), Some(false), None, None]);
    for image in [IMAGE, "nginx"] {
        let image = ImageRef::parse(image).unwrap();
        let evidence = Evidence { image, ..without_credential(&[]) };
        check(&evidence, Undecided, &[(Code::NoCredentials, Likely)]);
    }
}

/// The nodes of AKS mostly have an identity for such a registry: without a failing pod, what
/// pull secrets lack decides nothing.
#[test]
fn what_the_identity_of_a_node_could_change_is_left_open() {
    let image = ImageRef::parse("myreg.azurecr.io/a:1").unwrap();
    let evidence = Evidence { image: image.clone(), ..without_credential(&[missing("regcred")]) };
    let failed = Complaint::PullFailed { cause: String::new() };
    for (complaint, verdict, confidence) in
        [(None, Undecided, Likely), (Some(&failed), NotPullable, Certain)]
    {
        let subject = Subject { namespace: "shop", image: &image, complaint };
        let Diagnosis { verdict: seen, findings, .. } = diagnose(subject, &evidence);
        assert_eq!((seen, findings[0].code), (verdict, Code::PullSecretMissing));
        assert_eq!(findings[0].confidence, confidence);
        assert_eq!(findings[0].message.contains("was not probed"), complaint.is_none());
    }
}

#[test]
fn a_missing_pull_secret_explains_the_absence_of_a_credential() {
    let evidence = without_credential(&[missing("regcred")]);
    let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
    assert_eq!(finding.code, Code::PullSecretMissing);
    assert_eq!(finding.message, "pull secret regcred does not exist in namespace shop");
    let command = "kubectl create secret docker-registry regcred -n shop --docker-server=r.test ";
    assert!(finding.remedy.contains(command), "{}", finding.remedy);
}

#[test]
fn a_malformed_pull_secret_explains_the_absence_of_a_credential() {
    let reason = "its type is Opaque".to_owned();
    let ignored = Gap::SecretIgnored { secret: "regcred".to_owned(), reason };
    check(&without_credential(&[ignored]), NotPullable, &[(Code::PullSecretMalformed, Certain)]);
    check(&without_credential(&[broken()]), NotPullable, &[(Code::PullSecretMalformed, Certain)]);
}

#[test]
fn a_mismatch_says_which_rule_excludes_the_entry() {
    let text = str::to_owned;
    let table = [
        (Mismatch::Port { entry: text("443"), image: text("") }, "port 443 and the image no port"),
        (Mismatch::LabelCount { entry: 3, image: 2 }, "3 labels and the image's 2"),
        (Mismatch::Label { entry: text("x"), image: text("r") }, "has x where the image has r"),
        (Mismatch::Path { entry: text("/ops") }, "does not begin with /ops"),
        (Mismatch::FallbackSuppressed, "only where no other entry matches"),
        (Mismatch::NotAUrl, "it is no URL"),
    ];
    for (rule, words) in table {
        let evidence = without_credential(&[mismatch("x.test", rule)]);
        let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
        assert_eq!(finding.code, Code::PullSecretHostMismatch);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn the_entries_of_one_secret_are_one_finding() {
    let dropped = Gap::EntryDropped {
        secret: "regcred".to_owned(),
        key: "a b".to_owned(),
        reason: "it has a blank".to_owned(),
    };
    let gaps = [mismatch("a.test", Mismatch::NotAUrl), mismatch("b.test", Mismatch::NotAUrl)];
    let evidence = without_credential(&[&gaps[..], &[dropped]].concat());
    let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
    assert_eq!(finding.code, Code::PullSecretHostMismatch);
    for key in ["a.test", "b.test", "a b"] {
        assert!(finding.message.contains(key), "{}", finding.message);
    }
}

#[test]
fn nothing_is_concluded_from_an_unreadable_secret() {
    let evidence = without_credential(&[forbidden("regcred")]);
    check(&evidence, Undecided, &[(Code::PullSecretUnreadable, Certain)]);
}

#[test]
fn a_refused_credential_is_rejected() {
    let attempts = vec![attempt(Some("bad"), answered(401, &["UNAUTHORIZED"]))];
    let evidence = Evidence { attempts, ..evidence() };
    check(&evidence, NotPullable, &[(Code::CredentialRejected, Likely)]);
    let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
    assert!(finding.message.contains("pull secret bad"), "{}", finding.message);
    assert!(finding.remedy.ends_with("--dry-run=client -o yaml | kubectl apply -f -"));
    check_progress(&evidence, [Some(true), Some(false), None, None]);
}

/// A Basic registry may answer 401 for other reasons; a token service has looked at the login.
#[test]
fn a_login_that_the_token_service_refuses_is_rejected_for_certain() {
    let mut refused = attempt(Some("bad"), answered(401, &["UNAUTHORIZED"]));
    if let End::Answered { step, .. } = &mut refused.end {
        *step = StepName::Token;
    }
    let evidence = Evidence { attempts: vec![refused], ..evidence() };
    check(&evidence, NotPullable, &[(Code::CredentialRejected, Certain)]);
}

#[test]
fn a_refused_credential_before_a_public_image_is_stale() {
    let attempts = vec![attempt(Some("old"), answered(401, &[]))];
    let evidence = Evidence { attempts, anonymous: Some(attempt(None, served())), ..evidence() };
    check(&evidence, NotPullable, &[(Code::StaleCredential, Certain)]);
}

#[test]
fn a_firewall_that_names_the_client_is_told_from_missing_rights() {
    let mut denied = attempt(Some("good"), answered(403, &["DENIED"]));
    if let End::Answered { answer, .. } = &mut denied.end {
        answer.errors[0].message = "client with IP '20.1.2.3' is not allowed access.".to_owned();
    }
    let evidence = Evidence { attempts: vec![denied], ..evidence() };
    check(&evidence, NotPullable, &[(Code::NetworkRuleDenied, Certain)]);
}

#[test]
fn beside_a_refused_credential_a_missing_secret_is_likely() {
    let attempts = vec![attempt(Some("bad"), answered(401, &[]))];
    let gaps = vec![missing("gone"), mismatch("x.test", Mismatch::NotAUrl)];
    let evidence = Evidence { gaps, attempts, ..evidence() };
    let expected = [(Code::PullSecretMissing, Likely), (Code::CredentialRejected, Likely)];
    check(&evidence, NotPullable, &expected);
}

#[test]
fn a_provider_that_fails_explains_the_absence_and_one_for_others_hardly_does() {
    let failed = Gap::ProviderFailed {
        provider: "acr".to_owned(),
        failure: ProviderFailure::TimedOut { seconds: 60 },
    };
    let evidence = without_credential(&[failed]);
    check(&evidence, NotPullable, &[(Code::CredentialProviderFailed, Likely)]);
    let message = &diagnosis(&evidence).findings[0].message;
    assert!(message.contains("acr gives no answer within 60 s and is ended"), "{message}");
    let (provider, patterns) = ("ecr".to_owned(), vec!["*.amazonaws.test".to_owned()]);
    let evidence = without_credential(&[Gap::ProviderNotMatched { provider, patterns }]);
    let expected = [(Code::NoCredentials, Likely), (Code::CredentialProviderNotMatched, Possible)];
    check(&evidence, NotPullable, &expected);
}

/// A token of a service account is not made here, so what the provider would answer is open.
#[test]
fn a_provider_that_is_not_run_makes_nothing_certain() {
    let gaps = [
        missing("regcred"),
        Gap::ProviderNotRun { provider: "acr".to_owned(), reason: NotRun::WantsToken },
    ];
    check(&without_credential(&gaps), NotPullable, &[(Code::PullSecretMissing, Likely)]);
}

#[test]
fn what_the_node_has_is_named_where_it_is_refused() {
    let credential = |source| Some(Provenance::Node { source, key: "r.test".to_owned() });
    let file = NodeSource::File { file: "/var/lib/kubelet/config.json".to_owned() };
    let provider = NodeSource::Provider { provider: "acr".to_owned() };
    for (source, who) in [(file, "node file /var/lib/kubelet/config.json"), (provider, "acr")] {
        let mut evidence = with_end(answered(401, &["UNAUTHORIZED"]));
        evidence.attempts[0].credential = credential(source);
        evidence.attempts[0].steps.clear();
        let finding = &diagnosis(&evidence).findings[0];
        assert_eq!(finding.code, Code::CredentialRejected);
        assert!(finding.message.contains(who), "{}", finding.message);
        let public = Evidence { anonymous: Some(attempt(None, served())), ..evidence };
        let finding = &diagnosis(&public).findings[0];
        assert_eq!(finding.code, Code::StaleCredential);
        assert!(finding.message.contains(who), "{}", finding.message);
    }
}

#[test]
fn a_node_whose_providers_were_asked_leaves_nothing_open() {
    let image = ImageRef::parse("myreg.azurecr.io/a:1").unwrap();
    let (provider, patterns) = ("ecr".to_owned(), vec!["*.amazonaws.test".to_owned()]);
    let gaps = [missing("regcred"), Gap::ProviderNotMatched { provider, patterns }];
    let evidence = Evidence { image, ..without_credential(&gaps) };
    assert_eq!(diagnosis(&evidence).verdict, NotPullable);
    assert_eq!(diagnosis(&evidence).findings[0].confidence, Certain);
}
