//! File locks of the data folder. The kernel frees them when their holder dies, however it dies, and
//! the handles are closed on exec, so PostgreSQL never inherits one.

use super::ClusterError;
use nix::unistd::{Gid, Uid, chown, geteuid};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Held while the cluster is made, started or stopped.
pub(super) const START: &str = "start.lock";
/// Shared by everyone who uses the cluster.
pub(super) const CLUSTER: &str = "cluster.lock";
const SERVE: &str = "serve.lock";

/// A process that we are starting in another thread holds copies of our locks for the moment between
/// its fork and its exec, also of those let go of meanwhile.
const FORK_PATIENCE: Duration = Duration::from_millis(100);

fn try_for(file: &File, patience: Duration) -> Result<(), TryLockError> {
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}

pub(super) fn open(data_dir: &Path, name: &str) -> Result<File, ClusterError> {
    let path = data_dir.join(name);
    let fresh = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| ClusterError::io("cannot open", &path, e))?;
    if fresh && geteuid().is_root() {
        // Root starting a server in somebody's folder must not lock its owner out of it.
        if let Ok(meta) = std::fs::metadata(data_dir) {
            let _ = chown(&path, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())));
        }
    }
    Ok(file)
}

/// Waits for the exclusive lock.
pub(super) fn exclusive(data_dir: &Path, name: &str, patience: Duration) -> Result<File, ClusterError> {
    let file = open(data_dir, name)?;
    match try_for(&file, patience) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(ClusterError::Busy { path: data_dir.join(name), seconds: patience.as_secs() })
        }
        Err(TryLockError::Error(e)) => Err(ClusterError::io("cannot lock", &data_dir.join(name), e)),
    }
}

/// Takes the shared lock of the cluster's users. The caller holds the start lock, under which alone
/// the exclusive one is ever tried, so there is nothing to wait for.
pub(super) fn shared(data_dir: &Path) -> Result<File, ClusterError> {
    let file = open(data_dir, CLUSTER)?;
    file.lock_shared().map_err(|e| ClusterError::io("cannot lock", &data_dir.join(CLUSTER), e))?;
    Ok(file)
}

/// The exclusive lock of the cluster's users, if nobody uses it.
pub(super) fn last_user(data_dir: &Path) -> Result<Option<File>, ClusterError> {
    let file = open(data_dir, CLUSTER)?;
    match try_for(&file, FORK_PATIENCE) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(ClusterError::io("cannot lock", &data_dir.join(CLUSTER), e)),
    }
}

/// The right to be the one `serve` on a data folder, for as long as the value lives. It also frees
/// itself when the process dies.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

/// Why the folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeLockError {
    /// Another process serves it.
    #[error("another server already runs on {}{}; stop it first, or use another folder with --data",
        folder.display(), pid.map_or_else(String::new, |pid| format!(" (process {pid})")))]
    Held {
        /// The data folder.
        folder: PathBuf,
        /// Who holds it, when that could be read.
        pid: Option<u32>,
    },
    /// The lock file is out of reach.
    #[error(transparent)]
    Folder(#[from] ClusterError),
}

impl ServeLock {
    /// Takes the lock on `data_dir`, making the folder if need be.
    ///
    /// # Errors
    /// [`ServeLockError::Held`], naming the process, when another server has it.
    pub fn acquire(data_dir: &Path) -> Result<Self, ServeLockError> {
        let folder = super::canonical(data_dir)?;
        let path = folder.join(SERVE);
        let mut file = open(&folder, SERVE)?;
        match try_for(&file, FORK_PATIENCE) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(ServeLockError::Held { folder, pid });
            }
            Err(TryLockError::Error(e)) => return Err(ClusterError::io("cannot lock", &path, e).into()),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|e| ClusterError::io("cannot write", &path, e))?;
        Ok(Self { _file: file })
    }
}
