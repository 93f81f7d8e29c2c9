use super::{Configured, Setting, access, matches_pattern};
use crate::access::azure::{Identity, Principal, STRANGERS_KEY, is_for_strangers};
use crate::access::{Access, Gap, Mismatch, NotRun};
use crate::image::ImageRef;
use crate::resolve::azure::account::{Account, CLIENT_ID, TENANT_ID};
use crate::resolve::azure::cloud;
use crate::resolve::azure::config::Config;
use crate::secret::Secret;

const MANAGED: &str = r#"{"tenantId":"node","location":"westeurope",
    "useManagedIdentityExtension":true,"userAssignedIdentityID":"kubelet"}"#;
const PRINCIPAL: &str = r#"{"tenantId":"node","aadClientId":"5b","aadClientSecret":"canary"}"#;

fn setting(json: &str) -> Setting {
    let config = Config::read(json.as_bytes()).unwrap();
    let located = cloud::of_config(&config.cloud, &config.manager);
    Setting { file: "azure.json".to_owned(), config, located }
}

fn configured(patterns: &[&str], arguments: &[&str], wants_token: Option<bool>) -> Configured {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let (patterns, arguments) = (owned(patterns), owned(arguments));
    let annotations = Vec::new();
    Configured { patterns, is_assumed: false, arguments, wants_token, annotations }
}

fn account(annotations: &[(&str, &str)], token: Option<&str>) -> Account {
    let annotations = annotations.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let token = token.map(Secret::new);
    Account { name: "robot".to_owned(), annotations: annotations.collect(), token }
}

fn look(json: &str, configured: &Configured, image: &str, account: Option<&Account>) -> Access {
    let access = access(&Ok(setting(json)), configured, &ImageRef::parse(image).unwrap(), account);
    assert!(!format!("{access:?}").contains("canary"), "{access:?}");
    access
}

fn identity(access: &Access) -> Identity {
    access.azure.as_ref().unwrap_or_else(|| panic!("{access:?}")).identity()
}

#[test]
fn the_node_logs_in_as_its_azure_json_says() {
    let default = Configured::by_default();
    let access = look(MANAGED, &default, "shop.azurecr.io/api:1", None);
    assert_eq!(identity(&access), Identity::Managed { id: Some("kubelet".to_owned()) });
    let login = access.azure.unwrap();
    assert_eq!((login.tenant.as_str(), login.location.as_deref()), ("node", Some("westeurope")));
    assert!(access.gaps.is_empty());
    let access = look(PRINCIPAL, &default, "shop.azurecr.us/api:1", None);
    assert_eq!(identity(&access), Identity::ServicePrincipal { client_id: "5b".to_owned() });
    // One for the other.
    let swapped = PRINCIPAL.replace("5b", "8Q~x").replace("canary", "5b");
    let access = look(&swapped, &default, "shop.azurecr.us/api:1", None);
    assert!(!identity(&access).to_string().contains("8Q~x"));
    let nobody = look("{}", &default, "shop.azurecr.io/api:1", None);
    let [Gap::AzureConfigUnusable { file, reason }] = nobody.gaps.as_slice() else {
        panic!("{nobody:?}")
    };
    assert_eq!(file, "azure.json");
    assert!(reason.starts_with("it names neither"), "{reason}");
}

#[test]
fn the_provider_is_run_for_the_hosts_of_its_configuration_only() {
    let default = Configured::by_default();
    for image in [
        "docker.io/library/nginx",
        "shop.geo.azurecr.io/api",
        "azurecr.io/api",
        "shop.azurecr.io:443/api",
        "shop.azurecr.io.example/api",
        "shop.azurecr.com/api",
    ] {
        let access = look(MANAGED, &default, image, None);
        assert!(access.azure.is_none(), "{image}");
        assert!(matches!(access.gaps.as_slice(), [Gap::ProviderNotMatched { .. }]), "{image}");
    }
    // Newer nodes ask it for regional hosts too, and there is an answer for an identity alone.
    let image = "shop.westeurope.geo.azurecr.io/api";
    let access = look(MANAGED, &default, image, None);
    assert!(access.azure.is_none());
    assert!(matches!(access.gaps.as_slice(),
        [gap @ Gap::ProviderNotRun { reason: NotRun::MayNotMatch, .. }] if gap.leaves_open()));
    let older = configured(&["*.azurecr.io"], &[], None);
    for (json, configured) in [(PRINCIPAL, &default), (MANAGED, &older)] {
        let access = look(json, configured, image, None);
        assert!(matches!(access.gaps.as_slice(), [Gap::ProviderNotMatched { .. }]), "{json}");
    }
    let geo = configured(&["*.*.geo.azurecr.io"], &[], Some(false));
    identity(&look(MANAGED, &geo, image, None));
    // A service principal's secret is for three labels.
    let access = look(PRINCIPAL, &geo, image, None);
    let expected = Mismatch::LabelCount { entry: 3, image: 5 };
    assert!(matches!(access.gaps.as_slice(),
        [Gap::NodeEntryNotMatching { rule, .. }] if *rule == expected));
}

#[test]
fn nobodys_credential_is_for_hosts_of_three_names() {
    for host in [
        "shop.azurecr.io",
        "shop.azurecr.cn",
        "shop.westeurope.geo.azurecr.io",
        "shop.azurecr.sovcloud-azure.fr",
        "shop.example.io",
        "azurecr.io",
    ] {
        let image = ImageRef::parse(&format!("{host}/api")).unwrap();
        let matches = matches_pattern(STRANGERS_KEY, &image).is_ok();
        assert_eq!(is_for_strangers(host), matches, "{host}");
    }
}

#[test]
fn the_provider_knows_only_the_registries_of_its_cloud() {
    for (cloud, patterns, image, expected) in [
        ("AzureCloud", "*.azurecr.io", "my-shop.azurecr.io/api", None),
        ("AzureCloud", "*.azurecr.cn", "shop.azurecr.cn/api", None),
        ("AzureCloud", "*.azurecr.cn", "my-shop.azurecr.cn/api", Some("cloud's registries")),
        ("AzureChinaCloud", "*.azurecr.cn", "my-shop.azurecr.cn/api", None),
        ("AzureCloud", "mcr.microsoft.com", "mcr.microsoft.com/api", Some("cloud's registries")),
        // What comes after the domain is not looked at, and the answer is then for another host.
        ("AzureCloud", "*.azurecr.io.example", "a.azurecr.io.example/api", Some("3 labels")),
        ("AzureCloud", "evil.example", "evil.example/azurecr.io/api", None),
    ] {
        let json = MANAGED.replace('{', &format!(r#"{{"cloud":"{cloud}","#));
        let access = look(&json, &configured(&[patterns], &[], None), image, None);
        match (expected, access.gaps.as_slice()) {
            (None, []) => assert!(access.azure.is_some(), "{image}"),
            (Some(_), [Gap::NodeEntryNotMatching { .. }]) => assert!(access.azure.is_none()),
            (Some(expected), [Gap::ProviderFailed { failure, .. }]) => {
                assert!(failure.to_string().contains(expected), "{image}: {failure}");
            }
            (_, other) => panic!("{image}: {other:?}"),
        }
    }
}

#[test]
fn a_token_of_the_service_account_is_used_with_both_annotations() {
    let default = Configured::by_default();
    let image = "shop.azurecr.io/api:1";
    let both = [(CLIENT_ID, "app"), (TENANT_ID, "other")];
    let access = look(MANAGED, &default, image, Some(&account(&both, Some("canary"))));
    let login = access.azure.as_ref().unwrap();
    let Principal::Workload { account: name, client_id, tenant, .. } = &login.principal else {
        panic!("{login:?}")
    };
    assert_eq!([name, client_id, tenant, &login.tenant], ["robot", "app", "other", "node"]);
    for (annotations, missing) in [
        (&both[1..], CLIENT_ID),
        (&both[..1], TENANT_ID),
        (&[], CLIENT_ID),
        (&[(CLIENT_ID, ""), (TENANT_ID, "t")], CLIENT_ID),
    ] {
        // Also where a service principal is what is used in the end.
        for json in [MANAGED, PRINCIPAL] {
            let access = look(json, &default, image, Some(&account(annotations, Some("canary"))));
            let (account, annotation) = ("robot".to_owned(), missing.to_owned());
            assert_eq!(access.gaps, [Gap::AnnotationMissing { account, annotation }]);
        }
    }
    let access = look(PRINCIPAL, &default, image, Some(&account(&both, Some("canary"))));
    assert_eq!(identity(&access), Identity::ServicePrincipal { client_id: "5b".to_owned() });
    let odd = account(&[(CLIENT_ID, "app"), (TENANT_ID, "a/b")], Some("canary"));
    let access = look(MANAGED, &default, image, Some(&odd));
    assert!(matches!(access.gaps.as_slice(), [Gap::ProviderFailed { .. }]), "{access:?}");
}

#[test]
fn whether_a_token_is_wanted_is_for_the_configuration_to_say() {
    let image = "shop.azurecr.io/api:1";
    let both = [(CLIENT_ID, "app"), (TENANT_ID, "other")];
    let (with, without) = (account(&both, Some("canary")), account(&both, None));
    let configured = |wants| configured(&["*.azurecr.io"], &[], wants);
    let managed = Identity::Managed { id: Some("kubelet".to_owned()) };
    assert_eq!(identity(&look(MANAGED, &configured(Some(false)), image, Some(&with))), managed);
    let not_made = [Gap::AccountTokenNotMade { account: "robot".to_owned() }];
    let access = look(MANAGED, &configured(Some(true)), image, Some(&without));
    assert!(access.azure.is_none());
    assert_eq!(access.gaps, not_made);
    let access = look(MANAGED, &configured(Some(true)), image, None);
    let reason = NotRun::WantsToken;
    assert!(matches!(access.gaps.as_slice(),
        [Gap::ProviderNotRun { reason: given, .. }] if *given == reason));
    // Not said: the annotations tell that the node's configuration may want one.
    let access = look(MANAGED, &configured(None), image, Some(&without));
    assert_eq!(identity(&access), managed);
    assert_eq!(access.gaps, not_made);
    assert!(look(PRINCIPAL, &configured(None), image, Some(&without)).gaps.is_empty());
    let required = Configured { annotations: vec!["team".to_owned()], ..configured(Some(true)) };
    let access = look(MANAGED, &required, image, Some(&with));
    assert!(matches!(access.gaps.as_slice(),
        [Gap::AnnotationMissing { annotation, .. }] if annotation == "team"));
}

#[test]
fn a_way_that_is_not_emulated_leaves_it_open() {
    let image = "shop.azurecr.io/api:1";
    for (arguments, expected) in [
        (
            &["azure.json", "--ib-sni-name=a.example", "--ib-apiserver-ip=10.0.0.1"][..],
            "--ib-sni-name",
        ),
        (&["azure.json", "--ib-sni-name", "a.example"], "--ib-sni-name"),
        (
            &["-r", "mcr.microsoft.com:a.azurecr.io, shop.azurecr.io:b.azurecr.io"],
            "--registry-mirror",
        ),
        (
            &["--registry-mirror=shop.azurecr.io:b.azurecr.io", "--ib-sni-name=a"],
            "--registry-mirror",
        ),
    ] {
        let access = look(MANAGED, &configured(&["*.azurecr.io"], arguments, None), image, None);
        let [gap @ Gap::ProviderNotRun { reason: NotRun::NotEmulated { what }, .. }] =
            access.gaps.as_slice()
        else {
            panic!("{access:?}")
        };
        assert_eq!(what, expected);
        assert!(gap.leaves_open() && access.azure.is_none());
    }
    for arguments in [
        &["azure.json", "--ib-sni-name="][..],
        &["--registry-mirror=mcr.microsoft.com:shop.azurecr.io", "azure.json"],
    ] {
        let configured = configured(&["*.azurecr.io"], arguments, None);
        identity(&look(MANAGED, &configured, image, None));
    }
    let own = MANAGED.replace('{', r#"{"resourceManagerEndpoint":"https://stack.example","#);
    let access = look(&own, &Configured::by_default(), image, None);
    assert!(access.gaps[0].leaves_open() && access.azure.is_none());
}
