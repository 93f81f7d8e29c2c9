//! A login that works, and a pull that does not.

use super::*;

fn without_pull() -> Box<Azure> {
    azure(managed(), served(), None)
}

#[test]
fn a_token_without_pull_is_likely_a_missing_role() {
    let evidence = tried(without_pull(), no_right(), Some(&[]));
    check(&evidence, NotPullable, &[(Code::PullNotAuthorized, Likely)]);
    let says = ["kubelet identity 1111", TENANT, "shop/api", "less than 10 minutes ago"];
    let remedy = [
        "--assignee-object-id 22222222-2222-2222-2222-222222222222 ",
        "\"Container Registry Repository Reader\"",
        "az acr show -n myreg --query roleAssignmentMode",
    ];
    check_words(&evidence, Code::PullNotAuthorized, &says, &remedy);
    check_progress(&evidence, [Some(true), Some(true), Some(false), None]);
}

#[test]
fn a_right_on_another_repository_speaks_of_conditions() {
    let other = |actions: &[&str]| {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        let grant = Grant { actions, has_others: false };
        Some(OtherRepository { name: "ops/tool".to_owned(), grant })
    };
    let mut own = without_pull();
    own.other = other(&["pull"]);
    let evidence = tried(own, no_right(), Some(&[]));
    check(&evidence, NotPullable, &[(Code::RepositoryNotAuthorized, Likely)]);
    let remedy = ["az role assignment list --assignee 22222222", "-n myreg"];
    check_words(&evidence, Code::RepositoryNotAuthorized, &["ops/tool", "conditions"], &remedy);
    let mut own = without_pull();
    own.other = other(&["metadata_read"]);
    let evidence = tried(own, no_right(), Some(&[]));
    check(&evidence, NotPullable, &[(Code::PullNotAuthorized, Likely)]);
}

/// The ids that are not known stay to be filled in, and those of a token cannot become commands.
#[test]
fn ids_stand_in_the_remedy_as_far_as_they_are_known() {
    let mut own = without_pull();
    own.principal = None;
    let evidence = tried(own, no_right(), Some(&[]));
    check_words(&evidence, Code::PullNotAuthorized, &[], &["--assignee-object-id OBJECTID "]);
    let mut own = without_pull();
    own.principal.as_mut().unwrap().object_id = Some("$(reboot)".to_owned());
    let evidence = tried(own, no_right(), Some(&[]));
    check_words(&evidence, Code::PullNotAuthorized, &[], &["--assignee-object-id '$(reboot)' "]);
}

/// What AKS ends every pull with explains nothing, unless it gets further than all else.
#[test]
fn nobodys_credential_is_noise_where_it_is_refused() {
    let anyone = Evidence {
        attempts: vec![
            attempt(Some("old"), no_right()),
            Attempt::new(Some(Provenance::Azure { identity: managed() }), Vec::new(), no_right()),
            strangers(served()),
        ],
        azure: Some(without_pull()),
        ..at_azure()
    };
    let diagnosis = diagnosis(&anyone);
    assert_eq!(diagnosis.verdict, Pullable);
    let pullable =
        diagnosis.findings.iter().find(|finding| finding.code == Code::Pullable).unwrap();
    assert!(pullable.message.contains("without a credential"), "{}", pullable.message);
    let is_stale = |finding: &Finding| finding.code == Code::StaleCredential;
    assert!(!diagnosis.findings.iter().any(is_stale));

    let gone = at(Role::Registry, StepName::Manifest, answer(404, "MANIFEST_UNKNOWN", ""));
    let mut evidence = tried(without_pull(), no_right(), None);
    evidence.attempts[1] = strangers(gone);
    let first = &self::diagnosis(&evidence).findings[0];
    assert_eq!((first.code, first.severity), (Code::TagNotFound, Severity::Error));
}

/// The image is what is missing where the identity may pull.
#[test]
fn what_is_not_there_is_no_matter_of_rights() {
    let gone = || at(Role::Registry, StepName::Manifest, answer(404, "MANIFEST_UNKNOWN", ""));
    let evidence = tried(without_pull(), gone(), Some(&["pull"]));
    let evidence = Evidence { repository: Some(Repository::Exists), ..evidence };
    check(&evidence, NotPullable, &[(Code::TagNotFound, Likely)]);
    check_words(
        &evidence,
        Code::TagNotFound,
        &["quarantine", "replica"],
        &["az acr repository show-tags -n myreg "],
    );
}
