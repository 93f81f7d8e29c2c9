//! A case of the lab, as its file tells it, and the objects that it is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use registrycheck::image::ImageRef;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ground;

/// One way of pulling, or of failing to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    /// Its name; the registry is `NAME.lab.test`, and `{host}` stands for that anywhere.
    pub(crate) name: String,
    /// The rule that it shows, with the source of that rule.
    pub(crate) shows: String,
    /// Why we do not come to what is expected yet. Nothing is expected less for it.
    pub(crate) open: Option<String>,
    /// What is wrong with the registry, as `tests/cluster/ground/misbehave.go` has it.
    #[serde(default)]
    registry: Value,
    /// Other hosts, each with its name.
    #[serde(default)]
    others: Vec<Value>,
    #[serde(default)]
    secrets: Vec<Secret>,
    /// Service accounts, and the pull secrets that they list.
    #[serde(default)]
    accounts: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pod: Pod,
    /// Service accounts as they are after the pod was made.
    #[serde(default)]
    accounts_later: BTreeMap<String, Vec<String>>,
    /// How it is mended once it has failed; everything must be well after that.
    pub(crate) mend: Option<Mend>,
    /// Entries of the node's own configuration file.
    #[serde(default)]
    pub(crate) node_credentials: BTreeMap<String, Value>,
    /// What the controller must have come to.
    pub(crate) expect: Expected,
}

/// What mends a case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mend {
    /// Whether lookup, certificate and answers of all its hosts become good ones.
    #[serde(default)]
    pub(crate) registry: bool,
    /// Secrets that are made, or made anew.
    #[serde(default)]
    secrets: Vec<Secret>,
}

/// A secret, its data readable.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    name: String,
    #[serde(rename = "type", default = "dockerconfigjson")]
    kind: String,
    /// Text is written as it is, everything else as JSON.
    data: BTreeMap<String, Value>,
}

fn dockerconfigjson() -> String {
    "kubernetes.io/dockerconfigjson".to_owned()
}

/// The pod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pod {
    /// `{host}/shop/api:v1` where it is not given.
    image: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
    account: Option<String>,
    policy: Option<String>,
    #[serde(default)]
    kind: Kind,
}

/// Which part of the pod pulls the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Container,
    Init,
    Ephemeral,
    Volume,
}

/// What has to come out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Expected {
    /// The reason of Ready: one of these.
    pub(crate) codes: Vec<String>,
    /// Whether the kubelet pulls the image, and whether Ready is True.
    pub(crate) pulls: bool,
    /// Whether Ready may be Unknown, where this vantage cannot know.
    #[serde(default)]
    pub(crate) undecided: bool,
    /// How sure the finding has to be.
    pub(crate) confidence: Option<String>,
    /// What the message has to contain.
    pub(crate) says: Option<String>,
}

/// All cases, in the order of their files.
pub(crate) fn read_all() -> Vec<Case> {
    read_from("tests/lab/cases", |name, text| text.replace("{host}", &format!("{name}.lab.test")))
}

/// All cases of a directory, in the order of their files; `fill` puts what belongs to the
/// case of a name into a text of it.
pub(crate) fn read_from<Case: DeserializeOwned>(
    directory: &str,
    fill: impl Fn(&str, &str) -> String,
) -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let values: Vec<Value> = serde_yaml_ng::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for value in values {
            let name = value["name"].as_str().unwrap_or_default().to_owned();
            let value = filled_in(value, &|text| fill(&name, text));
            let case = serde_json::from_value(value)
                .unwrap_or_else(|error| panic!("{}: {name}: {error}", file.display()));
            cases.push(case);
        }
    }
    cases
}

/// The same with each text and each key filled in.
fn filled_in(value: Value, fill: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(&text)),
        Value::Array(items) => items.into_iter().map(|item| filled_in(item, fill)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, item)| (fill(&key), filled_in(item, fill))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

impl Case {
    /// The namespace of the case.
    pub(crate) fn namespace(&self) -> String {
        format!("lab-{}", self.name)
    }

    /// The hosts, as the server that plays them reads it.
    pub(crate) fn hosts(&self) -> Vec<Value> {
        let mut own = self.registry.clone();
        if own.is_null() {
            own = json!({});
        }
        let mut hosts = vec![own];
        hosts.extend(self.others.iter().cloned());
        for host in &mut hosts {
            let fields = host.as_object_mut().unwrap();
            fields.insert("case".to_owned(), json!(self.name));
            fields.entry("name").or_insert_with(|| json!(format!("{}.lab.test", self.name)));
            fields.entry("images").or_insert_with(|| json!({"shop/api:v1": "image"}));
        }
        hosts
    }

    /// Writes the digest of the registry's image in place of `{digest}`.
    pub(crate) fn name_digest(&mut self, digests: &BTreeMap<String, String>) {
        let Some(digest) = digests.get(&format!("{}.lab.test", self.name)) else { return };
        self.pod.image = self.pod.image.take().map(|image| image.replace("{digest}", digest));
    }

    /// Whether the image's registry is asked in this case alone, and every time by name.
    pub(crate) fn has_registry_of_its_own(&self) -> bool {
        let host = format!("{}.lab.test", self.name);
        self.image().to_lowercase().starts_with(&host)
    }

    /// The image that the case is about.
    pub(crate) fn image(&self) -> String {
        let ordinary = || format!("{}.lab.test/shop/api:v1", self.name);
        self.pod.image.clone().unwrap_or_else(ordinary)
    }

    /// Everything but the namespace, in the order in which it has to be made.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let mut objects: Vec<Value> = self.secrets.iter().map(Secret::object).collect();
        objects.extend(accounts(&self.accounts));
        if self.expect.pulls && self.mend.is_none() {
            objects.push(self.check());
        }
        objects.push(self.pod());
        self.placed(objects)
    }

    /// Whether the pod is held back until [`Self::later`] is applied.
    pub(crate) fn is_held_back(&self) -> bool {
        !self.accounts_later.is_empty()
    }

    /// What is applied when the pod is there.
    pub(crate) fn later(&self) -> Vec<Value> {
        self.placed(accounts(&self.accounts_later))
    }

    /// The secrets that mend the case.
    pub(crate) fn mending(&self) -> Vec<Value> {
        let secrets = self.mend.iter().flat_map(|mend| &mend.secrets);
        self.placed(secrets.map(Secret::object).collect())
    }

    /// Objects of the case's namespace.
    fn placed(&self, mut objects: Vec<Value>) -> Vec<Value> {
        for object in &mut objects {
            object["metadata"]["namespace"] = json!(self.namespace());
        }
        objects
    }

    /// A check as a user writes it: nothing else says anything of a pod that runs.
    fn check(&self) -> Value {
        let registry = ImageRef::parse(&self.image()).unwrap().registry().as_str().to_lowercase();
        let secrets = names(&self.pod.secrets);
        let mut spec =
            json!({"registry": registry, "images": [self.image()], "imagePullSecrets": secrets});
        if let Some(account) = &self.pod.account {
            spec["serviceAccountName"] = json!(account);
        }
        json!({
            "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
            "metadata": {"name": "lab"},
            "spec": spec,
        })
    }

    fn pod(&self) -> Value {
        let image = self.image();
        let (own, helper) = match self.pod.kind {
            Kind::Container | Kind::Init => (image.as_str(), "localhost/tool:1"),
            Kind::Ephemeral | Kind::Volume => ("localhost/tool:1", "localhost/tool:1"),
        };
        let mut pod = ground::pod("app", own, &[]);
        let spec = &mut pod["spec"];
        spec["imagePullSecrets"] = names(&self.pod.secrets);
        spec["containers"][0]["name"] = json!("subject");
        if let Some(policy) = &self.pod.policy {
            spec["containers"][0]["imagePullPolicy"] = json!(policy);
        }
        if let Some(account) = &self.pod.account {
            spec["serviceAccountName"] = json!(account);
        }
        if self.is_held_back() {
            spec["schedulingGates"] = json!([{"name": "lab.test/later"}]);
        }
        if self.pod.kind == Kind::Init {
            spec["initContainers"] = json!([ground::container("subject", own)]);
            spec["containers"] = json!([ground::container("main", helper)]);
        }
        if self.pod.kind == Kind::Ephemeral {
            spec["containers"][0]["name"] = json!("main");
        }
        if self.pod.kind == Kind::Volume {
            spec["volumes"] = json!([{"name": "data", "image": {"reference": image}}]);
            spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        }
        pod
    }

    /// The ephemeral container that is put into the running pod, where the case has one.
    pub(crate) fn ephemeral(&self) -> Option<Value> {
        (self.pod.kind == Kind::Ephemeral).then(|| ground::container("subject", &self.image()))
    }
}

impl Secret {
    /// The object, in no namespace yet.
    pub(crate) fn object(&self) -> Value {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let data: BTreeMap<_, _> =
            self.data.iter().map(|(key, value)| (key, text(value))).collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": self.kind,
            "metadata": {"name": self.name},
            "stringData": data,
        })
    }
}

fn accounts(accounts: &BTreeMap<String, Vec<String>>) -> Vec<Value> {
    let object = |(name, secrets): (&String, &Vec<String>)| {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name},
            "imagePullSecrets": names(secrets),
        })
    };
    accounts.iter().map(object).collect()
}

/// References to objects by these names.
pub(crate) fn names(names: &[String]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}
