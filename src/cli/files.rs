//! The Secrets in the files that a command names with `-f`, and the ServiceAccount.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::resolve::azure::Account;
use crate::resolve::keyring::PullSecret;

use super::failure::Hinted;
use super::manifests::{self, Manifests};
use super::words::Origin;

/// What the files hold.
pub(super) struct Given {
    /// The files, as where the secrets come from.
    pub(super) origin: Origin,
    /// The Secrets of all files, in their order.
    pub(super) secrets: Vec<PullSecret>,
    /// The ServiceAccount, where one stands beside them.
    pub(super) account: Option<Account>,
}

/// Reads all files. At most one ServiceAccount may stand beside the Secrets; alone it is
/// something only where `account_counts`.
pub(super) fn read(files: &[PathBuf], account_counts: bool) -> anyhow::Result<Given> {
    let mut secrets = Vec::new();
    let mut accounts = Vec::new();
    for file in files {
        let shown = name_of(file);
        let mut content = Vec::new();
        if is_standard_input(file) {
            io::stdin().lock().read_to_end(&mut content).map(drop)
        } else {
            std::fs::read(file).map(|read| content = read)
        }
        .with_context(|| format!("cannot read {shown}"))?;
        let Manifests { secrets: found, accounts: of_file } =
            manifests::read(&content).with_context(|| format!("cannot use {shown}"))?;
        ensure!(
            !found.is_empty() || !of_file.is_empty(),
            "cannot use {shown}: there is no Secret in it"
        );
        secrets.extend(found);
        accounts.extend(of_file);
        ensure!(
            accounts.len() <= 1,
            Hinted::new(
                format!("cannot use {shown}: a pod has one service account"),
                "write at most one ServiceAccount",
            )
        );
    }
    if let (true, false, Some((_, alone))) = (secrets.is_empty(), account_counts, accounts.first())
    {
        let alone = Err(alone.clone());
        return alone.with_context(|| format!("cannot use {}", names(files).join(", ")));
    }
    let account = accounts.pop().map(|(account, _)| account);
    Ok(Given { origin: Origin::Files(names(files)), secrets, account })
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| name_of(file)).collect()
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn name_of(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}
