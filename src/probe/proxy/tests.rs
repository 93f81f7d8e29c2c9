use serde::Deserialize;
use url::Url;

use super::Proxies;

/// The table that tests/cluster/proxy holds to Go's package.
const TABLE: &str = include_str!("../../../tests/data/proxies.json");

#[derive(Deserialize)]
struct Table {
    urls: Vec<String>,
    past: Vec<Past>,
    proxies: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Past {
    no_proxy: String,
    urls: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    variable: String,
    url: String,
}

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::from_variables(|name| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn what_goes_past_a_proxy_is_what_goes_past_it_in_go() {
    let table: Table = serde_json::from_str(TABLE).unwrap();
    for Past { no_proxy, urls: expected } in table.past {
        let proxy = "http://proxy.test:3128";
        let variables = [("HTTP_PROXY", proxy), ("HTTPS_PROXY", proxy), ("NO_PROXY", &no_proxy)];
        let proxies = proxies(&variables);
        let goes_past = |url: &&String| proxies.of(&Url::parse(url).unwrap()).is_none();
        let past: Vec<String> = table.urls.iter().filter(goes_past).cloned().collect();
        assert_eq!(past, expected, "{no_proxy:?}");
    }
}

#[test]
fn a_proxy_is_what_it_is_in_go() {
    let table: Table = serde_json::from_str(TABLE).unwrap();
    let request = Url::parse("https://reg.test/v2/").unwrap();
    for Answer { variable, url } in table.proxies {
        let proxies = proxies(&[("HTTPS_PROXY", &variable)]);
        let found = proxies.of(&request).map(|proxy| proxy.url().clone());
        // Texts that Go takes, and with which nothing can be reached.
        let expected = Url::parse(&url).ok().filter(Url::has_host);
        assert_eq!(found, expected, "{variable:?}");
    }
}

#[test]
fn a_variable_in_lower_case_counts_where_the_other_is_empty() {
    let request = Url::parse("https://reg.test/").unwrap();
    let chosen =
        |variables: &[(&str, &str)]| proxies(variables).of(&request).map(ToString::to_string);
    let lower = chosen(&[("HTTPS_PROXY", ""), ("https_proxy", "lower.test")]);
    assert_eq!(lower.as_deref(), Some("http://lower.test"));
    let upper = chosen(&[("HTTPS_PROXY", "upper.test:3128"), ("https_proxy", "lower.test")]);
    assert_eq!(upper.as_deref(), Some("http://upper.test:3128"));
    assert_eq!(chosen(&[("HTTPS_PROXY", "a.test"), ("no_proxy", "reg.test")]), None);
    assert_eq!(chosen(&[("HTTP_PROXY", "a.test")]), None);
    assert_eq!(chosen(&[]), None);
}

#[test]
fn a_password_in_a_proxy_is_not_shown() {
    let proxies = proxies(&[("HTTPS_PROXY", "http://user:hunter2@proxy.test:3128/hunter2")]);
    let proxy = proxies.of(&Url::parse("https://reg.test/").unwrap()).unwrap();
    assert_eq!(proxy.to_string(), "http://proxy.test:3128");
    assert!(!format!("{proxies:?}").contains("hunter2"));
    assert_eq!(proxy.url().password(), Some("hunter2"));
}
