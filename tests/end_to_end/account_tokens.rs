//! Tokens of service accounts: the controller makes them where it may, and nowhere else.

use std::collections::BTreeSet;

use registrycheck::controller::AccountTokens;
use registrycheck::install::{self, Options};
use registrycheck::resolve::account_token::AUDIENCE;
use registrycheck::resolve::azure::{self, AccountName};
use serde_json::{Value, json};

use super::installed;
use crate::ground::{Namespace, apply, eventually, kubectl, pod, ready, try_kubectl};

const CONTROLLER: &str = "system:serviceaccount:registrycheck:registrycheck";
const NAMESPACE: &str = "account-tokens";

/// What `registrycheck manifests --token-for` has for the namespace of the accounts.
fn rights(accounts: &[&str]) -> Vec<Value> {
    let named = |account: &&str| AccountName::parse(&format!("{NAMESPACE}/{account}")).unwrap();
    let tokens = AccountTokens {
        accounts: accounts.iter().map(named).collect::<BTreeSet<_>>(),
        audience: AUDIENCE.to_owned(),
        cloud: azure::named("AzureCloud").unwrap(),
    };
    let options = Options { account_tokens: Some(tokens), ..Options::default() };
    let objects = install::manifests(&options).into_iter();
    objects.filter(|object| object["metadata"]["namespace"] == NAMESPACE).collect()
}

/// The controller is told of the accounts robot and barred, and may make tokens of robot alone.
/// There is no Azure here, so that each token comes as far as a name that nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_for_an_account_that_is_named_and_for_no_other() {
    installed();
    let namespace = Namespace::new(NAMESPACE).await;
    let rights = rights(&["robot"]);
    assert_eq!(rights.len(), 2);
    apply(&rights);
    let accounts = ["robot", "barred", "unlisted"];
    for account in accounts {
        let annotations = json!({
            azure::CLIENT_ID: format!("app-of-{account}"),
            azure::TENANT_ID: "00000000-1111-2222-3333-444444444444",
        });
        namespace.create(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": account, "annotations": annotations},
        }));
        let may = account == "robot";
        let token = ["create", "token", account, "-n", NAMESPACE, "--as", CONTROLLER];
        let made = || async { (try_kubectl(&token, "").0 == may).then_some(()) };
        eventually(&format!("whether it may make a token of {account} to be {may}"), made).await;
        let image = format!("{account}.azurecr.io/shop/api:v1");
        let mut pod = pod(account, &image, &[]);
        pod["spec"]["serviceAccountName"] = json!(account);
        namespace.create(pod);
    }
    for account in accounts {
        let name = format!("{account}.azurecr.io");
        let check = eventually(&name, || async {
            let check = namespace.check(&name).await?;
            let is_probed = check.status.as_ref()?.last_probe_time.is_some();
            (is_probed && ready(&check).is_some()).then_some(check)
        })
        .await;
        let probes = check.status.unwrap().probes;
        let identity = format!("identity app-of-{account} of service account {account}");
        let row = probes.iter().find(|row| row.credential == identity);
        assert_eq!(row.is_some(), account == "robot", "{probes:?}");
        if let Some(row) = row {
            let met = "login.microsoftonline.com: no such host";
            assert!(row.steps.contains(met), "{}", row.steps);
        }
    }
    let everything =
        ["logs", "-n", install::NAME, "-l", "app.kubernetes.io/name=registrycheck", "--tail=-1"];
    let logs = kubectl(&everything);
    let objects = kubectl(&["get", "registrychecks,events", "-n", NAMESPACE, "-o", "json"]);
    assert!(logs.contains("starting") && objects.contains("robot.azurecr.io"));
    // Every token of a service account begins so: {"alg":
    for text in [logs, objects] {
        assert!(!text.contains("eyJhbGci"), "a token is in {text}");
    }
}
