use serde_json::{Value, json};

use super::*;

const MESSAGE: &str = "failed to pull and unpack image \"r.test/shop/api:1\": 401 Unauthorized";

/// A pod whose only container waits for `r.test/shop/api:1`.
fn pod() -> Value {
    json!({
        "metadata": {
            "name": "api-1",
            "namespace": "shop",
            "uid": "uid-1",
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-6d4c", "uid": "2", "controller": true},
            ],
        },
        "spec": {
            "imagePullSecrets": [{"name": "regcred"}],
            "containers": [{"name": "c", "image": "r.test/shop/api:1"}],
        },
        "status": {"containerStatuses": [{"name": "c", "state": waiting("ErrImagePull", MESSAGE)}]},
    })
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn read(pod: Value) -> PodState {
    read_pod(&serde_json::from_value::<Pod>(pod).unwrap())
}

/// The valid pod with one change.
fn changed(change: impl FnOnce(&mut Value)) -> PodState {
    let mut pod = pod();
    change(&mut pod);
    read(pod)
}

/// The images that a changed pod waits for.
#[track_caller]
fn check(change: impl FnOnce(&mut Value), waits: &[&str]) {
    let state = changed(change);
    let images: Vec<&str> = state.failing.waits.iter().map(|wait| wait.image.as_str()).collect();
    assert_eq!(images, waits);
}

#[track_caller]
fn check_started(change: impl FnOnce(&mut Value), images: &[&str]) {
    assert_eq!(changed(change).started, images);
}

#[test]
fn a_container_that_waits_for_its_image_fails() {
    let PodState { failing, started, images } = changed(|_| {});
    assert_eq!(failing.namespace, "shop");
    assert_eq!(failing.pull_secrets, ["regcred"]);
    assert_eq!(failing.pod.workload, "replicaset/api-6d4c");
    let cause = MESSAGE.to_owned();
    let wait = Wait {
        container: "c".to_owned(),
        image: "r.test/shop/api:1".to_owned(),
        complaint: Complaint::PullFailed { cause },
        fresh: true,
    };
    assert_eq!(failing.waits, [wait]);
    assert_eq!(started, [""; 0]);
    assert_eq!(images, ["r.test/shop/api:1"]);
}

#[test]
fn containers_of_every_kind_are_read() {
    check(
        |pod| {
            pod["spec"]["initContainers"] = json!([{"name": "i", "image": "r.test/init"}]);
            pod["status"]["initContainerStatuses"] =
                json!([{"name": "i", "state": waiting("ImagePullBackOff", "")}]);
            pod["status"]["containerStatuses"][0]["state"] = waiting("PodInitializing", "");
        },
        &["r.test/init"],
    );
    check(
        |pod| {
            pod["spec"]["ephemeralContainers"] = json!([{"name": "e", "image": "r.test/debug"}]);
            pod["status"]["phase"] = json!("Running");
            pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
            pod["status"]["ephemeralContainerStatuses"] =
                json!([{"name": "e", "state": waiting("ErrImagePull", "no")}]);
        },
        &["r.test/debug"],
    );
}

#[test]
fn a_pod_that_waits_for_no_image_does_not_fail() {
    for reason in ["ContainerCreating", "PodInitializing", "CrashLoopBackOff"] {
        check(
            |pod| pod["status"]["containerStatuses"][0]["state"] = waiting(reason, "something"),
            &[],
        );
    }
    check(|pod| pod["status"] = json!({}), &[]);
    check(|pod| pod["spec"]["containers"][0]["name"] = json!("other"), &[]);
}

#[test]
fn one_image_in_two_containers_that_fail_alike_is_waited_for_once() {
    check(
        |pod| {
            let image = "r.test/shop/api:1";
            pod["spec"]["containers"] =
                json!([{"name": "c", "image": image}, {"name": "d", "image": image}]);
            let state = waiting("ErrImagePull", MESSAGE);
            pod["status"]["containerStatuses"] =
                json!([{"name": "c", "state": state}, {"name": "d", "state": state}]);
        },
        &["r.test/shop/api:1"],
    );
}

/// A pod whose container mounts an image volume, with these words of the kubelet.
fn with_image_volume(pod: &mut Value, reference: &str, message: &str) {
    pod["spec"]["volumes"] =
        json!([{"name": "data"}, {"name": "model", "image": {"reference": reference}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data"}, {"name": "model"}]);
    pod["status"]["containerStatuses"][0]["state"] = waiting("ErrImagePull", message);
}

#[test]
fn an_image_volumes_failure_is_about_the_volumes_image() {
    let table = [
        ("m.test/model:2", "failed to pull image \"m.test/model:2\": no", "m.test/model:2"),
        ("m.test/model", "failed to resolve \"m.test/model:latest\": no", "m.test/model"),
        ("busybox", "failed \"docker.io/library/busybox:latest\": no", "busybox"),
        ("m.test/model:2", "no image is named here", "r.test/shop/api:1"),
        ("m.test/model:2", "failed to pull image \"m.test/model:20\": no", "r.test/shop/api:1"),
        ("m.test/model:2", "\"r.test/shop/api:1\" and \"m.test/model:2\"", "r.test/shop/api:1"),
    ];
    for (volume, message, at_fault) in table {
        check(|pod| with_image_volume(pod, volume, message), &[at_fault]);
    }
}

#[test]
fn a_volume_that_the_container_does_not_mount_is_not_at_fault() {
    check(
        |pod| {
            with_image_volume(pod, "m.test/model:2", "failed \"m.test/model:2\"");
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data"}]);
        },
        &["r.test/shop/api:1"],
    );
}

#[test]
fn an_image_is_started_with_its_container_and_so_is_what_that_mounts() {
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    let ended = json!({"terminated": {"startedAt": "2026-01-01T00:00:00Z", "exitCode": 1}});
    check_started(|_| {}, &[]);
    check_started(
        |pod| pod["status"]["containerStatuses"][0]["state"] = running.clone(),
        &["r.test/shop/api:1"],
    );
    check_started(
        |pod| {
            pod["status"]["containerStatuses"][0]["state"] = waiting("CrashLoopBackOff", "");
            pod["status"]["containerStatuses"][0]["lastState"] = ended;
        },
        &["r.test/shop/api:1"],
    );
    check_started(
        |pod| {
            with_image_volume(pod, "m.test/model:2", "");
            pod["status"]["containerStatuses"][0]["state"] = running;
        },
        &["r.test/shop/api:1", "m.test/model:2"],
    );
}

#[test]
fn pull_secrets_keep_their_order_and_empty_names_are_passed_over() {
    let state = changed(|pod| {
        pod["spec"]["imagePullSecrets"] = json!([{"name": "b"}, {"name": ""}, {}, {"name": "a"}]);
    });
    assert_eq!(state.failing.pull_secrets, ["b", "a"]);
}

#[test]
fn a_pod_without_controller_is_its_own_workload() {
    let state = changed(|pod| pod["metadata"]["ownerReferences"][1]["controller"] = json!(false));
    assert_eq!(state.failing.pod.workload, "api-1");
}

#[test]
fn the_registry_of_an_image() {
    let table = [
        ("r.test/shop/api:1", "r.test"),
        ("R.Test:5000/shop/api", "r.test:5000"),
        ("nginx", "docker.io"),
        ("bitnami/redis", "docker.io"),
        ("index.docker.io/library/nginx", "docker.io"),
        ("localhost/a", "localhost"),
        ("my_reg.test/shop/api", "docker.io"),
        ("hub.docker.com/r/library/nginx", "docker.io"),
        ("registry-1.docker.io/library/nginx", "docker.io"),
        ("my_reg.test/Shop/api", "docker.io"),
        ("r.test/Shop/API:1", "r.test"),
        ("Shop/api:1:2", "docker.io"),
        ("{{ .Values.image }}", "docker.io"),
        ("r.test:99999/a", "docker.io"),
        ("", "docker.io"),
    ];
    for (image, registry) in table {
        assert_eq!(registry_of(image).as_str(), registry, "{image:?}");
    }
}

fn spec(spec: Value) -> RegistryCheckSpec {
    serde_json::from_value(spec).unwrap()
}

/// Pod `n`, as the index keeps it.
fn failing(n: usize, message: &str) -> FailingPod {
    let state = changed(|pod| {
        pod["metadata"]["name"] = json!(format!("api-{n:04}"));
        pod["metadata"]["uid"] = json!(format!("uid-{n}"));
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = json!(message);
    });
    state.failing
}

/// How many pods each target has.
#[track_caller]
fn check_targets(spec: &RegistryCheckSpec, failing: &[FailingPod], pods: &[usize]) {
    let mut reversed = failing.to_vec();
    reversed.reverse();
    let count = |targets: Vec<Target>| -> Vec<usize> {
        targets.iter().map(|target| target.pods.len()).collect()
    };
    assert_eq!(count(targets(spec, failing)), pods);
    assert_eq!(count(targets(spec, &reversed)), pods, "in another order");
}

#[test]
fn a_thousand_pods_that_fail_alike_are_one_target() {
    let spec = spec(json!({"registry": "r.test"}));
    let pods: Vec<_> = (0..1_000)
        .map(|n| failing(n, &format!("dial tcp: read 10.0.0.1:{}: 401", 40_000 + n)))
        .collect();
    check_targets(&spec, &pods, &[1_000]);
    let [target] = targets(&spec, &pods).try_into().unwrap();
    assert!(target.pods.is_sorted());
    assert!(target.fresh);
}

#[test]
fn pods_that_differ_in_cause_or_secrets_are_different_targets() {
    let spec = spec(json!({"registry": "r.test"}));
    let mut pods = vec![failing(0, "401"), failing(1, "401"), failing(2, "404")];
    check_targets(&spec, &pods, &[2, 1]);
    pods[1].pull_secrets.clear();
    check_targets(&spec, &pods, &[1, 1, 1]);
}

#[test]
fn a_pod_counts_once_however_many_containers_wait_alike() {
    let mut pod = failing(0, "401");
    pod.waits.push(Wait { container: "d".to_owned(), ..pod.waits[0].clone() });
    check_targets(&spec(json!({"registry": "r.test"})), &[pod], &[1]);
}

#[test]
fn only_waits_for_the_checks_registry_are_its_targets() {
    let pods = [failing(0, "401")];
    check_targets(&spec(json!({"registry": "other.test"})), &pods, &[]);
    let mut upper = failing(0, "401");
    upper.waits[0].image = "R.TEST/shop/api:1".to_owned();
    check_targets(&spec(json!({"registry": "r.test"})), &[upper], &[1]);
    let mut hub = failing(0, "401");
    hub.waits[0].image = "nginx".to_owned();
    let mut invalid = failing(1, "401");
    invalid.waits[0].image = "{{ image }}".to_owned();
    check_targets(&spec(json!({"registry": "docker.io"})), &[hub, invalid], &[1, 1]);
}

#[test]
fn a_target_is_fresh_while_one_of_its_pods_has_just_failed() {
    let spec = spec(json!({"registry": "r.test"}));
    let stale = |n| {
        let mut pod = failing(n, "401");
        pod.waits[0].fresh = false;
        pod
    };
    let fresh = |pods: &[FailingPod]| targets(&spec, pods)[0].fresh;
    assert!(!fresh(&[stale(0), stale(1)]));
    assert!(fresh(&[stale(0), failing(1, "401")]));
    assert!(fresh(&[failing(0, "401"), stale(1)]));
}

#[test]
fn the_images_of_a_check_are_targets_without_pods() {
    let sources = [
        (json!({}), SecretSource::Account("default".to_owned())),
        (json!({"serviceAccountName": "robot"}), SecretSource::Account("robot".to_owned())),
        (
            json!({"serviceAccountName": "robot", "imagePullSecrets": [{"name": "b"}, {"name": "a"}]}),
            SecretSource::Listed(vec!["b".to_owned(), "a".to_owned()]),
        ),
    ];
    for (mut given, secrets) in sources {
        given["registry"] = json!("r.test");
        given["images"] = json!(["r.test/a", "r.test/a", "r.test/b"]);
        let targets = targets(&spec(given), &[]);
        let images: Vec<&str> = targets.iter().map(|target| target.image.as_str()).collect();
        assert_eq!(images, ["r.test/a", "r.test/b"]);
        for target in targets {
            assert_eq!((target.secrets, target.complaint), (secrets.clone(), None));
            assert!(!target.fresh && target.pods.is_empty());
        }
    }
}

#[test]
fn a_container_that_never_ran_is_not_started_when_its_pod_ends() {
    let unknown = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": null, "finishedAt": null}});
    check_started(|pod| pod["status"]["containerStatuses"][0]["state"] = unknown, &[]);
}

#[test]
fn an_image_changed_in_place_has_not_started() {
    let ended = json!({"terminated": {"startedAt": "2026-01-01T00:00:00Z", "exitCode": 1}});
    check_started(|pod| pod["status"]["containerStatuses"][0]["lastState"] = ended, &[]);
}

#[test]
fn a_wait_is_fresh_where_one_of_its_containers_has_just_failed() {
    let state = changed(|pod| {
        let image = "r.test/shop/api:1";
        pod["spec"]["containers"] =
            json!([{"name": "c", "image": image}, {"name": "d", "image": image}]);
        let back_off =
            format!("Back-off pulling image \"r.test/shop/api:1\": ErrImagePull: {MESSAGE}");
        pod["status"]["containerStatuses"] = json!([
            {"name": "c", "state": waiting("ImagePullBackOff", &back_off)},
            {"name": "d", "state": waiting("ErrImagePull", MESSAGE)},
        ]);
    });
    assert!(state.failing.waits[0].fresh);
}

#[test]
fn nodes_with_other_addresses_fail_alike() {
    let spec = spec(json!({"registry": "r.test"}));
    let pods = [
        failing(0, "read tcp 10.0.0.5:40112->10.0.0.20:443: connection reset by peer"),
        failing(1, "read tcp 10.0.0.105:40998->10.0.0.20:443: connection reset by peer"),
    ];
    check_targets(&spec, &pods, &[2]);
}

#[test]
fn correlation_ids_do_not_make_two_causes() {
    let spec = spec(json!({"registry": "r.test"}));
    let pods = [
        failing(0, "401 Unauthorized, correlationId: 5c8eab12-77a0-4a0c-9e3b-0d1f2a3b4c5d"),
        failing(1, "401 Unauthorized, correlationId: d0a7fe00-1b2c-4d3e-8f90-a1b2c3d4e5f6"),
    ];
    check_targets(&spec, &pods, &[2]);
}

#[test]
fn what_makes_a_pod_again_is_told_by_its_owner() {
    let restartable = |workload: &str| {
        let (name, uid) = ("app".to_owned(), "1".to_owned());
        PodRef { name, uid, workload: workload.to_owned(), node: String::new() }.restartable()
    };
    assert_eq!(restartable("replicaset/api-6d4cf56db6").as_deref(), Some("deployment/api"));
    assert_eq!(restartable("daemonset/agent").as_deref(), Some("daemonset/agent"));
    for other in ["replicaset/my-own", "job/load-1", "app"] {
        assert_eq!(restartable(other), None, "{other}");
    }
}

/// A pod of a service account is another target than one without: the account's secrets matter.
#[test]
fn a_pods_account_is_read() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "app"},
        "spec": {"serviceAccountName": "robot", "imagePullSecrets": [{"name": "regcred"}]},
    }))
    .unwrap();
    let (listed, account) = (vec!["regcred".to_owned()], "robot".to_owned());
    assert_eq!(read_pod(&pod).failing.secrets(), SecretSource::Pod { listed, account });
}
