use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::node::{NAMESPACE, OWNER_OF_THE_FILE, Opened};
use crate::probe::targets::Targets;

fn shape() -> Shape {
    Shape {
        namespace: NAMESPACE.to_owned(),
        image: "own.test/registrycheck:1".to_owned(),
        user: OWNER_OF_THE_FILE,
        host_network: false,
        opened: Opened::default(),
        targets: Targets::default(),
    }
}

fn read_status(status: &Value, events: &[(&str, &str)]) -> Progress {
    let pod = json!({
        "metadata": {}, "spec": {"containers": [], "nodeName": "node-1"}, "status": status,
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let place = Place::Node("node-1".to_owned());
    let asked = "r.test/a:1";
    let timeout = Duration::from_secs(20);
    let question = Question { asked, place: &place, platform: None, timeout, as_identity: true };
    let events: Vec<(String, String)> =
        events.iter().map(|(reason, words)| ((*reason).to_owned(), (*words).to_owned())).collect();
    read(&pod, &events, &shape(), &question, &ImageRef::parse(asked).unwrap())
}

#[track_caller]
fn check_skipped(status: &Value, events: &[(&str, &str)], reason: &str, remedy: &str) {
    match read_status(status, events) {
        Progress::Skipped(skipped) => {
            assert!(skipped.reason.contains(reason), "{}", skipped.reason);
            assert!(skipped.remedy.contains(remedy), "{}", skipped.remedy);
            assert!(!skipped.reason.ends_with('.'), "{}", skipped.reason);
        }
        other => panic!("{other:?}"),
    }
}

fn container(state: &Value) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{
        "name": "node-probe", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": state,
    }]})
}

/// The words are those of Kubernetes 1.35.
#[test]
fn every_way_to_come_to_nothing_says_why() {
    let waiting = |reason: &str, message: &str| {
        container(&json!({"waiting": {"reason": reason, "message": message}}))
    };
    let pull = waiting("ErrImagePull", "failed to pull and unpack image: not found");
    check_skipped(
        &pull,
        &[],
        "cannot pull the node probe's own image own.test",
        "--node-probe-image",
    );
    let config = waiting(
        "CreateContainerConfigError",
        "container has runAsNonRoot and image will run as root",
    );
    check_skipped(&config, &[], "cannot start the node probe: container has runAsNonRoot", "");
    let creating = waiting("ContainerCreating", "");
    let no_file = "MountVolume.SetUp failed for volume \"azure\" : hostPath type check failed: \
                   /etc/kubernetes/azure.json is not a file";
    check_skipped(
        &creating,
        &[("FailedMount", no_file)],
        "node node-1 has no file",
        "--no-node-probe",
    );
    let other = "MountVolume.SetUp failed for volume \"ca\" : timed out";
    check_skipped(&creating, &[("FailedMount", other)], "cannot mount what", "");
    let unschedulable = json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
    }]});
    check_skipped(&unschedulable, &[], "scheduled to node node-1: 0/1 nodes are available", "");
    let late = json!({"phase": "Failed", "reason": "DeadlineExceeded",
        "message": "Pod was active on the node longer than the specified deadline"});
    check_skipped(&late, &[], "did not end within 65 s", "");
    check_skipped(&late, &[("FailedMount", no_file)], "has no file", "");
    let evicted = json!({"phase": "Failed", "reason": "OutOfmemory", "message": "Node didn't have enough resource"});
    check_skipped(&evicted, &[], "does not run the pod of the node probe (OutOfmemory)", "");
    let memory = container(&json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}));
    check_skipped(&memory, &[], "ran out of memory", "");
    let broken =
        container(&json!({"terminated": {"exitCode": 2, "message": "registrycheck: no\nfile"}}));
    check_skipped(&broken, &[], "ended with status 2: registrycheck: no file", "");
    let hostile = container(&json!({"terminated": {"exitCode": 0, "message": "{}"}}));
    check_skipped(&hostile, &[], "is not understood: its result is none", "--node-probe-image");
}

#[test]
fn what_goes_on_is_waited_for() {
    let creating = container(&json!({"waiting": {"reason": "ContainerCreating"}}));
    let running = container(&json!({"running": {}}));
    let conditions = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"},
    ]});
    for (status, expected) in [
        (json!({"phase": "Pending"}), "for node node-1 to start it"),
        (conditions, "for node node-1 to start it"),
        (creating, "for node node-1 to start it"),
        (running, "for the probe on node node-1"),
    ] {
        assert_eq!(read_status(&status, &[]), Progress::Waits(expected.to_owned()), "{status}");
    }
}

#[test]
fn a_refusal_is_told_from_another() {
    let namespace = "registrycheck-node-probe";
    for (code, message, reason, remedy) in [
        (404, "namespaces \"x\" not found", "there is no namespace", "registrycheck manifests"),
        (
            403,
            "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1",
            "a quota of",
            "resourcequota",
        ),
        (
            403,
            "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": hostPath volumes",
            "Pod Security does not allow",
            "pod-security.kubernetes.io/enforce=privileged",
        ),
        (
            422,
            "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'registrycheck-node-probe' with binding",
            "own admission policy",
            "--node-probe options",
        ),
        (
            403,
            "pods is forbidden: User \"u\" cannot create resource \"pods\"",
            "may not create",
            "role",
        ),
        (
            403,
            "admission webhook \"validation.gatekeeper.sh\" denied the request: no hostPath",
            "no hostPath",
            "Except namespace",
        ),
        (
            500,
            "failed calling webhook \"w\"",
            "(500 InternalError): failed calling",
            "--no-node-probe",
        ),
    ] {
        let word = if code == 500 { "InternalError" } else { "Forbidden" };
        let skipped = refused(&shape(), Refusal { code, reason: word, message });
        assert!(skipped.reason.contains(reason), "{}", skipped.reason);
        assert!(skipped.remedy.contains(remedy), "{}", skipped.remedy);
        assert!(code != 403 || message.contains("quota") || !skipped.remedy.is_empty());
    }
    assert_eq!(shape().namespace, namespace);
    let any = Place::Any(BTreeMap::from([("pool".to_owned(), "blue".to_owned())]));
    assert_eq!(any.in_words(), "a node with pool=blue");
}
