//! Learning at once that somebody was told something, in whichever process.

use operational::notifications::CHANNEL;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// After so long without a word a connection may be dead without anybody having said so.
const QUIET: Duration = Duration::from_secs(30);
/// How many may wait to be heard; whoever is later looks for himself.
const WAITING: usize = 1_024;

/// Who is told something, as it happens. A word can get lost, so whoever listens also looks now and then. A clone is
/// the same.
#[derive(Debug, Clone)]
pub struct Told {
    people: broadcast::Sender<Option<Uuid>>,
    _listening: Arc<Listening>,
}

#[derive(Debug)]
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Told {
    /// Listens on a connection of its own, until the last clone is dropped.
    #[must_use]
    pub fn listen(pool: &PgPool) -> Self {
        let people = broadcast::Sender::new(WAITING);
        let listening = tokio::spawn(keep_listening(pool.clone(), people.clone()));
        Self { people, _listening: Arc::new(Listening(listening)) }
    }

    /// Whoever is told from now on; `None` stands for anybody.
    #[must_use]
    pub fn people(&self) -> broadcast::Receiver<Option<Uuid>> {
        self.people.subscribe()
    }
}

async fn keep_listening(pool: PgPool, people: broadcast::Sender<Option<Uuid>>) {
    loop {
        if let Err(error) = listen_once(&pool, &people).await {
            tracing::debug!(%error, "listening for notifications was interrupted");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn listen_once(pool: &PgPool, people: &broadcast::Sender<Option<Uuid>>) -> sqlx::Result<()> {
    let options = pool.connect_options().as_ref().clone().application_name("figure-ledger told");
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&own).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // Nobody may be listening here; that is no mistake.
    let _heard = people.send(None);
    while let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await {
        let notification = heard?.ok_or(sqlx::Error::WorkerCrashed)?;
        let _heard = people.send(notification.payload().parse().ok());
    }
    Ok(())
}
