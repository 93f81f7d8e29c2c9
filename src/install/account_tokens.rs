//! The right to make tokens of service accounts, for those whose pods pull with an identity of
//! their own: in the account's namespace, for the account by its name, and nowhere else.
//!
//! Who may make a token of an account may do what the account may. So there is none for all of a
//! cluster, and an account that is for pulling alone is the one to name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::AccountTokens;
use crate::resolve::account_token::AUDIENCE;
use crate::resolve::azure::{self, AccountName};

use super::{NAME, labels, rights};

/// A role and its binding in each namespace that has one of the accounts.
pub(super) fn objects(tokens: &AccountTokens) -> Vec<Value> {
    let mut namespaces: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for AccountName { namespace, name } in &tokens.accounts {
        namespaces.entry(namespace).or_default().push(name);
    }
    let of_namespace = |(namespace, accounts): (&str, Vec<&str>)| {
        let name = format!("{NAME}-account-tokens");
        let metadata = json!({"name": name, "namespace": namespace, "labels": labels()});
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{
                "apiGroups": [""],
                "resources": ["serviceaccounts/token"],
                "resourceNames": accounts,
                "verbs": ["create"],
            }],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": rights::subjects(),
        });
        [role, binding]
    };
    namespaces.into_iter().flat_map(of_namespace).collect()
}

/// What the controller is started with.
pub(super) fn arguments(tokens: &AccountTokens) -> Vec<String> {
    let AccountTokens { accounts, audience, cloud } = tokens;
    let mut arguments: Vec<String> =
        accounts.iter().map(|account| format!("--token-for={account}")).collect();
    if audience != AUDIENCE {
        arguments.push(format!("--token-audience={audience}"));
    }
    if azure::names().next() != Some(cloud.name.as_str()) {
        arguments.push(format!("--azure-cloud={}", cloud.name));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::{arguments, objects};
    use crate::controller::AccountTokens;
    use crate::resolve::azure::{AccountName, named};

    #[test]
    fn each_namespace_has_a_right_for_the_accounts_by_their_names() {
        let accounts = ["shop/robot", "data/job", "shop/api"];
        let accounts = accounts.map(|account| AccountName::parse(account).unwrap());
        let (audience, cloud) = ("api://other".to_owned(), named("AzureChinaCloud").unwrap());
        let tokens = AccountTokens { accounts: accounts.into(), audience, cloud };
        let objects = objects(&tokens);
        let kinds: Vec<_> = objects
            .iter()
            .map(|object| [&object["kind"], &object["metadata"]["namespace"]])
            .map(|[kind, namespace]| (kind.as_str().unwrap(), namespace.as_str().unwrap()))
            .collect();
        let expected =
            [("Role", "data"), ("RoleBinding", "data"), ("Role", "shop"), ("RoleBinding", "shop")];
        assert_eq!(kinds, expected);
        let rule = &objects[2]["rules"][0];
        assert_eq!(rule["resources"][0], "serviceaccounts/token");
        assert_eq!(rule["resourceNames"], serde_json::json!(["api", "robot"]));
        assert_eq!(rule["verbs"], serde_json::json!(["create"]));
        assert_eq!(
            arguments(&tokens),
            [
                "--token-for=data/job",
                "--token-for=shop/api",
                "--token-for=shop/robot",
                "--token-audience=api://other",
                "--azure-cloud=AzureChinaCloud"
            ]
        );
    }
}
