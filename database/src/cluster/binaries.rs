//! Finding PostgreSQL's programs on the machine, and fetching them when there are none.

use super::account::Account;
use super::{ClusterError, OLDEST_MAJOR};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Handle;

const RELEASES: &str = "https://github.com/theseus-rs/postgresql-binaries";
const FETCHED_MAJOR: u32 = 17;
const FETCH_PATIENCE: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Finds programs that `account` can run: of version `major` when a cluster of that version
    /// exists, else any that is new enough. Fetches them into `store` as the last resort.
    pub fn find(
        account: &Account,
        major: Option<u32>,
        store: &Path,
        runtime: &Handle,
    ) -> Result<Self, ClusterError> {
        let mut tried = Vec::new();
        for dir in candidates(Some(store), "postgres") {
            match usable(account, &dir, major) {
                Ok(()) => {
                    tracing::debug!(dir = %dir.display(), "found PostgreSQL");
                    return Ok(Self { dir });
                }
                Err(reason) => tried.push(format!("{}: {reason}", dir.display())),
            }
        }
        tracing::info!(into = %store.display(), "no PostgreSQL on this machine, fetching one");
        let fetched = runtime.block_on(fetch(major.unwrap_or(FETCHED_MAJOR), store)).and_then(|dir| {
            usable(account, &dir, major).map(|()| dir).map_err(|reason| format!("what arrived is {reason}"))
        });
        match fetched {
            Ok(dir) => Ok(Self { dir }),
            Err(fetch) => {
                let looked_at = if tried.is_empty() {
                    "pg_config, /usr/lib/postgresql/*/bin and PATH have none".to_owned()
                } else {
                    tried.join("; ")
                };
                Err(ClusterError::NoBinaries { wanted: wanted(major), looked_at, fetch })
            }
        }
    }
}

fn wanted(major: Option<u32>) -> String {
    major.map_or_else(
        || format!("PostgreSQL {OLDEST_MAJOR} or newer"),
        |major| format!("PostgreSQL {major} (the data folder was made by it)"),
    )
}

/// The folder with `pg_dump` and `pg_restore` that fit a server of this major version best: of the same version, else
/// of the next newer one. An older `pg_dump` refuses to work.
pub(crate) fn client_programs(store: Option<&Path>, server: u32) -> Option<PathBuf> {
    let fitting = candidates(store, "pg_dump").into_iter().filter_map(|dir| {
        let output = Command::new(dir.join("pg_dump")).arg("--version").output().ok()?;
        let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
        (major >= server && dir.join("pg_restore").is_file()).then_some((major, dir))
    });
    fitting.min_by_key(|(major, _)| *major).map(|(_, dir)| dir)
}

/// The folders with a program, the likeliest first.
fn candidates(store: Option<&Path>, program: &str) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        let dir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !dir.is_empty() {
            dirs.push(PathBuf::from(dir));
        }
    }
    dirs.extend(versions_under(Path::new("/usr/lib/postgresql")));
    if let Some(path) = std::env::var_os("PATH") {
        dirs.extend(std::env::split_paths(&path).filter(|dir| dir.join(program).is_file()));
    }
    dirs.extend(store.into_iter().flat_map(versions_under));
    let mut seen = std::collections::HashSet::new();
    dirs.retain(|dir| {
        let real = std::fs::canonicalize(dir.join(program));
        real.is_ok_and(|real| seen.insert(real))
    });
    dirs
}

/// `ROOT/*/bin`, newest version first.
fn versions_under(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, dir)| dir).collect()
}

fn usable(account: &Account, dir: &Path, major: Option<u32>) -> Result<(), String> {
    let output = account
        .command(dir.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|e| format!("cannot be run by user {} ({e})", account.name))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = major_of(&text).ok_or_else(|| "does not tell its version".to_owned())?;
    if found < OLDEST_MAJOR || major.is_some_and(|major| major != found) {
        return Err(format!("version {found}"));
    }
    if !dir.join("initdb").is_file() {
        return Err("without initdb".to_owned());
    }
    // Servers without the contrib package exist; search needs its trigrams.
    if let Ok(output) = account.command(dir.join("pg_config")).arg("--sharedir").output()
        && output.status.success()
    {
        let share = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if share.is_dir() && !share.join("extension/pg_trgm.control").is_file() {
            return Err("without the extension pg_trgm (the contrib package)".to_owned());
        }
    }
    Ok(())
}

/// `postgres (PostgreSQL) 15.8 (Debian …)` → 15, `16beta1` → 16.
fn major_of(version_line: &str) -> Option<u32> {
    let version =
        version_line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

async fn fetch(major: u32, store: &Path) -> Result<PathBuf, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    // The library only wants to install when the cluster seems to be there already; ours is made by
    // us, as another user and with another locale.
    let staging = store.join("staging");
    std::fs::create_dir_all(&staging).map_err(|e| text(&e))?;
    std::fs::write(staging.join("postgresql.conf"), "").map_err(|e| text(&e))?;
    let settings = postgresql_embedded::Settings {
        releases_url: RELEASES.to_owned(),
        version: postgresql_embedded::VersionReq::parse(&format!("={major}")).map_err(|e| text(&e))?,
        installation_dir: store.to_owned(),
        password_file: staging.join("password"),
        data_dir: staging.clone(),
        host: "localhost".to_owned(),
        port: 0,
        username: "postgres".to_owned(),
        password: String::new(),
        temporary: false,
        timeout: Some(FETCH_PATIENCE),
        configuration: HashMap::new(),
        trust_installation_dir: false,
    };
    let mut postgres = postgresql_embedded::PostgreSQL::new(settings);
    let outcome = tokio::time::timeout(FETCH_PATIENCE, postgres.setup()).await;
    let installed = postgres.settings().installation_dir.clone();
    let _ = std::fs::remove_dir_all(&staging);
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(e)) => return Err(with_causes(&e)),
        Err(_) => return Err(format!("no answer within {} s", FETCH_PATIENCE.as_secs())),
    }
    // It unpacks into a folder for us alone, but the account the server runs under needs it.
    for dir in [store, &installed] {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).map_err(|e| text(&e))?;
    }
    Ok(installed.join("bin"))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("postgres (PostgreSQL) devel"), None);
    }

    #[test]
    fn the_newest_installed_version_comes_first() {
        let root = std::env::temp_dir().join(format!("versions-{}", uuid::Uuid::now_v7()));
        for version in ["9.6", "14", "100", "15.4.0", "not-a-version"] {
            std::fs::create_dir_all(root.join(version)).unwrap();
        }
        let names: Vec<_> = versions_under(&root)
            .iter()
            .map(|dir| dir.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(names, ["100", "15.4.0", "14", "9.6"]);
    }
}
