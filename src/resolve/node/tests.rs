use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Error, Node, Places, ProviderPlaces, ask, configuration};
use crate::access::{Access, Credential, Gap, NodeSource, NotRun, Provenance, ProviderFailure};
use crate::image::ImageRef;
use crate::secret::Secret;

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/node").join(path)
}

/// A configuration of one provider: its program, the items of its matchImages, its arguments
/// and more fields.
fn provider(program: &str, patterns: &str, arguments: &str, more: &str) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- \
         {{name: {program}, matchImages: [{patterns}], defaultCacheDuration: 1m, apiVersion: \
         credentialprovider.kubelet.k8s.io/v1, args: [{arguments}]{more}}}\n"
    )
}

fn node(files: &[&str], providers: &[String]) -> Node {
    let read = |text: &String| configuration::read(text.as_bytes()).unwrap();
    Node {
        files: files.iter().map(|file| data(file)).collect(),
        directory: Some(data("providers")),
        providers: Some(providers.iter().flat_map(read).collect()),
        azure: None,
    }
}

async fn look(node: &Node, image: &str) -> Access {
    node.access_after(Access::default(), &ImageRef::parse(image).unwrap(), None).await
}

fn users(access: &Access) -> Vec<&str> {
    access.credentials.iter().map(|credential| credential.username.as_str()).collect()
}

fn failure(access: &Access) -> &ProviderFailure {
    match access.gaps.as_slice() {
        [Gap::ProviderFailed { failure, .. }] => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn secrets_come_first_then_files_then_providers() {
    let providers = [provider("example", "reg.test", "image, reg.test", "")];
    let node = node(&["good/config.json"], &providers);
    let secret = Credential {
        provenance: Provenance::PullSecret { secret: "s".to_owned(), key: "reg.test".to_owned() },
        username: "secret".to_owned(),
        password: Secret::new("canary"),
    };
    let secrets = Access { credentials: vec![secret], azure: None, gaps: Vec::new() };
    let access =
        node.access_after(secrets, &ImageRef::parse("reg.test/app:1").unwrap(), None).await;
    assert_eq!(users(&access), ["secret", "file", "reg.test/app"]);
    let shown: Vec<String> =
        access.credentials.iter().map(|credential| credential.provenance.to_string()).collect();
    let file = data("good/config.json");
    assert_eq!(shown[1], format!("node file {} (key reg.test)", file.display()));
    assert_eq!(shown[2], "credential provider example (key reg.test)");
    let gaps: Vec<Option<NodeSource>> = access.gaps.iter().map(Gap::node_source).collect();
    let file = Some(NodeSource::File { file: file.display().to_string() });
    let provider = Some(NodeSource::Provider { provider: "example".to_owned() });
    assert_eq!(gaps, [file.clone(), file, provider]);
    assert!(!format!("{access:?}").contains("canary"));
}

#[tokio::test]
async fn only_the_first_valid_file_counts_and_the_older_form_comes_last() {
    let files = ["old/.dockercfg", "none/config.json", "broken/config.json", "good/config.json"];
    let access = look(&node(&files, &[]), "reg.test/app").await;
    assert_eq!(users(&access), ["file"]);
    let reasons: Vec<&str> = access
        .gaps
        .iter()
        .filter_map(|gap| match gap {
            Gap::NodeFileIgnored { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    let [missing, broken, old] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert_eq!(*missing, "it does not exist");
    assert!(broken.starts_with("the auth of entry reg.test is not valid base64"), "{broken}");
    assert!(old.starts_with("the kubelet reads only the first valid one, "), "{old}");
    let older = look(&node(&["old/.dockercfg", "broken/config.json"], &[]), "reg.test/app").await;
    assert_eq!(users(&older), ["old"]);
    // One without any entry is valid.
    let empty = look(&node(&["empty/config.json", "old/.dockercfg"], &[]), "reg.test/app").await;
    assert!(empty.credentials.is_empty());
}

#[tokio::test]
async fn a_broken_pull_secret_leaves_nothing_to_the_node() {
    let broken = Gap::KeyringBroken { secret: "s".to_owned(), reason: "x".to_owned() };
    let secrets = Access { credentials: Vec::new(), azure: None, gaps: vec![broken.clone()] };
    let node = node(&["good/config.json"], &[]);
    let access = node.access_after(secrets, &ImageRef::parse("reg.test/app").unwrap(), None).await;
    assert!(access.credentials.is_empty());
    assert_eq!(access.gaps, [broken]);
}

#[tokio::test]
async fn a_provider_is_run_for_what_it_matches_only() {
    for (patterns, image, runs) in [
        ("'*.test'", "reg.test/app", true),
        ("'*.test'", "eu.reg.test/app", false),
        ("a.test, reg.test", "reg.test/app", true),
        ("reg.test/team", "reg.test/app", false),
        // An item without a port is for no image with one, nor the other way round; a scheme
        // is part of no image; a path keeps its `/v1/`.
        ("reg.test", "reg.test:5000/app", false),
        ("reg.test:5000", "reg.test/app", false),
        ("'https://reg.test'", "reg.test/app", false),
        ("reg.test/v1/", "reg.test/app", false),
        ("docker.io", "busybox", true),
    ] {
        let node = node(&[], &[provider("example", patterns, "deaf, '*.test'", "")]);
        let access = look(&node, image).await;
        let not_run = access.gaps.iter().any(|gap| matches!(gap, Gap::ProviderNotMatched { .. }));
        assert_eq!(!not_run, runs, "{patterns} for {image}: {access:?}");
    }
}

/// All answers are one keyring: the order of its keys goes before that of the providers.
#[tokio::test]
async fn the_answers_of_all_providers_are_in_the_order_of_their_keys() {
    let providers = [
        provider("example", "reg.test", "deaf, reg.test", ""),
        provider("example", "reg.test", "image, reg.test/app", ""),
    ];
    let access = look(&node(&[], &providers), "reg.test/app").await;
    assert_eq!(users(&access), ["reg.test/app", "deaf"]);
}

#[tokio::test]
async fn a_provider_gets_its_arguments_and_variables() {
    let variable = ", env: [{name: VERSION, value: v1beta1}]";
    let text = provider("example", "reg.test", "deaf, reg.test", variable);
    let access = look(&node(&[], std::slice::from_ref(&text)), "reg.test/app").await;
    let expected = "answers in version credentialprovider.kubelet.k8s.io/v1beta1, and its \
                    configuration says credentialprovider.kubelet.k8s.io/v1";
    assert_eq!(failure(&access).to_string(), expected);
    let beta = text.replace("kubelet.k8s.io/v1,", "kubelet.k8s.io/v1beta1,");
    assert_eq!(users(&look(&node(&[], &[beta]), "reg.test/app").await), ["deaf"]);
}

#[tokio::test]
async fn what_goes_wrong_with_a_provider_is_said_without_its_words() {
    for (program, behaviour, expected) in [
        ("missing", "", "is not in the directory of the providers"),
        ("no-program", "", "cannot be started: Permission denied (os error 13)"),
        ("example", "fail", "fails (exit status: 3)"),
        ("example", "killed", "fails (signal: 9 (SIGKILL))"),
        (
            "example",
            "chatter",
            "gives an answer that the kubelet does not take: it is no JSON object with apiVersion and kind",
        ),
        (
            "example",
            "",
            "gives an answer that the kubelet does not take: it is no JSON object with apiVersion and kind",
        ),
    ] {
        let node = node(&[], &[provider(program, "reg.test", behaviour, "")]);
        let access = look(&node, "reg.test/app").await;
        assert_eq!(failure(&access).to_string(), expected, "{program} {behaviour}");
        assert!(access.credentials.is_empty());
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_is_ended() {
    let providers = configuration::read(provider("example", "r.test", "silent", "").as_bytes());
    let image = ImageRef::parse("r.test/app").unwrap();
    let limit = Duration::from_millis(50);
    let answer = ask(&data("providers"), &providers.unwrap()[0], &image, limit).await;
    assert!(matches!(answer, Err(ProviderFailure::TimedOut { seconds: 0 })), "{answer:?}");
}

#[tokio::test]
async fn a_provider_that_wants_a_token_is_not_run_and_leaves_it_open() {
    let attributes = ", tokenAttributes: {serviceAccountTokenAudience: a, cacheType: Token, \
                      requireServiceAccount: false}";
    let node = node(&[], &[provider("example", "reg.test", "deaf, reg.test", attributes)]);
    let access = look(&node, "reg.test/app").await;
    assert!(access.credentials.is_empty());
    let not_run = |reason| Gap::ProviderNotRun { provider: "example".to_owned(), reason };
    assert_eq!(access.gaps, [not_run(NotRun::WantsToken)]);
    assert!(access.gaps[0].leaves_open());
    let providers = configuration::read(provider("example", "reg.test", "", "").as_bytes());
    let without = Node { directory: None, providers: providers.ok(), ..node };
    assert_eq!(look(&without, "reg.test/app").await.gaps, [not_run(NotRun::NoDirectory)]);
}

#[test]
fn a_configuration_with_which_no_kubelet_starts_is_an_error() {
    let read = |configuration: &str| {
        let (configuration, directory) = (data(configuration), Some(data("providers")));
        let providers = Some(ProviderPlaces { configuration, directory });
        Node::read(Places { providers, ..Places::default() })
    };
    assert!(matches!(read("missing.yaml"), Err(Error::Read { .. })));
    assert!(matches!(read("good/config.json"), Err(Error::Configuration { .. })));
    // A directory without YAML or JSON has no provider.
    assert!(matches!(read("providers"), Err(Error::Configuration { .. })));
    assert!(
        matches!(read("configuration"), Ok(node) if node.providers.as_ref().is_some_and(|all| all.len() == 2))
    );
}
