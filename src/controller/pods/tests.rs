use serde_json::{Value, json};

use super::*;

const REFUSED: &str = "failed to resolve reference \"r.test/shop/api:1\": 401 Unauthorized";

/// Pod `uid` in the namespace shop, whose only container is in this state.
fn pod(uid: &str, image: &str, state: &Value) -> Pod {
    let pod = json!({
        "metadata": {"name": uid, "namespace": "shop", "uid": uid},
        "spec": {"containers": [{"name": "c", "image": image}]},
        "status": {"containerStatuses": [{"name": "c", "state": state}]},
    });
    serde_json::from_value(pod).unwrap()
}

const IMAGE: &str = "r.test/shop/api:1";

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn just_failed() -> Value {
    waiting("ErrImagePull", REFUSED)
}

fn backing_off() -> Value {
    waiting(
        "ImagePullBackOff",
        &format!("Back-off pulling image \"{IMAGE}\": ErrImagePull: {REFUSED}"),
    )
}

fn creating() -> Value {
    waiting("ContainerCreating", "")
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}})
}

fn key(registry: &str) -> Key {
    Key { namespace: "shop".to_owned(), registry: Host::parse(registry).unwrap() }
}

/// An index with one failing pod.
fn index() -> Index {
    let mut index = Index::default();
    index.apply(&pod("a", IMAGE, &just_failed()));
    index
}

/// After one more word of the kubelet about pod `a`: which registries changed, and whether
/// the pod still fails.
#[track_caller]
fn check(index: &mut Index, state: &Value, changed: &[&str], fails: bool) {
    check_image(index, IMAGE, state, changed, fails);
}

#[track_caller]
fn check_image(index: &mut Index, image: &str, state: &Value, changed: &[&str], fails: bool) {
    check_changes(&index.apply(&pod("a", image, state)), changed);
    let of_image = key(target::registry_of(image).as_str());
    assert_eq!(!index.failing(&of_image).is_empty(), fails, "whether it fails");
}

#[track_caller]
fn check_changes(keys: &BTreeSet<Key>, registries: &[&str]) {
    let changed: Vec<&str> = keys.iter().map(|key| key.registry.as_str()).collect();
    assert_eq!(changed, registries, "what changed");
}

#[test]
fn a_failing_pod_appears() {
    let mut index = Index::default();
    check(&mut index, &just_failed(), &["r.test"], true);
    assert_eq!(index.keys(), BTreeSet::from([key("r.test")]));
    assert_eq!(index.failing(&key("r.test"))[0].waits[0].image, IMAGE);
}

#[test]
fn a_pod_that_does_not_fail_is_not_kept() {
    let mut index = Index::default();
    for state in [creating(), running(), waiting("CrashLoopBackOff", ""), json!({})] {
        check(&mut index, &state, &[], false);
    }
    assert!(index.pods.is_empty() && index.keys().is_empty());
}

#[test]
fn a_toggle_between_the_two_words_of_one_cause_is_no_change() {
    let mut index = index();
    check(&mut index, &backing_off(), &[], true);
    assert!(!index.failing(&key("r.test"))[0].waits[0].fresh);
    check(&mut index, &just_failed(), &[], true);
    assert!(index.failing(&key("r.test"))[0].waits[0].fresh);
}

#[test]
fn another_cause_is_a_change() {
    let mut index = index();
    check(&mut index, &waiting("ErrImagePull", "not found"), &["r.test"], true);
}

#[test]
fn a_restarted_kubelets_container_creating_keeps_the_pod() {
    let mut index = index();
    for word in ["ContainerCreating", "PodInitializing"] {
        check(&mut index, &waiting(word, ""), &[], true);
    }
    let wait = &index.failing(&key("r.test"))[0].waits[0];
    assert_eq!(wait.complaint, crate::complaint::Complaint::PullFailed { cause: REFUSED.into() });
    assert!(!wait.fresh);
    check(&mut index, &just_failed(), &[], true);
}

#[test]
fn an_artifact_that_cannot_be_created_has_not_recovered() {
    let mut index = index();
    check(&mut index, &waiting("CreateContainerError", "no command specified"), &[], true);
}

#[test]
fn a_started_container_removes_the_pod() {
    let mut index = index();
    check(&mut index, &running(), &["r.test"], false);
    assert!(index.pods.is_empty() && index.keys().is_empty());
    check(&mut index, &running(), &[], false);
}

#[test]
fn a_pod_that_ended_without_starting_fails_no_more() {
    let mut index = index();
    let unknown = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}});
    check(&mut index, &unknown, &["r.test"], false);
}

#[test]
fn a_deleted_pod_is_removed() {
    let mut index = index();
    let a = pod("a", IMAGE, &backing_off());
    check_changes(&index.delete(&a), &["r.test"]);
    assert!(index.pods.is_empty() && index.keys().is_empty());
    check_changes(&index.delete(&a), &[]);
}

#[test]
fn a_new_list_removes_what_is_gone() {
    let mut index = index();
    index.apply(&pod("b", "other.test/b", &just_failed()));
    index.list_begins(&None);
    check_changes(&index.apply(&pod("b", "other.test/b", &just_failed())), &[]);
    assert_eq!(index.keys().len(), 2, "until the list is complete");
    check_changes(&index.list_ends(&None), &["r.test"]);
    assert_eq!(index.keys(), BTreeSet::from([key("other.test")]));
    check_changes(&index.list_ends(&None), &[]);
}

#[test]
fn a_list_that_begins_again_starts_afresh() {
    let mut index = index();
    index.list_begins(&None);
    index.apply(&pod("a", IMAGE, &just_failed()));
    index.list_begins(&None);
    check_changes(&index.list_ends(&None), &["r.test"]);
}

#[test]
fn an_image_corrected_in_place_moves_the_key() {
    let mut index = index();
    check_image(&mut index, "s.test/api:2", &creating(), &["r.test"], false);
    let mut index = self::index();
    let refused = waiting("ErrImagePull", "refused");
    check_image(&mut index, "s.test/api:2", &refused, &["r.test", "s.test"], true);
    assert_eq!(index.keys(), BTreeSet::from([key("s.test")]));
}

#[test]
fn changed_pull_secrets_are_a_change() {
    let mut index = index();
    let mut changed = pod("a", IMAGE, &just_failed());
    changed.spec.image_pull_secrets.push(target::pod::SecretReference { name: "new".to_owned() });
    check_changes(&index.apply(&changed), &["r.test"]);
    assert_eq!(index.failing(&key("r.test"))[0].pull_secrets, ["new"]);
}

#[test]
fn pods_of_one_key_leave_it_one_by_one() {
    let mut index = index();
    let b = pod("b", IMAGE, &just_failed());
    check_changes(&index.apply(&b), &["r.test"]);
    assert_eq!(index.failing(&key("r.test")).len(), 2);
    index.delete(&b);
    assert_eq!(index.failing(&key("r.test")).len(), 1);
    assert_eq!(index.keys(), BTreeSet::from([key("r.test")]));
}

#[test]
fn a_pod_with_images_of_two_registries_is_under_both() {
    let mut both = pod("a", IMAGE, &just_failed());
    both.spec.containers.push(target::pod::Container {
        name: "d".to_owned(),
        image: "nginx".to_owned(),
        ..Default::default()
    });
    let mut status = both.status.container_statuses[0].clone();
    status.name = "d".to_owned();
    both.status.container_statuses.push(status);
    let mut index = Index::default();
    check_changes(&index.apply(&both), &["docker.io", "r.test"]);
    for registry in ["docker.io", "r.test"] {
        let [pod] = index.failing(&key(registry)).try_into().unwrap();
        let images: Vec<&str> = pod.waits.iter().map(|wait| wait.image.as_str()).collect();
        assert_eq!(images, if registry == "r.test" { [IMAGE] } else { ["nginx"] });
    }
    check_changes(&index.delete(&both), &["docker.io", "r.test"]);
}

#[test]
fn registries_are_told_apart_by_namespace() {
    let mut elsewhere = pod("b", IMAGE, &just_failed());
    elsewhere.metadata.namespace = Some("data".to_owned());
    let mut index = index();
    index.apply(&elsewhere);
    assert_eq!(index.keys().len(), 2);
    assert_eq!(index.failing(&key("r.test")).len(), 1);
}

/// Marks pod `a` as recovered while the kubelet is in this state.
fn recovered_while(state: &Value) -> Index {
    let mut index = index();
    index.apply(&pod("a", IMAGE, state));
    index.mark_recovered(["a", "unknown"].into_iter(), IMAGE);
    assert!(index.failing(&key("r.test")).is_empty());
    index
}

#[test]
fn a_recovered_pod_is_hidden_until_an_attempt_after_a_back_off_fails() {
    let mut index = recovered_while(&backing_off());
    check(&mut index, &backing_off(), &[], false);
    check(&mut index, &just_failed(), &["r.test"], true);

    let mut index = recovered_while(&just_failed());
    check(&mut index, &just_failed(), &[], false);
    check(&mut index, &backing_off(), &[], false);
    check(&mut index, &just_failed(), &["r.test"], true);
    check(&mut index, &backing_off(), &[], true);
}

#[test]
fn a_recovered_pod_that_fails_in_another_way_fails() {
    let mut index = recovered_while(&backing_off());
    check(&mut index, &waiting("ErrImagePull", "404 Not Found"), &["r.test"], true);
}

#[test]
fn a_recovered_pod_that_starts_is_removed() {
    let mut index = recovered_while(&backing_off());
    check(&mut index, &creating(), &[], false);
    check(&mut index, &running(), &["r.test"], false);
    assert!(index.pods.is_empty() && index.keys().is_empty());
}

#[test]
fn only_the_recovered_image_is_hidden() {
    let mut index = index();
    index.mark_recovered(std::iter::once("a"), "r.test/another:1");
    assert_eq!(index.failing(&key("r.test")).len(), 1);
}

#[test]
fn a_back_off_without_a_cause_is_no_change() {
    let mut index = index();
    let bare = waiting("ImagePullBackOff", &format!("Back-off pulling image \"{IMAGE}\""));
    check(&mut index, &bare, &[], true);
    check(&mut index, &just_failed(), &[], true);
}

#[test]
fn a_pod_that_ran_before_and_waits_again_stays() {
    let mut a = pod("a", IMAGE, &just_failed());
    a.status.container_statuses[0].last_state.terminated =
        Some(crate::target::pod::Terminated::default());
    let mut index = Index::default();
    index.apply(&a);
    a.status.container_statuses[0].state = serde_json::from_value(creating()).unwrap();
    check_changes(&index.apply(&a), &[]);
    assert_eq!(index.failing(&key("r.test")).len(), 1);
}

#[test]
fn before_the_first_list_ends_the_index_is_not_complete() {
    let mut index = Index::default();
    assert!(!index.is_complete("shop"));
    index.list_begins(&None);
    index.apply(&pod("a", IMAGE, &just_failed()));
    assert!(!index.is_complete("shop"));
    index.list_ends(&None);
    assert!(index.is_complete("shop"));
    index.list_begins(&None);
    assert!(index.is_complete("shop"), "a later list keeps what is known");
}

#[test]
fn a_namespaces_list_is_about_its_own_pods() {
    let mut index = Index::default();
    let (shop, data) = (Some("shop".to_owned()), Some("data".to_owned()));
    index.list_begins(&shop);
    index.apply(&pod("one", IMAGE, &just_failed()));
    index.list_ends(&shop);
    assert!(index.is_complete("shop") && !index.is_complete("data"));
    index.list_begins(&data);
    check_changes(&index.list_ends(&data), &[]);
    assert!(index.is_complete("data"));
    index.list_begins(&shop);
    check_changes(&index.list_ends(&shop), &["r.test"]);
}
