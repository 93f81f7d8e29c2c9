//! Names of registries that look misspelt: valid ones, which are not what was meant.
//!
//! Source: Azure Container Registry, Troubleshoot registry login (the login server's name), and
//! the names under which the large registries serve.

/// The domains under which registries have names of their own.
const SUFFIXES: [&str; 3] = ["azurecr.io", "azurecr.cn", "azurecr.us"];
/// Registries that are one host.
const HOSTS: [&str; 6] =
    ["docker.io", "ghcr.io", "gcr.io", "quay.io", "mcr.microsoft.com", "registry.k8s.io"];

/// What was probably meant by the name of a host; `None` where nothing speaks against it.
pub(crate) fn meant(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    if HOSTS.contains(&host.as_str()) {
        return None;
    }
    for suffix in SUFFIXES {
        let name = host.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.'));
        let Some(name) = name else { continue };
        let doubled = SUFFIXES.iter().find_map(|other| {
            name.strip_suffix(other).filter(|rest| rest.ends_with('.')).map(|rest| (rest, other))
        });
        return doubled.map(|(name, _)| format!("{name}{suffix}"));
    }
    if let Some(likely) = HOSTS.iter().find(|known| is_near(&host, known)) {
        return Some((*likely).to_owned());
    }
    let labels: Vec<&str> = host.split('.').collect();
    let [name @ .., second, top] = labels.as_slice() else { return None };
    let domain = format!("{second}.{top}");
    let suffix = SUFFIXES.iter().find(|suffix| is_near(&domain, suffix))?;
    (!name.is_empty()).then(|| format!("{}.{suffix}", name.join(".")))
}

/// Whether one slip of a finger, or two letters in the wrong order, is all that differs; with
/// long names, two slips.
fn is_near(text: &str, known: &str) -> bool {
    let slips = if known.len() >= 10 { 2 } else { 1 };
    text != known && distance(text.as_bytes(), known.as_bytes()) <= slips
}

/// How many letters have to be added, taken away, changed or swapped with their neighbour (the
/// optimal string alignment distance).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, wanted) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(letter != wanted);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *wanted {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_misspelt() {
        for (host, expected) in [
            ("shop.azureacr.io", "shop.azurecr.io"),
            ("shop.azurcr.io", "shop.azurecr.io"),
            ("shop.azurecr.oi", "shop.azurecr.io"),
            ("shop.azurecr.io.azurecr.io", "shop.azurecr.io"),
            ("Shop.AzureCR.io.azurecr.cn", "shop.azurecr.cn"),
            ("ghrc.io", "ghcr.io"),
            ("quey.io", "quay.io"),
            ("registry.k8.io", "registry.k8s.io"),
        ] {
            assert_eq!(meant(host).as_deref(), Some(expected), "{host}");
        }
    }

    #[test]
    fn names_that_are_what_they_are() {
        for host in [
            "shop.azurecr.io",
            "shop.eastus.data.azurecr.io",
            "ghcr.io",
            "gcr.io",
            "eu.gcr.io",
            "registry.example.com",
            "azure.io",
            "r.test",
            "localhost",
            "10.0.0.1",
        ] {
            assert_eq!(meant(host), None, "{host}");
        }
    }
}
