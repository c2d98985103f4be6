//! Waiting until a read model holds what was just written.

use super::checkpoint::State;
use super::handle::{Progress, Projections};
use domain::stream::Position;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The channel on which the process that folds tells the others how far it is.
const CHANNEL: &str = "figure_ledger_projections";
/// How often a process that does not fold looks by itself, in case a notification got lost.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A connection on which nothing was heard for so long may be dead.
const QUIET: Duration = Duration::from_secs(30);

/// Whether the read models hold the events up to a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// All of them do.
    Reached,
    /// These do not: they are late, or halted.
    Behind(Vec<String>),
}

impl Waited {
    /// Whether all of them hold the events.
    #[must_use]
    pub const fn is_reached(&self) -> bool {
        matches!(self, Self::Reached)
    }
}

impl Projections {
    /// Waits until the named projections hold the events up to a position, for at most `patience`. One that
    /// is paused or stopped before it is not waited for.
    pub async fn wait_for(&self, names: &[&str], position: Position, patience: Duration) -> Waited {
        let deadline = Instant::now() + patience;
        let mut progress = self.inner.progress.subscribe();
        loop {
            let behind = behind(&progress.borrow_and_update(), names, position);
            let hopeless = behind.iter().any(|(_, halted)| *halted);
            if behind.is_empty() {
                return Waited::Reached;
            }
            if hopeless || Instant::now() >= deadline {
                return Waited::Behind(behind.into_iter().map(|(name, _)| name.to_owned()).collect());
            }
            if behind.iter().any(|(name, _)| self.folds(name)) {
                self.inner.seats.call();
            }
            let until = deadline.min(Instant::now() + LOOK_EVERY);
            let moved = timeout_at(until, progress.changed()).await;
            if moved.is_err()
                && !names.iter().all(|name| self.folds(name))
                && let Err(error) = self.refresh().await
            {
                tracing::debug!(%error, "the checkpoints could not be read");
            }
        }
    }
}

/// Those that are not there yet, and whether they are halted.
fn behind<'n>(
    progress: &BTreeMap<&'static str, Progress>,
    names: &[&'n str],
    position: Position,
) -> Vec<(&'n str, bool)> {
    let late = names.iter().map(|name| (*name, progress.get(name)));
    late.filter(|(_, known)| known.is_none_or(|known| known.position < position))
        .map(|(name, known)| (name, known.is_some_and(|known| known.state != State::Running)))
        .collect()
}

/// Tells other processes how far this one has folded, but for what its appends tell. Apart from the folds'
/// transactions, since a notification takes a lock that all of them would queue for.
pub(super) async fn tell(projections: Projections) {
    loop {
        let message = projections
            .inner
            .progress
            .borrow()
            .iter()
            .filter(|(name, _)| projections.folds(name))
            .map(|(name, known)| format!("{name}={}={}", known.position, known.state.as_str()))
            .collect::<Vec<_>>()
            .join(" ");
        let told = sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(message)
            .execute(&projections.inner.pool)
            .await;
        if let Err(error) = told {
            tracing::debug!(%error, "other processes could not be told of the read models");
            sleep(LOOK_EVERY).await;
        } else {
            projections.inner.untold.notified().await;
        }
    }
}

/// Learns from the process that folds how far it is.
pub(super) async fn listen(projections: Projections) {
    // A pool of its own: a listener keeps its connection for good.
    let connect = projections.inner.connect.clone();
    let own = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(connect.application_name("figure-ledger projections listener"));
    loop {
        if let Err(error) = listen_once(&projections, &own).await {
            tracing::debug!(%error, "listening for the read models was interrupted");
            sleep(projections.inner.options.poll_every).await;
        }
    }
}

/// Listens until nothing was heard for a while: whether nothing happened or the connection is dead, only a new one
/// tells.
async fn listen_once(projections: &Projections, own: &sqlx::PgPool) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(own).await?;
    listener.eager_reconnect(false);
    listener.listen_all([CHANNEL, event_store::CHANNEL]).await?;
    // What was told while nobody listened.
    timeout(QUIET, projections.refresh()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    while let Ok(heard) = timeout(QUIET, listener.try_recv()).await {
        let notification = heard?.ok_or(sqlx::Error::WorkerCrashed)?;
        let payload = notification.payload();
        // What this process folds itself, it knows better.
        if notification.channel() == CHANNEL {
            for (name, progress) in payload.split(' ').filter_map(told) {
                if !projections.folds(name) {
                    projections.hear(name, progress);
                }
            }
        } else if let Some((position, folded)) = event_store::notified(payload) {
            for name in folded.split(' ').filter(|name| !projections.folds(name)) {
                projections.hear(name, Progress { position, state: State::Running });
            }
        }
    }
    Ok(())
}

fn told(part: &str) -> Option<(&str, Progress)> {
    let (name, rest) = part.split_once('=')?;
    let (position, state) = rest.split_once('=')?;
    let progress = Progress { position: Position(position.parse().ok()?), state: State::from_word(state) };
    Some((name, progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let progress = Progress { position: Position(42), state: State::Stopped };
        assert_eq!(told("figures=42=stopped"), Some(("figures", progress)));
        assert_eq!(told("figures=many=stopped"), None);
    }
}
