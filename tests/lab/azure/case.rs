//! A case of the Azure lab, as its file tells it: a node, its identities, a registry, and
//! what must come out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::case::{self, Secret};
use crate::ground;

/// For whom Entra ID takes tokens of service accounts.
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The tenant of all identities that name none.
const TENANT: &str = "5c3b1a70-0d4e-4b9c-8f6a-2e7d9c105a11";
/// The service account of the pod, where a case has one of its own.
const ACCOUNT: &str = "puller";

/// One way of pulling from a registry of Azure, or of failing to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    /// Its name. `{registry}` is that without hyphens, `{host}` is `{registry}.azurecr.io`,
    /// `{client}` and `{tenant}` are the ids of its identity.
    pub(crate) name: String,
    /// The rule that it shows, with the source of that rule.
    pub(crate) shows: String,
    /// The row of the documentation that it reproduces.
    pub(crate) page: String,
    /// Why we do not come to what is expected yet.
    pub(crate) open: Option<String>,
    /// The registry's host, where it is another one.
    host: Option<String>,
    /// Fields of azure.json beside the usual ones; one that is null is left out.
    #[serde(default)]
    node: Map<String, Value>,
    /// The environment of a cloud that is called `AzureStackCloud`.
    environment: Option<Value>,
    /// Whether the node's provider gets tokens of service accounts.
    #[serde(default)]
    service_account_tokens: bool,
    /// The identities, as `identity` in `tests/cluster/ground/azure.go` has them; one that the
    /// node has, where they are left out.
    identities: Option<Vec<Map<String, Value>>>,
    /// What is wrong with the registry: `misbehaving` and, in `azure`, `azureRegistry`.
    #[serde(default)]
    registry: Map<String, Value>,
    /// What is wrong with the host that has its blobs.
    #[serde(default)]
    data: Map<String, Value>,
    /// Other hosts, each with its name.
    #[serde(default)]
    others: Vec<Map<String, Value>>,
    #[serde(default)]
    secrets: Vec<Secret>,
    /// The annotations of the pod's service account.
    account: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pod: Pod,
    /// What must come out.
    pub(crate) expect: Expected,
}

/// The pod.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pod {
    /// `{host}/shop/api:v1` where it is not given.
    image: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
}

/// What has to come out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Expected {
    /// The code of the first finding: one of these.
    pub(crate) codes: Vec<String>,
    /// Codes that have to be among the others.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// Whether the kubelet pulls the image, and what we have to say of it.
    pub(crate) pulls: bool,
    /// Whether we may leave it undecided.
    #[serde(default)]
    pub(crate) undecided: bool,
    /// What `az aks check-acr` comes to: `success`, or the step at which it fails.
    pub(crate) check_acr: String,
    /// Whether we do not go its way: it looks at no pull secret and no service account, and
    /// sends a token to any host.
    #[serde(default)]
    pub(crate) untried: bool,
    /// How sure the finding has to be.
    pub(crate) confidence: Option<String>,
    /// What the message has to contain.
    pub(crate) says: Option<String>,
    /// What the remedy has to contain.
    pub(crate) remedy: Option<String>,
}

/// All cases, in the order of their files.
pub(crate) fn read_all() -> Vec<Case> {
    case::read_from("tests/azure/cases", |name, text| {
        let registry = name.replace('-', "");
        text.replace("{host}", &format!("{registry}.azurecr.io"))
            .replace("{registry}", &registry)
            .replace("{client}", &client_of(name))
            .replace("{tenant}", TENANT)
            .replace("{namespace}", &namespace_of(name))
    })
}

/// The client id of a case's identity.
fn client_of(name: &str) -> String {
    let digest = Sha256::digest(name);
    let end = digest.iter().take(6).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("0a0b0c0d-1111-4222-8333-{end:012x}")
}

fn namespace_of(name: &str) -> String {
    format!("lab-{name}")
}

impl Case {
    /// The namespace of the case.
    pub(crate) fn namespace(&self) -> String {
        namespace_of(&self.name)
    }

    /// The registry's host.
    pub(crate) fn host(&self) -> String {
        let ordinary = || format!("{}.azurecr.io", self.name.replace('-', ""));
        self.host.clone().unwrap_or_else(ordinary)
    }

    /// The first label of the image's host, by which a node of the lab knows the case.
    pub(crate) fn registry_name(&self) -> String {
        let image = self.image();
        image.split(['.', '/']).next().unwrap_or_default().to_owned()
    }

    /// The image that the case is about.
    pub(crate) fn image(&self) -> String {
        self.pod.image.clone().unwrap_or_else(|| format!("{}/shop/api:v1", self.host()))
    }

    /// Whether the pod's service account gets its own identity.
    pub(crate) fn uses_account(&self) -> bool {
        self.service_account_tokens
    }

    /// Whether nothing in a question to the metadata service tells whose it is.
    pub(crate) fn runs_alone(&self) -> bool {
        let config = self.azure_config();
        let id = config["userAssignedIdentityID"].as_str().unwrap_or_default();
        config["useManagedIdentityExtension"] == true && id.is_empty()
    }

    /// The host that has the registry's blobs.
    pub(crate) fn data_host(&self) -> String {
        let (registry, suffix) = self.host().split_once('.').map_or_else(
            || (self.host(), "azurecr.io".to_owned()),
            |(registry, suffix)| (registry.to_owned(), suffix.to_owned()),
        );
        let ordinary = format!("{registry}.eastus.data.{suffix}");
        self.data.get("name").and_then(Value::as_str).map_or(ordinary, str::to_owned)
    }

    /// The hosts of the case, as the stand-in reads them.
    pub(crate) fn hosts(&self) -> Vec<Value> {
        let mut registry = self.registry.clone();
        let mut azure = registry.remove("azure").unwrap_or_else(|| json!({}));
        let fields = azure.as_object_mut().unwrap();
        fields.entry("data").or_insert_with(|| json!(self.data_host()));
        registry.insert("azure".to_owned(), json!({"registry": azure}));
        registry.entry("name").or_insert_with(|| json!(self.host()));
        let mut storage = self.data.clone();
        storage.insert("azure".to_owned(), json!({"storage": true}));
        storage.insert("name".to_owned(), json!(self.data_host()));
        if let Some(images) = registry.get("images") {
            storage.entry("images").or_insert_with(|| images.clone());
        }
        let mut hosts = vec![registry, storage];
        hosts.extend(self.others.iter().cloned());
        for host in &mut hosts {
            host.insert("case".to_owned(), json!(self.name));
            host.entry("images").or_insert_with(|| json!({"shop/api:v1": "image"}));
        }
        hosts.into_iter().map(Value::Object).collect()
    }

    /// The identities of the case, as the stand-in reads them.
    pub(crate) fn identities(&self) -> Vec<Value> {
        let usual = vec![Map::new()];
        let identity = |fields: &Map<String, Value>| {
            let mut all = json!({
                "clientId": client_of(&self.name), "tenant": TENANT, "node": true,
            });
            let known = all.as_object_mut().unwrap();
            known.extend(fields.clone());
            known.insert("case".to_owned(), json!(self.name));
            all
        };
        self.identities.as_ref().unwrap_or(&usual).iter().map(identity).collect()
    }

    /// What the node's azure.json has.
    fn azure_config(&self) -> Value {
        let mut all = json!({
            "cloud": "AzurePublicCloud",
            "tenantId": TENANT,
            "subscriptionId": "9d2b6f10-7f1f-4a53-9d55-0c8f7a1b2c3d",
            "resourceGroup": "MC_shop_shop_eastus",
            "location": "eastus",
            "aadClientId": "msi",
            "aadClientSecret": "msi",
            "useManagedIdentityExtension": true,
            "userAssignedIdentityID": client_of(&self.name),
        });
        let fields = all.as_object_mut().unwrap();
        for (key, value) in &self.node {
            if value.is_null() {
                fields.remove(key);
            } else {
                fields.insert(key.clone(), value.clone());
            }
        }
        all
    }

    /// The files of the node, by name.
    pub(crate) fn node_files(&self) -> Vec<(&'static str, String)> {
        let mut provider = json!({
            "name": "acr-credential-provider",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "matchImages": ["*.azurecr.io", "*.azurecr.cn", "*.azurecr.de", "*.azurecr.us"],
            "defaultCacheDuration": "10m",
            "args": ["/etc/kubernetes/azure.json"],
        });
        let mut files = vec![("azure.json", self.azure_config().to_string())];
        if self.service_account_tokens {
            provider["tokenAttributes"] = json!({
                "serviceAccountTokenAudience": AUDIENCE,
                "cacheType": "ServiceAccount",
                "requireServiceAccount": false,
                "optionalServiceAccountAnnotationKeys": [
                    "kubernetes.azure.com/acr-client-id", "kubernetes.azure.com/acr-tenant-id",
                ],
            });
            files.push(("service-account-tokens", String::new()));
        }
        if let Some(environment) = &self.environment {
            files.push(("akscustom.json", environment.to_string()));
        }
        let config = json!({
            "apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig",
            "providers": [provider],
        });
        files.push(("credential-provider-config.yaml", config.to_string()));
        files
    }

    /// The pull secrets and the service account, in no namespace yet.
    pub(crate) fn manifests(&self) -> Vec<Value> {
        let mut objects: Vec<Value> = self.secrets.iter().map(Secret::object).collect();
        if let Some(annotations) = &self.account {
            objects.push(json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": ACCOUNT, "annotations": annotations},
            }));
        }
        objects
    }

    /// The name of the pod's service account.
    pub(crate) fn account(&self) -> &'static str {
        if self.account.is_some() { ACCOUNT } else { "default" }
    }

    /// Everything that is made in the case's namespace.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let mut pod = ground::pod("app", &self.image(), &[]);
        pod["spec"]["imagePullSecrets"] = case::names(&self.pod.secrets);
        pod["spec"]["serviceAccountName"] = json!(self.account());
        pod["spec"]["containers"][0]["name"] = json!("subject");
        let mut objects = self.manifests();
        objects.push(pod);
        for object in &mut objects {
            object["metadata"]["namespace"] = json!(self.namespace());
        }
        objects
    }
}
