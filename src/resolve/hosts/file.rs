//! What a hosts.toml says, as containerd reads it (core/remotes/docker/config/hosts.go,
//! `parseHostsFile`). Pure.
//!
//! The hosts are asked in the order in which their tables stand, and last what the file says at
//! its top. Of keys that it does not know containerd takes no notice.

use std::time::Duration;

use toml_edit::{Document, Item, TableLike, Value};
use url::Url;

use crate::secret::Secret;

/// One server, or the registry itself with what the file says of it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Where it is, with the path below which its repositories are; `None` for the registry
    /// itself.
    pub(super) url: Option<Url>,
    pub(super) can_pull: bool,
    pub(super) can_resolve: bool,
    /// Files of certificates.
    pub(super) authorities: Vec<String>,
    /// Files of a certificate and of its key, which may be one.
    pub(super) identities: Vec<(String, String)>,
    pub(super) skip_verify: bool,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) dial_timeout: Option<Duration>,
}

/// The servers in the order in which they are asked, or what is wrong with the file.
pub(super) fn read(text: &str) -> Result<Vec<Host>, String> {
    let document = Document::parse(text).map_err(|error| error.message().to_owned())?;
    let top = document.as_table();
    let hosts = match field(top, "host") {
        Some(item) => Some(item.as_table_like().ok_or("host is no table")?),
        None => None,
    };
    let mut read = Vec::new();
    for name in in_order(hosts) {
        let table = hosts.and_then(|hosts| hosts.get(&name)?.as_table_like());
        let table = table.ok_or_else(|| format!("host {name} is no table"))?;
        read.push(host(&name, table)?);
    }
    let server = string(top, "server")?.unwrap_or_default();
    read.push(host(&server, top)?);
    Ok(read)
}

/// The names of the tables `[host."…"]` in the order of the file (`getSortedHosts`). A name
/// counts again where a table below it stands behind another host's; one of an inline table
/// does not count at all.
fn in_order(hosts: Option<&dyn TableLike>) -> Vec<String> {
    let mut tables = Vec::new();
    for (name, item) in hosts.into_iter().flat_map(TableLike::iter) {
        positions(item, name, &mut tables);
    }
    tables.sort_by_key(|(position, _)| *position);
    let mut names: Vec<String> = tables.into_iter().map(|(_, name)| name.to_owned()).collect();
    names.dedup();
    names
}

fn positions<'name>(item: &Item, name: &'name str, tables: &mut Vec<(isize, &'name str)>) {
    let Some(table) = item.as_table() else { return };
    tables.extend(table.position().map(|position| (position, name)));
    for (_, below) in table {
        positions(below, name, tables);
    }
}

/// A key, or one that differs from it only in its case.
fn field<'table>(table: &'table dyn TableLike, name: &str) -> Option<&'table Item> {
    let other = || table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    table.get(name).or_else(|| other().map(|(_, item)| item))
}

fn string(table: &dyn TableLike, name: &str) -> Result<Option<String>, String> {
    let Some(item) = field(table, name) else { return Ok(None) };
    let text = item.as_str().ok_or_else(|| format!("{name} is no text"))?;
    Ok(Some(text.to_owned()))
}

fn boolean(table: &dyn TableLike, name: &str) -> Result<bool, String> {
    field(table, name).map_or(Ok(false), |item| {
        item.as_bool().ok_or_else(|| format!("{name} is neither true nor false"))
    })
}

/// A text or a list of texts.
fn texts(item: &Item, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{name} is neither a text nor a list of texts");
    if let Some(text) = item.as_str() {
        return Ok(vec![text.to_owned()]);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    item.as_array().ok_or_else(wrong)?.iter().map(text).collect()
}

/// `parseHostConfig`.
fn host(server: &str, table: &dyn TableLike) -> Result<Host, String> {
    let keeps_path = boolean(table, "override_path")?;
    let url = if server.is_empty() { None } else { Some(url(server, keeps_path)?) };
    let (can_pull, can_resolve) = capabilities(table)?;
    let authorities = field(table, "ca").map_or(Ok(Vec::new()), |item| texts(item, "ca"))?;
    let identities = field(table, "client").map_or(Ok(Vec::new()), identities)?;
    let dial_timeout = match string(table, "dial_timeout")?.filter(|text| !text.is_empty()) {
        Some(text) => Some(duration(&text).ok_or(format!("{text} is no dial_timeout"))?),
        None => None,
    };
    Ok(Host {
        url,
        can_pull,
        can_resolve,
        authorities,
        identities,
        skip_verify: boolean(table, "skip_verify")?,
        headers: headers(table)?,
        dial_timeout,
    })
}

/// Its path ends in `/v2`, unless the file says that its path is all of it.
fn url(server: &str, keeps_path: bool) -> Result<Url, String> {
    let whole =
        if server.starts_with("http") { server.to_owned() } else { format!("https://{server}") };
    let wrong = || format!("{server} is no server");
    let mut url = Url::parse(&whole).map_err(|_| wrong())?;
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let is_whole = keeps_path || path.ends_with("/v2");
    url.set_path(&if is_whole { path } else { format!("{path}/v2") });
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether it serves content, and whether it may say what a tag means. All of it where the file
/// says nothing.
fn capabilities(table: &dyn TableLike) -> Result<(bool, bool), String> {
    let Some(item) = field(table, "capabilities") else { return Ok((true, true)) };
    let names = texts(item, "capabilities")?;
    let mut known = (names.is_empty(), names.is_empty());
    for name in names {
        match name.to_lowercase().as_str() {
            "pull" => known.0 = true,
            "resolve" => known.1 = true,
            "push" | "referrers" => {}
            _ => return Err(format!("{name} is no capability")),
        }
    }
    Ok(known)
}

/// A file, files, or pairs of files.
fn identities(item: &Item) -> Result<Vec<(String, String)>, String> {
    let wrong = || "client is neither a file, nor files, nor pairs of files".to_owned();
    if let Some(file) = item.as_str() {
        return Ok(vec![(file.to_owned(), file.to_owned())]);
    }
    let pair = |value: &Value| {
        if let Some(file) = value.as_str() {
            return Ok((file.to_owned(), file.to_owned()));
        }
        let files: Vec<&str> =
            value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match files[..] {
            [certificate, key] => Ok((certificate.to_owned(), key.to_owned())),
            _ => Err(wrong()),
        }
    };
    item.as_array().ok_or_else(wrong)?.iter().map(pair).collect()
}

fn headers(table: &dyn TableLike) -> Result<Vec<(String, Secret)>, String> {
    let Some(item) = field(table, "header") else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (name, values) in item.as_table_like().ok_or("header is no table")?.iter() {
        for value in texts(values, "a header")? {
            headers.push((name.to_owned(), Secret::new(value)));
        }
    }
    Ok(headers)
}

/// `time.ParseDuration`, where it is more than nothing.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let after = &rest[end..];
        let end = after.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, next) = after.split_at(end.unwrap_or(after.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        sum += number * seconds;
        rest = next;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(sum).ok())?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Host, read};

    fn urls(text: &str) -> Vec<String> {
        let url = |host: Host| host.url.map_or_else(String::new, |url| url.to_string());
        read(text).unwrap().into_iter().map(url).collect()
    }

    #[track_caller]
    fn first(lines: &str) -> Host {
        read(&format!("[host.\"m.test\"]\n{lines}")).unwrap().remove(0)
    }

    #[test]
    fn the_order_is_that_of_the_file() {
        let text =
            "server = \"https://r.test\"\n[host.\"https://z.test\"]\n[host.\"a.test:5000\"]\n";
        assert_eq!(
            urls(text),
            ["https://z.test/v2", "https://a.test:5000/v2", "https://r.test/v2"]
        );
        assert_eq!(urls(""), [""]);
        assert_eq!(urls("[host.\"a.test\"]"), ["https://a.test/v2", ""]);
        // A table below a host counts for its host, and again where another stood between them.
        let headers = "[host.\"a.test\"]\n[host.\"a.test\".header]\n[host.\"b.test\"]\n";
        assert_eq!(urls(headers), ["https://a.test/v2", "https://b.test/v2", ""]);
        let again = format!("{headers}[host.\"b.test\".header]\n[host.\"c.test\".header]\n");
        assert_eq!(urls(&again)[2..], ["https://c.test/v2", ""]);
        let between = "[host.\"a.test\"]\n[host.\"b.test\"]\n[host.\"a.test\".header]\n";
        assert_eq!(urls(between)[1..3], ["https://b.test/v2", "https://a.test/v2"]);
        assert_eq!(urls("host.\"a.test\" = {capabilities = [\"pull\"]}"), [""]);
    }

    #[test]
    fn a_path_ends_in_v2_unless_the_file_says_otherwise() {
        for (server, overrides, expected) in [
            ("http://m.test", false, "http://m.test/v2"),
            ("m.test/", false, "https://m.test/v2"),
            ("https://m.test/v2", false, "https://m.test/v2"),
            ("https://m.test/proxy/", false, "https://m.test/proxy/v2"),
            ("https://m.test/v2/proxy", false, "https://m.test/v2/proxy/v2"),
            ("https://m.test/v2/proxy", true, "https://m.test/v2/proxy"),
            ("https://m.test", true, "https://m.test/"),
        ] {
            let text = format!("[host.\"{server}\"]\noverride_path = {overrides}");
            assert_eq!(urls(&text)[0], expected, "{server}");
        }
    }

    #[test]
    fn what_a_host_may_do_and_how_it_is_asked() {
        let all = first("");
        assert!((all.can_pull, all.can_resolve, all.skip_verify) == (true, true, false));
        let pulls = first("capabilities = [\"Pull\", \"push\"]");
        assert!((pulls.can_pull, pulls.can_resolve) == (true, false));
        let host = first(
            "ca = [\"a.crt\", \"b.crt\"]\nclient = [[\"c.crt\", \"c.key\"], \"d.pem\"]\n\
             skip_verify = true\ndial_timeout = \"1m1.5s\"\n[host.\"m.test\".header]\n\
             x-one = \"canary\"\nx-two = [\"canary\", \"canary\"]\n",
        );
        assert_eq!(host.authorities, ["a.crt", "b.crt"]);
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(host.identities, [pair("c.crt", "c.key"), pair("d.pem", "d.pem")]);
        assert_eq!(host.dial_timeout, Some(Duration::from_millis(61_500)));
        let names: Vec<&str> = host.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-one", "x-two", "x-two"]);
        assert!(host.skip_verify && !format!("{host:?}").contains("canary"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("host = 1", "host is no table"),
            ("server = 1", "server is no text"),
            ("server = \"http://\"", "http:// is no server"),
            ("capabilities = [\"fly\"]", "fly is no capability"),
            ("ca = 1", "ca is neither a text nor a list of texts"),
            ("client = [[\"a\"]]", "client is neither a file, nor files, nor pairs of files"),
            ("skip_verify = 1", "skip_verify is neither true nor false"),
            ("header = 1", "header is no table"),
            ("dial_timeout = \"soon\"", "soon is no dial_timeout"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        assert!(read("server =").is_err());
    }
}
