//! Which operating-system account PostgreSQL runs under. It refuses to run as root, so root lends it
//! another one.

use super::ClusterError;
use nix::unistd::{Gid, Uid, User, chown, geteuid};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub uid: u32,
    gid: u32,
    pub name: String,
    /// We are root and every child changes to this account.
    pub dropped: bool,
}

impl Account {
    /// The account for a cluster that does not exist yet, in `data_dir`.
    pub fn for_new(data_dir: &Path) -> Result<Self, ClusterError> {
        if !geteuid().is_root() {
            return Ok(Self::current());
        }
        let owner = std::fs::metadata(data_dir)
            .ok()
            .filter(|meta| meta.uid() != 0)
            .and_then(|meta| User::from_uid(Uid::from_raw(meta.uid())).ok().flatten());
        owner
            .or_else(|| User::from_name("postgres").ok().flatten())
            .or_else(|| User::from_name("nobody").ok().flatten())
            .map(Self::dropped_to)
            .ok_or(ClusterError::NoAccount)
    }

    /// The account that owns the existing cluster at `data`.
    pub fn for_existing(data: &Path) -> Result<Self, ClusterError> {
        let owner = std::fs::metadata(data).map_err(|e| ClusterError::io("cannot read", data, e))?.uid();
        let me = geteuid();
        if me.as_raw() == owner && !me.is_root() {
            return Ok(Self::current());
        }
        let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
        if !me.is_root() || owner == 0 {
            let name = user.map_or_else(|| format!("user id {owner}"), |user| user.name);
            return Err(ClusterError::NotOwner { path: data.to_owned(), owner: name });
        }
        user.map(Self::dropped_to).ok_or(ClusterError::NoAccount)
    }

    fn current() -> Self {
        let uid = geteuid();
        let name = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
        Self { uid: uid.as_raw(), gid: nix::unistd::getegid().as_raw(), name, dropped: false }
    }

    fn dropped_to(user: User) -> Self {
        Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name, dropped: true }
    }

    /// A command that runs as this account, without our environment's PostgreSQL settings, out of
    /// reach of the terminal's Ctrl-C.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        // The caller's folder may be closed to the account.
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null()).process_group(0);
        if self.dropped {
            // The standard library also lets go of root's supplementary groups here.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether the account can reach `dir`. Tried, not computed: ACLs and mounts count too.
    pub fn can_enter(&self, dir: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Makes the account the owner of `path`.
    pub fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if !self.dropped {
            return Ok(());
        }
        chown(path, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
            .map_err(|e| ClusterError::io("cannot hand over", path, e.into()))
    }
}
