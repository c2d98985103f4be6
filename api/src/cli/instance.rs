//! The database, the log and the read models, opened for as long as one subcommand runs.

use std::{io, time::Duration};

use anyhow::{Context, bail};
use database::{Database, Source};
use domain::stream::Position;
use projections::engine::{Running, State, Waited};
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

use crate::{config::Config, ledger::Ledger};

/// How long it is waited before looking whether waiting makes sense.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The process was told to stop before its work was done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// What a subcommand works on, beside a running server or without one.
pub(super) struct Instance {
    /// Connections to the database.
    pub pool: PgPool,
    /// The log and the read models.
    pub ledger: Ledger,
}

/// Opens the database that the settings name, the log and the read models, lets `work` do its work, and
/// closes them again, also when it failed or the process is told to stop.
///
/// # Errors
/// What `work` says; [`Interrupted`]; and when there is no usable database.
pub(super) async fn with<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Instance) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = super::open(config).await?;
    unless_told_to_stop(database, async |database| opened(database, work).await).await
}

/// The same with the database as it stands: nothing is migrated, and no ledger opened.
///
/// # Errors
/// As [`with`].
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let source = Source::from_env_or_private(config.database_url.clone(), &config.data);
    let database = Database::connect(&source).await.context("there is no usable database")?;
    unless_told_to_stop(database, work).await
}

async fn unless_told_to_stop<T>(
    database: Database,
    work: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let outcome = tokio::select! {
        biased;
        outcome = work(&database) => outcome,
        stopped = told_to_stop() => Err(stopped.map_or_else(Into::into, |()| Interrupted.into())),
    };
    let closed = database.close().await;
    let outcome = outcome?;
    closed?;
    Ok(outcome)
}

async fn opened<T>(
    database: &Database,
    work: impl AsyncFnOnce(&Instance) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let pool = database.pool.clone();
    let ledger = Ledger::open(&pool).await.context("the ledger cannot be opened")?;
    work(&Instance { pool, ledger }).await
}

/// Ends when the process is asked to end.
pub(super) async fn told_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

impl Instance {
    /// Folds the read models unless a server beside this process does; ends when what it gives is dropped.
    /// Whoever appends calls this first and [`Instance::shown`] at the end.
    pub(super) fn fold(&self) -> Running {
        self.ledger.projections.run()
    }

    /// Waits until all read models show what the log holds up to a position, however long that takes.
    ///
    /// # Errors
    /// When one is stopped or paused before it: it will not get there by itself.
    pub(super) async fn shown(&self, position: Position) -> anyhow::Result<()> {
        let projections = &self.ledger.projections;
        let names: Vec<&str> = projections.definitions().iter().map(|definition| definition.name).collect();
        loop {
            let Waited::Behind(late) = projections.wait_for(&names, position, LOOK_EVERY).await else {
                return Ok(());
            };
            let stuck: Vec<String> = projections
                .status()
                .await?
                .into_iter()
                .filter(|one| {
                    late.contains(&one.name) && one.state != State::Running && one.position < position
                })
                .map(|one| match one.error {
                    Some(error) => format!("{} is stopped at {error}", one.name),
                    None => format!("{} is paused", one.name),
                })
                .collect();
            if !stuck.is_empty() {
                bail!("it is on record, but not to be seen yet: {}", stuck.join("; "));
            }
        }
    }
}

/// Checks the names of projections given on the command line.
///
/// # Errors
/// When one is unknown; says which there are.
pub(super) fn known(ledger: &Ledger, names: &[String]) -> anyhow::Result<()> {
    let all: Vec<&str> = ledger.projections.definitions().iter().map(|definition| definition.name).collect();
    match names.iter().find(|name| !all.contains(&name.as_str())) {
        Some(unknown) => bail!("there is no projection {unknown:?}; there are: {}", all.join(", ")),
        None => Ok(()),
    }
}
