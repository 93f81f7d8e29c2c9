//! Events as the API server keeps them: made once, and renewed while a failure lasts.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use registrycheck::api::ConditionStatus;
use registrycheck::{publish, report};

use super::installed;
use crate::ground::Namespace;

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_lasts_is_said_again_in_the_same_event() {
    installed();
    let namespace = Namespace::new("lasting").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    let check = namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    let lasting = report::lasting(&check, check.status.as_ref().unwrap()).unwrap();
    let api: Api<Event> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let said = api.get(&lasting.name).await.expect("the Event that the controller wrote");
    assert_eq!(said.note.as_deref(), Some(&*lasting.note));
    let now = check.status.as_ref().unwrap().last_probe_time.unwrap();
    let announce = || publish::announce(&namespace.client, &check, &lasting, "test", now);
    announce().await.expect("what is said already is success");
    for count in [2, 3] {
        publish::renew(&namespace.client, &check, &lasting, "test", now, count).await.unwrap();
        assert_eq!(api.get(&lasting.name).await.unwrap().series.unwrap().count, count);
    }
    // Events live an hour: one that has faded is made anew.
    api.delete(&lasting.name, &kube::api::DeleteParams::default()).await.unwrap();
    publish::renew(&namespace.client, &check, &lasting, "test", now, 4).await.unwrap();
    assert_eq!(api.get(&lasting.name).await.unwrap().series.unwrap().count, 4);
    assert_eq!(namespace.events_of("refused.test").await.len(), 1);
}
