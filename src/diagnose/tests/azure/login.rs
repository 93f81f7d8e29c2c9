//! The login that fails, and what `az aks check-acr` says beside it.

use super::*;

/// What the metadata service and Entra ID say, and what that means.
#[test]
fn each_refusal_of_a_token_has_a_finding() {
    let metadata = |status, code: &str, words: &str| {
        at(Role::Metadata, StepName::Identity, answer(status, code, words))
    };
    let entra = |status, code: &str| {
        at(Role::Entra, StepName::Identity, answer(status, code, "words of Entra ID"))
    };
    let table = [
        (
            managed(),
            metadata(400, "invalid_request", "Identity not found"),
            Code::IdentityNotAssigned,
            Certain,
        ),
        (
            Identity::Managed { id: None },
            metadata(
                400,
                "invalid_request",
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
            ),
            Code::IdentityAmbiguous,
            Certain,
        ),
        (
            managed(),
            metadata(400, "AADSTS500011", "The resource principal was not found"),
            Code::TokenAudienceRefused,
            Certain,
        ),
        (
            managed(),
            metadata(400, "invalid_resource", "AADSTS50001: The resource is disabled"),
            Code::TokenAudienceRefused,
            Certain,
        ),
        (
            managed(),
            metadata(400, "bad_request_102", "Required metadata header not specified"),
            Code::IdentityProviderRefused,
            Likely,
        ),
        (managed(), metadata(404, "", ""), Code::IdentityEndpointUnreachable, Likely),
        (managed(), metadata(500, "", ""), Code::IdentityEndpointUnreachable, Likely),
        (managed(), metadata(429, "", ""), Code::RateLimited, Likely),
        (workload(), entra(401, "AADSTS7000215"), Code::ServicePrincipalSecretInvalid, Certain),
        (workload(), entra(401, "AADSTS7000222"), Code::ServicePrincipalSecretExpired, Certain),
        (workload(), entra(400, "AADSTS700016"), Code::ServicePrincipalUnknown, Certain),
        (workload(), entra(400, "AADSTS90002"), Code::ServicePrincipalUnknown, Certain),
        (workload(), entra(400, "AADSTS900432"), Code::ServicePrincipalUnknown, Likely),
        (workload(), entra(400, "AADSTS500011"), Code::TokenAudienceRefused, Certain),
        (workload(), entra(400, "AADSTS50001"), Code::TokenAudienceRefused, Certain),
        (workload(), entra(401, "AADSTS70021"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(401, "AADSTS700211"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(401, "AADSTS700212"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(401, "AADSTS700213"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(401, "AADSTS7002138"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(401, "AADSTS700222"), Code::FederatedCredentialMismatch, Certain),
        (workload(), entra(401, "AADSTS50013"), Code::FederatedCredentialMismatch, Likely),
        (workload(), entra(400, "AADSTS90055"), Code::RateLimited, Likely),
        (workload(), entra(400, "AADSTS53003"), Code::IdentityProviderRefused, Likely),
        (workload(), entra(400, "unauthorized_client"), Code::IdentityProviderRefused, Likely),
        (workload(), entra(503, "temporarily_unavailable"), Code::RegistryUnavailable, Likely),
    ];
    for (identity, end, code, confidence) in table {
        let evidence = failed(azure(identity, end, None));
        check(&evidence, NotPullable, &[(code, confidence)]);
        let finding = check_words(&evidence, code, &["leaves the kubelet without"], &[]);
        assert!(finding.credential.is_some() && finding.hop.is_some());
        assert_ne!(finding.hop.as_deref(), Some("myreg.azurecr.io"));
    }
}

#[test]
fn what_was_set_up_a_moment_ago_may_only_need_time() {
    let end = at(Role::Entra, StepName::Identity, answer(401, "AADSTS70021", ""));
    let evidence = failed(azure(workload(), end, None));
    let remedy = [
        "wait a few minutes",
        "az identity federated-credential create ",
        "--subject system:serviceaccount:shop:runner ",
    ];
    check_words(&evidence, Code::FederatedCredentialMismatch, &[], &remedy);
    let end = at(Role::Entra, StepName::Identity, answer(401, "AADSTS700213", ""));
    let evidence = failed(azure(workload(), end, None));
    check_words(&evidence, Code::FederatedCredentialMismatch, &[], &["wait a few minutes"]);
    let end = at(Role::Entra, StepName::Identity, answer(401, "AADSTS700222", ""));
    let first = &diagnosis(&failed(azure(workload(), end, None))).findings[0];
    assert!(!first.remedy.contains("wait"), "{}", first.remedy);
}

/// Attaching a registry to a cluster does nothing for an identity of a service account.
#[test]
fn a_service_accounts_identity_gets_a_role_of_its_own() {
    let denied = |identity| failed(azure(identity, exchange(401, "UNAUTHORIZED", ""), None));
    check_words(&denied(managed()), Code::TokenExchangeDenied, &[], &["--attach-acr myreg"]);
    let first = check_words(
        &denied(workload()),
        Code::TokenExchangeDenied,
        &["runner"],
        &["--role AcrPull"],
    );
    assert!(!first.remedy.contains("attach-acr"), "{}", first.remedy);
}

/// Numbers that begin with another one are not taken for it.
#[test]
fn unknown_words_of_entra_are_kept() {
    let end = at(
        Role::Entra,
        StepName::Identity,
        answer(400, "AADSTS7000112", "Application is disabled"),
    );
    let evidence = failed(azure(workload(), end, None));
    let says = [
        "AADSTS7000112: Application is disabled",
        "identity 1111",
        "service account runner",
        TENANT,
    ];
    check_words(
        &evidence,
        Code::IdentityProviderRefused,
        &says,
        &["https://login.microsoftonline.com/error"],
    );
}

#[test]
fn each_refusal_of_the_exchange_has_a_finding() {
    let firewall = "client with IP '20.1.2.3' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.";
    let table = [
        (
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization",
            Code::TokenExchangeDenied,
            Likely,
        ),
        (403, "DENIED", "retrieving permissions failed", Code::TokenExchangeDenied, Likely),
        (403, "DENIED", firewall, Code::NetworkRuleDenied, Certain),
        (403, "", "", Code::AccessForbidden, Certain),
        (429, "TOOMANYREQUESTS", "", Code::RateLimited, Certain),
        (503, "", "", Code::RegistryUnavailable, Certain),
    ];
    for (status, error, words, code, confidence) in table {
        let evidence = failed(azure(managed(), exchange(status, error, words), None));
        check(&evidence, NotPullable, &[(code, confidence)]);
    }
    let denied = failed(azure(managed(), exchange(401, "UNAUTHORIZED", ""), None));
    let line = "az role assignment create --assignee-object-id 22222222-2222-2222-2222-222222222222 --assignee-principal-type ServicePrincipal --role AcrPull --scope \"$(az acr show -n myreg --query id -o tsv)\"";
    check_words(
        &denied,
        Code::TokenExchangeDenied,
        &[CLIENT, TENANT, "less than 10 minutes ago"],
        &[line, "az acr show -n myreg --query roleAssignmentMode"],
    );
    let walled = failed(azure(managed(), exchange(403, "DENIED", firewall), None));
    check_words(
        &walled,
        Code::NetworkRuleDenied,
        &[],
        &["az acr network-rule add -n myreg --ip-address 20.1.2.3"],
    );
}

#[test]
fn a_registry_that_does_not_challenge_as_the_provider_wants_is_named() {
    let opened =
        |status| at(Role::Registry, StepName::Challenge, Answer { status, ..Answer::default() });
    // That the image is not there is not what a 404 before any login says.
    for end in [opened(200), opened(404), exchange(404, "NOT_FOUND", "not found")] {
        check(
            &failed(azure(managed(), end, None)),
            NotPullable,
            &[(Code::CredentialProviderFailed, Likely)],
        );
    }
}

/// The tokens of the metadata service are not the registry's to limit.
#[test]
fn a_limit_of_whoever_gives_tokens_wants_no_pull_secret() {
    let limited = |role| at(role, StepName::Identity, answer(429, "", ""));
    for end in [limited(Role::Metadata), limited(Role::Entra)] {
        let evidence = failed(azure(managed(), end, None));
        let first = check_words(&evidence, Code::RateLimited, &[], &["within 5 minutes"]);
        assert!(!first.remedy.contains("kubectl create secret"), "{}", first.remedy);
    }
}

/// A pod that gets no answer of the metadata service knows nothing of the node.
#[test]
fn the_silence_of_the_metadata_service_counts_on_a_node_alone() {
    let silent = || {
        let failure = Failure::TimedOut { during: StepName::Connect, millis: 5_000 };
        azure(managed(), End::Unreachable { hop: hop(Role::Metadata), failure }, None)
    };
    check(&failed(silent()), NotPullable, &[(Code::IdentityEndpointUnreachable, Likely)]);
    let refused = End::Unreachable { hop: hop(Role::Metadata), failure: Failure::Refused };
    let refused = failed(azure(managed(), refused, None));
    check(&refused, NotPullable, &[(Code::IdentityEndpointUnreachable, Certain)]);
    let from_pod = Evidence { vantage: Vantage::Pod, ..failed(silent()) };
    check(&from_pod, Undecided, &[(Code::NoCredentials, Likely), (Code::ProbeSkipped, Certain)]);
}

#[test]
fn a_failed_login_is_in_the_way_of_nothing_that_works_without_it() {
    let lost = || azure(managed(), exchange(401, "UNAUTHORIZED", ""), None);
    let anonymous = Some(attempt(None, served()));
    let public = Evidence { anonymous, ..failed(lost()) };
    check(&public, Pullable, &[(Code::Pullable, Certain), (Code::TokenExchangeDenied, Likely)]);
    let secret = Evidence { attempts: vec![attempt(Some("bad"), no_right())], ..failed(lost()) };
    let found: Vec<Code> = diagnosis(&secret).findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, [Code::CredentialRejected, Code::TokenExchangeDenied]);
    assert_eq!(diagnosis(&secret).findings[1].severity, Severity::Warning);
    let elsewhere =
        at(Role::TokenService, StepName::Exchange, Answer { status: 307, ..Answer::default() });
    let open =
        Evidence { gaps: vec![missing("gone")], ..failed(azure(managed(), elsewhere, None)) };
    let found = [(Code::PullSecretMissing, Likely), (Code::Inconclusive, Possible)];
    check(&open, NotPullable, &found);
    check(&Evidence { gaps: Vec::new(), ..open }, Undecided, &[(Code::Inconclusive, Possible)]);
}

#[test]
fn an_account_whose_token_may_not_be_made_leaves_its_identity_open() {
    let gaps = vec![Gap::AccountTokenNotMade { account: "runner".to_owned() }];
    let anonymous = Some(attempt(None, no_right()));
    let pod = Evidence { vantage: Vantage::Pod, gaps, anonymous, ..at_azure() };
    check(&pod, Undecided, &[(Code::NoCredentials, Likely), (Code::ProbeSkipped, Certain)]);
    let told = &diagnosis(&pod).findings[1];
    assert!(
        told.remedy.contains("registrycheck manifests --token-for shop/runner "),
        "{}",
        told.remedy
    );
    check_remedy(&told.remedy);
    let pulls = Evidence { attempts: vec![attempt(Some("good"), served())], ..pod };
    check(&pulls, Pullable, &[(Code::Pullable, Certain)]);
}

/// The same failure of the registry is met by the opening and by the provider.
#[test]
fn a_registry_that_cannot_be_reached_is_found_once() {
    let gone = || End::Unreachable { hop: hop(Role::Registry), failure: Failure::Refused };
    let opening = attempt(None, gone());
    let evidence = Evidence { opening, anonymous: None, ..failed(azure(managed(), gone(), None)) };
    check(&evidence, NotPullable, &[(Code::ConnectionRefused, Certain)]);
    let lost = at(
        Role::Metadata,
        StepName::Identity,
        answer(400, "invalid_request", "Identity not found"),
    );
    let evidence = Evidence { azure: Some(azure(managed(), lost, None)), ..evidence };
    let both = [(Code::ConnectionRefused, Certain), (Code::IdentityNotAssigned, Certain)];
    check(&evidence, NotPullable, &both);
}

#[test]
fn a_host_that_the_provider_of_azure_is_not_asked_for_is_named() {
    let (provider, patterns) =
        (crate::access::azure::PROVIDER.to_owned(), vec!["*.azurecr.io".to_owned()]);
    let gaps = [Gap::ProviderNotMatched { provider, patterns }];
    let image = ImageRef::parse("myreg.eastus.geo.azurecr.io/shop/api:1").unwrap();
    let evidence = Evidence { image, ..without_credential(&gaps) };
    check(&evidence, NotPullable, &[(Code::CredentialProviderNotMatched, Likely)]);
    check_words(
        &evidence,
        Code::CredentialProviderNotMatched,
        &["one label"],
        &["myreg.azurecr.io"],
    );
    let image = ImageRef::parse("myreg.AZURECR.IO/shop/api:1").unwrap();
    let evidence = Evidence { image, ..evidence };
    check_words(&evidence, Code::CredentialProviderNotMatched, &[], &["as myreg.azurecr.io in"]);
}

#[test]
fn where_the_two_ways_differ_it_is_said_which_counts() {
    let disallowed = || exchange(401, "UNAUTHORIZED", "arm aad token disallowed");
    let pulls = tried(azure(managed(), served(), Some(disallowed())), served(), Some(&["pull"]));
    check(&pulls, Pullable, &[(Code::Pullable, Certain), (Code::CheckAcrDisagrees, Certain)]);
    let told = &diagnosis(&pulls).findings[1];
    assert!(
        told.message.contains("azureADAuthenticationAsArmPolicy is disabled"),
        "{}",
        told.message
    );
    assert!(
        told.remedy.contains("az acr config authentication-as-arm show -r myreg"),
        "{}",
        told.remedy
    );

    let by_resource = Identity::Managed {
        id: Some(
            "/subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/pool".to_owned(),
        ),
    };
    let lost = at(
        Role::Metadata,
        StepName::Identity,
        answer(400, "invalid_request", "Identity not found"),
    );
    let pulls = tried(azure(by_resource, served(), Some(lost)), served(), Some(&["pull"]));
    let told = &diagnosis(&pulls).findings[1];
    assert!(told.message.contains("by its resource id"), "{}", told.message);

    let unknown =
        at(Role::Entra, StepName::Identity, answer(400, "AADSTS90002", "Tenant not found"));
    let pulls = tried(azure(principal(), served(), Some(unknown)), served(), Some(&["pull"]));
    check(&pulls, Pullable, &[(Code::Pullable, Certain), (Code::CheckAcrDisagrees, Certain)]);

    let refused = tried(azure(managed(), served(), Some(served())), no_right(), Some(&[]));
    let found = [(Code::PullNotAuthorized, Likely), (Code::CheckAcrDisagrees, Certain)];
    check(&refused, NotPullable, &found);
    let told = &diagnosis(&refused).findings[1];
    assert!(
        told.message.contains("it tests the login of kubelet identity 1111"),
        "{}",
        told.message
    );

    let reason = NotSent::ForeignRealm { realm: "https://collect.example/token".to_owned() };
    let unsent = End::NotSent { host: "collect.example".to_owned(), reason };
    let open = failed(azure(managed(), unsent, Some(served())));
    check(&open, Undecided, &[(Code::Inconclusive, Possible)]);

    let failure = Failure::TimedOut { during: StepName::Exchange, millis: 5_000 };
    let slow = End::Unreachable { hop: hop(Role::Registry), failure };
    let pulls = tried(azure(managed(), served(), Some(slow)), served(), Some(&["pull"]));
    check(&pulls, Pullable, &[(Code::Pullable, Certain), (Code::CheckAcrDisagrees, Likely)]);

    let both = failed(azure(managed(), exchange(401, "", ""), Some(exchange(401, "", ""))));
    check(&both, NotPullable, &[(Code::TokenExchangeDenied, Likely)]);
}

#[test]
fn a_refused_audience_says_which_one_works() {
    let unknown = at(
        Role::Metadata,
        StepName::Identity,
        answer(400, "AADSTS50001", "The resource is disabled"),
    );
    let mut own = azure(managed(), unknown, Some(served()));
    own.check_acr.as_mut().unwrap().steps = vec![step(StepName::Identity, true)];
    let says = ["https://containerregistry.azure.net", "that of Azure Resource Manager works"];
    check_words(&failed(own), Code::TokenAudienceRefused, &says, &[]);
}
