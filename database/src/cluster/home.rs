//! Where a data folder's cluster lives: inside it, or, when root lends PostgreSQL an account that
//! cannot reach it, under `/var/lib/figure-ledger`, with a pointer left behind.

use super::account::Account;
use super::{ClusterError, Durability, server};
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const ELSEWHERE: &str = "/var/lib/figure-ledger";
pub(super) const POINTER: &str = "postgres.location";
const FOLDER: &str = "folder";
/// A socket's path has 108 bytes in the kernel, one of them the closing NUL.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();

/// The folder that holds the cluster, its logs and its socket.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub root: PathBuf,
    store: PathBuf,
}

impl Home {
    fn inside(data_dir: &Path) -> Self {
        Self { root: data_dir.join("postgres"), store: data_dir.join("postgres-binaries") }
    }

    fn elsewhere(root: PathBuf) -> Self {
        Self { root, store: Path::new(ELSEWHERE).join("postgres-binaries") }
    }

    /// PostgreSQL's own data directory.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Where fetched programs go.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// The home of `data_dir` as recorded, without making or judging anything.
    pub fn recorded(data_dir: &Path) -> Self {
        match read_pointer(data_dir) {
            Ok(Some(root)) => Self::elsewhere(root),
            _ => Self::inside(data_dir),
        }
    }

    /// Finds the home of `data_dir` or settles where it will be. The caller holds the start lock.
    pub fn settle(data_dir: &Path, durability: Durability) -> Result<(Self, Account), ClusterError> {
        if let Some(root) = read_pointer(data_dir)? {
            if root.is_dir() {
                let home = Self::elsewhere(root);
                home.claim(data_dir)?;
                let account = if home.data().exists() {
                    Account::for_existing(&home.data())
                } else {
                    Account::for_new(data_dir)
                }?;
                return Ok((home, account));
            }
            if durability == Durability::Full {
                return Err(ClusterError::Gone { pointer: data_dir.join(POINTER), root });
            }
        }
        let inside = Self::inside(data_dir);
        if inside.data().exists() {
            let account = Account::for_existing(&inside.data())?;
            if !account.can_enter(data_dir) {
                return Err(ClusterError::OutOfReach { path: data_dir.to_owned(), account: account.name });
            }
            return Ok((inside, account));
        }
        let account = Account::for_new(data_dir)?;
        if !account.dropped || account.can_enter(data_dir) {
            return Ok((inside, account));
        }
        let home = Self::elsewhere(Path::new(ELSEWHERE).join(short_hash(data_dir)));
        if home.data().exists() && durability == Durability::Full {
            // The folder that this belonged to was deleted and made anew. Neither bring its contents
            // back nor destroy them.
            server::stop(&home)?;
            let aside = home.root.with_extension(format!("abandoned-{}", Uuid::now_v7()));
            std::fs::rename(&home.root, &aside)
                .map_err(|e| ClusterError::io("cannot move aside", &home.root, e))?;
            tracing::warn!(from = %data_dir.display(), to = %aside.display(),
                "the cluster of an earlier folder of this name was moved aside");
        }
        make_dir(Path::new(ELSEWHERE), 0o755)?;
        make_dir(&home.root, 0o700)?;
        account.give(&home.root)?;
        write_whole(&home.root.join(FOLDER), data_dir.as_os_str().as_bytes())?;
        write_whole(&data_dir.join(POINTER), home.root.as_os_str().as_bytes())?;
        let account = if home.data().exists() { Account::for_existing(&home.data())? } else { account };
        Ok((home, account))
    }

    /// Two folders must never share one cluster: their locks would not see each other. A copied folder
    /// is refused, a moved one takes the cluster along.
    fn claim(&self, data_dir: &Path) -> Result<(), ClusterError> {
        let record = self.root.join(FOLDER);
        let owner = std::fs::read(&record).map_err(|e| ClusterError::io("cannot read", &record, e))?;
        let owner = PathBuf::from(std::ffi::OsString::from_vec(owner));
        if owner == data_dir {
            return Ok(());
        }
        if read_pointer(&owner).ok().flatten().is_some_and(|root| root == self.root) {
            return Err(ClusterError::Copied { copy: data_dir.to_owned(), original: owner });
        }
        write_whole(&record, data_dir.as_os_str().as_bytes())
    }

    /// Makes the folders around the cluster.
    pub fn prepare(&self, account: &Account) -> Result<(), ClusterError> {
        for dir in [&self.root, &self.logs()] {
            make_dir(dir, 0o700)?;
            account.give(dir)?;
        }
        Ok(())
    }

    /// The folder of the socket, made if need be: beside the cluster, or a short one of the system's
    /// when that path is too long for a socket (or would be torn by PostgreSQL's or a URL's syntax).
    pub fn socket_dir(&self, account: &Account) -> Result<PathBuf, ClusterError> {
        let beside = self.root.join("run");
        let plain = beside
            .to_str()
            .is_some_and(|text| text.len() <= LONGEST_SOCKET_DIR && !text.contains(char::is_control));
        if plain {
            make_dir(&beside, 0o700)?;
            account.give(&beside)?;
            return Ok(beside);
        }
        let record = self.root.join("socket-folder");
        if let Ok(text) = std::fs::read_to_string(&record) {
            let dir = PathBuf::from(text);
            // A name under /tmp may have been taken by someone else since.
            let ours = std::fs::symlink_metadata(&dir)
                .is_ok_and(|meta| meta.is_dir() && meta.uid() == account.uid && meta.mode() & 0o077 == 0);
            if ours {
                return Ok(dir);
            }
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|dir| !geteuid().is_root() && dir.is_absolute() && dir.is_dir())
            .filter(|dir| dir.to_str().is_some_and(|text| text.len() + 40 <= LONGEST_SOCKET_DIR));
        let name =
            format!("figure-ledger-{}", Uuid::new_v4().simple().to_string().get(..16).unwrap_or_default());
        let dir = runtime.unwrap_or_else(|| PathBuf::from("/tmp")).join(name);
        DirBuilder::new().mode(0o700).create(&dir).map_err(|e| ClusterError::io("cannot make", &dir, e))?;
        account.give(&dir)?;
        write_whole(&record, dir.as_os_str().as_bytes())?;
        Ok(dir)
    }

    /// Deletes the cluster and what belongs to it outside the data folder. For tests.
    pub fn erase(&self) {
        if let Ok(dir) = std::fs::read_to_string(self.root.join("socket-folder")) {
            let _ = std::fs::remove_dir_all(dir);
        }
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn read_pointer(data_dir: &Path) -> Result<Option<PathBuf>, ClusterError> {
    let path = data_dir.join(POINTER);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(bytes.trim_ascii_end().to_vec())))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ClusterError::io("cannot read", &path, e)),
    }
}

fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_bytes()).iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn make_dir(path: &Path, mode: u32) -> Result<(), ClusterError> {
    if !path.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .map_err(|e| ClusterError::io("cannot make", path, e))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|e| ClusterError::io("cannot set the mode of", path, e))?;
    }
    Ok(())
}

/// Writes a small file so that a crash leaves the old one or the new one.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), ClusterError> {
    let draft = path.with_extension("new");
    File::create(&draft)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&draft, path))
        .map_err(|e| ClusterError::io("cannot write", path, e))
}
