//! `backup` and `restore`: a copy of what cannot be folded again, and a ledger made of one.

use std::{
    fs::{self, File, OpenOptions},
    io::{IsTerminal, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use database::ServeLock;
use projections::engine::Replayed;

use super::{instance, progress::Progress};
use crate::config::Config;

/// Tables whose rows come back by themselves, or must not: how far read models and their rebuilds are, states kept to
/// save time, and who is signed in.
const WITHOUT_ROWS: &[&str] = &[
    "projection_checkpoints",
    "projection_rebuilds",
    "snapshots",
    "tower_sessions",
    "user_sessions",
    "oidc_flows",
    "password_resets",
    "notification_deliveries",
    "notification_delivery_items",
    "notification_delivery_attempts",
];

/// Copy the log, the accounts and the settings to a file, while the server runs or not.
///
/// Read models are left out: restoring folds them again. The file is an archive of PostgreSQL's `pg_dump`. It holds
/// e-mail addresses, password hashes, and the secrets of the notification channels and their destinations; keep it as
/// you keep those.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The file to write, which must not be there yet; - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Make a ledger of a backup, in an empty database.
///
/// It takes all of the file or, when it fails, nothing. A database that holds something already is refused: name
/// another folder with --data, or another database in `DATABASE_URL`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn back_up(config: Config, args: BackupArgs) -> anyhow::Result<()> {
    let to_standard_output = args.file == Path::new("-");
    let (file, draft) = if to_standard_output {
        if std::io::stdout().is_terminal() {
            bail!("a backup is nothing for a terminal; name a file, or send it through a pipe");
        }
        (File::from(std::io::stdout().as_fd().try_clone_to_owned()?), None)
    } else {
        let (file, draft) = Draft::beside(&args.file)?;
        (file, Some(draft))
    };
    let models: Vec<&str> = projections::all().iter().flat_map(|definition| definition.tables()).collect();
    let copied = instance::with_database(&config, async |database| {
        let mut progress = Progress::new("copying", "events");
        progress.then("copying the log, the accounts and the settings");
        Ok(database.back_up(file, &models, WITHOUT_ROWS).await?)
    })
    .await?;
    let size = draft.map(|draft| draft.keep(&args.file)).transpose()?;
    let told = format!(
        "{} events up to position {} and {} accounts are in {}",
        copied.events,
        copied.position,
        copied.accounts,
        size.map_or_else(
            || "the backup".to_owned(),
            |size| format!("{} ({} kB)", args.file.display(), size.div_ceil(1_000))
        ),
    );
    if to_standard_output {
        writeln!(std::io::stderr(), "{told}")?;
    } else {
        writeln!(std::io::stdout(), "{told}")?;
    }
    Ok(())
}

pub(super) async fn restore(config: Config, args: RestoreArgs) -> anyhow::Result<()> {
    // Nobody may serve what is half there.
    let _lock = match config.database_url {
        None => Some(ServeLock::acquire(&config.data)?),
        Some(_) => None,
    };
    instance::with_database(&config, async |database| {
        let mut progress = Progress::new("restoring", "events");
        progress.then("restoring the log, the accounts and the settings");
        Ok(database.put_back(&args.file).await?)
    })
    .await?;
    // Opening it runs the migrations that came after the backup.
    let (events, models) = instance::with(&config, async |instance| {
        let mut events = 0;
        let mut progress = Progress::new("folding the log", "events");
        let replayed = |now: Replayed| {
            events = now.events;
            progress.at(super::count(now.position), super::count(now.head));
            if now.position >= now.head {
                progress.then("writing the tables");
            }
        };
        let rebuilt = instance.ledger.projections.rebuild(&[], replayed).await?;
        Ok((events, rebuilt.len()))
    })
    .await
    .context("the log is restored, but the read models are not; `figure-ledger rebuild` makes them")?;
    writeln!(std::io::stdout(), "restored: {events} events, and {models} read models folded from them")?;
    Ok(())
}

/// A file that is not whole yet. Dropped before it is kept, it goes.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Makes one beside the file that it is to become; also what to write to. Nobody else may read it.
    fn beside(target: &Path) -> anyhow::Result<(File, Self)> {
        if target.exists() {
            bail!("{} is there already; name another file", target.display());
        }
        let mut name = target.file_name().context("that names no file")?.to_owned();
        name.push(".part");
        let path = target.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok((file.try_clone()?, Self { path, file }))
    }

    /// Gives it its name, once it is on the disk; its size in bytes.
    fn keep(self, target: &Path) -> anyhow::Result<u64> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        Ok(self.file.metadata()?.len())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Kept, it has another name by now.
        let _ = fs::remove_file(&self.path);
    }
}
