//! What a registry wants: the `WWW-Authenticate` headers of its 401.

use super::clean;

/// What containerd would answer to a 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Demand {
    /// User name and password at the registry itself (RFC 7617).
    Basic,
    /// A token of a token service (Docker registry token specification).
    Bearer(Bearer),
    /// Nothing that containerd has; the schemes that were offered.
    Unsupported(Vec<String>),
}

/// Where to get a token, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::probe) struct Bearer {
    /// The URL of the token service; empty where the challenge has none.
    pub(in crate::probe) realm: String,
    pub(in crate::probe) service: Option<String>,
    pub(in crate::probe) scope: Option<String>,
}

/// Chooses among the challenges of one answer: Bearer before Basic, whatever their order, as
/// containerd sorts them (core/remotes/docker/auth/parse.go, `byScheme`). A header may have
/// several (RFC 9110, 11.6.1); containerd reads the first alone (`parseValueAndParams`).
pub(in crate::probe) fn demand<'header>(headers: impl Iterator<Item = &'header str>) -> Demand {
    let challenges: Vec<_> =
        headers.filter_map(|header| parse(header).into_iter().next()).collect();
    if let Some(bearer) = challenges.iter().find(|challenge| challenge.is("bearer")) {
        return Demand::Bearer(Bearer {
            realm: bearer.parameter("realm").unwrap_or_default(),
            service: bearer.parameter("service"),
            scope: bearer.parameter("scope"),
        });
    }
    if challenges.iter().any(|challenge| challenge.is("basic")) {
        return Demand::Basic;
    }
    let schemes = challenges.into_iter().map(|challenge| clean(&challenge.scheme));
    Demand::Unsupported(schemes.filter(|scheme| !scheme.is_empty()).take(5).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The last of a name counts, as in containerd's map.
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

/// The challenges of one header (RFC 9110, 11.6.1): schemes, each followed by one token68 or
/// by a list of parameters, all separated by commas. Whatever fits nowhere is passed over.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let (word, after) = split(rest, is_token_character);
        if word.is_empty() {
            let mut characters = rest.chars();
            if characters.next().is_none() {
                return challenges;
            }
            rest = characters.as_str();
            continue;
        }
        let behind = after.trim_start();
        if let Some(value) = behind.strip_prefix('=') {
            let (value, after) = value_of(value.trim_start());
            if let Some(challenge) = challenges.last_mut() {
                challenge.parameters.push((word.to_ascii_lowercase(), value));
            }
            rest = after;
        } else {
            challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
            rest = behind_token68(behind);
        }
    }
}

fn split(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !belongs(character)).unwrap_or(text.len()))
}

/// A token's characters (RFC 9110, 5.6.2).
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

/// The characters of a token68 without its closing `=` (RFC 9110, 11.2).
fn is_token68_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~+/".contains(character)
}

/// What follows the token68 at the beginning of `text`; all of it where there is none.
fn behind_token68(text: &str) -> &str {
    let (word, after) = split(text, is_token68_character);
    let after = after.trim_start_matches('=').trim_start();
    // A single word without `=` is the next scheme where commas were forgotten; it is one
    // where a comma or the end follows, and a parameter's name where anything else does.
    if !word.is_empty() && (after.is_empty() || after.starts_with(',')) { after } else { text }
}

/// A parameter's value, quoted or not, and what follows it. Unquoted values end at a comma or
/// blank only: realms are URLs, whose characters a token has not.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) =
            split(text, |character| character != ',' && !character.is_whitespace());
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Bearer, Demand, demand};

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Demand {
        Demand::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    fn unsupported(schemes: &[&str]) -> Demand {
        Demand::Unsupported(schemes.iter().map(|&scheme| scheme.to_owned()).collect())
    }

    #[track_caller]
    fn check(headers: &[&str], expected: &Demand) {
        assert_eq!(demand(headers.iter().copied()), *expected, "{headers:?}");
    }

    #[test]
    fn basic_is_understood_in_any_dress() {
        for header in [
            "Basic",
            "basic",
            "BASIC realm=x",
            r#"Basic realm="Registry""#,
            r#"Basic realm="Registry", charset="UTF-8""#,
            r#"  Basic   realm = "Registry"  "#,
            r#"Basic realm="Bearer realm=""#,
            r#"Basic realm="a, Bearer b""#,
            r#"Basic realm="unclosed"#,
            ", ,Basic",
        ] {
            check(&[header], &Demand::Basic);
        }
    }

    #[test]
    fn bearer_is_understood_in_any_dress() {
        let full = bearer("https://a.test/token", Some("a.test"), Some("repository:x:pull"));
        for header in [
            r#"Bearer realm="https://a.test/token",service="a.test",scope="repository:x:pull""#,
            r#"bearer Realm="https://a.test/token", SERVICE="a.test", Scope="repository:x:pull""#,
            r#"BEARER  realm = "https://a.test/token" , service = "a.test" ,scope= "repository:x:pull" "#,
            r#"Bearer scope="repository:x:pull",service="a.test",realm="https://a.test/token",error="x""#,
            "Bearer realm=https://a.test/token,service=a.test,scope=repository:x:pull",
            r#"Bearer realm=https://a.test/token service=a.test scope="repository:x:pull""#,
            r#"Bearer ,, realm="https://a.test/token",, service="a.test",scope="repository:x:pull","#,
            r#"Bearer realm="https://a.test/\token",service="a\.test",scope="repository:x:pull""#,
        ] {
            check(&[header], &full);
        }
        check(&[r#"Bearer realm="https://a.test/t""#], &bearer("https://a.test/t", None, None));
        check(&[r#"Bearer realm="a\"b\\c""#], &bearer(r#"a"b\c"#, None, None));
        check(
            &[
                r#"Bearer realm="https://a.test/t",scope="repository:x:pull,push repository:y:pull""#,
            ],
            &bearer("https://a.test/t", None, Some("repository:x:pull,push repository:y:pull")),
        );
        check(&["Bearer"], &bearer("", None, None));
        check(&[r#"Bearer service="s""#], &bearer("", Some("s"), None));
        check(&[r#"Bearer realm="a",realm="b""#], &bearer("b", None, None));
    }

    #[test]
    fn bearer_comes_before_basic() {
        let expected = bearer("https://a.test/t", Some("s"), None);
        let token = r#"Bearer realm="https://a.test/t",service="s""#;
        let basic = r#"Basic realm="r""#;
        check(&[token, basic], &expected);
        check(&[basic, token], &expected);
        check(&["Negotiate", basic, token], &expected);
        check(
            &[r#"Digest realm="d", nonce="n", qop="auth", algorithm=MD5"#, basic],
            &Demand::Basic,
        );
    }

    #[test]
    fn the_first_of_a_header_is_the_one_that_counts() {
        let expected = bearer("https://a.test/t", Some("s"), None);
        let token = r#"Bearer realm="https://a.test/t",service="s""#;
        let basic = r#"Basic realm="r""#;
        check(&[&format!("{basic}, {token}")], &Demand::Basic);
        check(&[&format!("{token}, {basic}")], &expected);
        check(&[&format!("Basic, {token}")], &Demand::Basic);
        check(&[&format!("{token}, Basic")], &expected);
        check(&[&format!("Negotiate YIIabc/+d==, NTLM, {basic}")], &unsupported(&["Negotiate"]));
        check(&[&format!("Negotiate YIIabc=, {basic}"), token], &expected);
    }

    #[test]
    fn what_containerd_cannot_answer_is_named() {
        check(&[], &unsupported(&[]));
        check(&[""], &unsupported(&[]));
        check(&["Negotiate"], &unsupported(&["Negotiate"]));
        check(&["Negotiate, NTLM"], &unsupported(&["Negotiate"]));
        check(&["Negotiate oXMwcaADCgEA"], &unsupported(&["Negotiate"]));
        check(
            &[r#"Digest realm="d", nonce="n""#, "Negotiate"],
            &unsupported(&["Digest", "Negotiate"]),
        );
        check(&["\u{7}\"=,=,\"é;;"], &unsupported(&[]));
        check(&["realm=x"], &unsupported(&[]));
    }
}
