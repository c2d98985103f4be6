//! Learning of new events: from this process's own appends at once, from other processes by notification,
//! and by asking now and then in case one got lost.

use crate::read;
use crate::store::EventStore;
use domain::stream::Position;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use std::time::Duration;
use tokio::sync::watch;

/// The channel on which every append that wrote events notifies; the payload is understood by [`notified`].
pub const CHANNEL: &str = "figure_ledger_log";

/// What a notification of an append tells: the new head, and what was folded inside ([`InlineFold::announces`]).
///
/// [`InlineFold::announces`]: crate::InlineFold::announces
#[must_use]
pub fn notified(payload: &str) -> Option<(Position, &str)> {
    let (position, folded) = payload.split_once(' ').unwrap_or((payload, ""));
    Some((Position(position.parse().ok()?), folded))
}

/// After so long without a word a connection may be dead without anybody having said so.
const QUIET: Duration = Duration::from_secs(30);

/// Moves the head forward, never back.
pub(crate) fn advance(head: &watch::Sender<Position>, to: Position) {
    head.send_if_modified(|position| {
        let newer = to > *position;
        if newer {
            *position = to;
        }
        newer
    });
}

async fn ask(pool: &PgPool, head: &watch::Sender<Position>) {
    // A network can swallow the question without a word.
    let asked = tokio::time::timeout(QUIET, read::head(pool)).await;
    match asked.unwrap_or_else(|_silent| Err(sqlx::Error::PoolTimedOut.into())) {
        Ok(position) => advance(head, position),
        Err(error) => tracing::debug!(%error, "the head of the log could not be asked for"),
    }
}

pub(crate) async fn poll(pool: PgPool, every: Duration, head: watch::Sender<Position>) {
    loop {
        tokio::time::sleep(every).await;
        ask(&pool, &head).await;
    }
}

pub(crate) async fn listen(connect: PgConnectOptions, pool: PgPool, head: watch::Sender<Position>) {
    let connect = connect.application_name("figure-ledger listener");
    loop {
        if let Err(error) = listen_once(&connect, &pool, &head).await {
            tracing::debug!(%error, "listening for new events was interrupted");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Listens until nothing was heard for a while: whether nothing happened or the connection is dead, only a new one
/// tells.
async fn listen_once(
    connect: &PgConnectOptions,
    pool: &PgPool,
    head: &watch::Sender<Position>,
) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener keeps its connection for good and must not eat into the readers', and a dead
    // one is never given back.
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was appended while nobody listened.
    ask(pool, head).await;
    while let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await {
        let notification = heard?.ok_or(sqlx::Error::WorkerCrashed)?;
        if let Some((position, _)) = notified(notification.payload()) {
            advance(head, position);
        }
    }
    Ok(())
}

impl EventStore {
    /// Tells the newest position whenever it grows. A value means: everything up to here can be read now.
    /// Values may be skipped; the last one arrives. What this process appends is told at once, what others
    /// append within milliseconds while notifications arrive, else within `poll_every`.
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        self.inner.head.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_tells_the_head_and_what_was_folded() {
        assert_eq!(notified("42"), Some((Position(42), "")));
        assert_eq!(notified("42 collection activity"), Some((Position(42), "collection activity")));
        assert_eq!(notified("soon"), None);
    }
}
