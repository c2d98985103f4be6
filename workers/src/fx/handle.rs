//! The rates in the memory of one process, and how they stay current.

use domain::money::rates::{RateTable, Rates};
use operational::fx_rates;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

/// How often it is looked for new rates in case a notification got lost.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long until listening is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The rates of this process. A clone is the same handle.
#[derive(Clone)]
pub struct Fx {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    rates: watch::Sender<Rates>,
    /// The version of the rates in memory; whoever loads holds it.
    version: Mutex<i64>,
}

/// Keeps an [`Fx`] current until it is dropped.
#[derive(Debug)]
pub struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Fx {
    /// Loads what is stored.
    ///
    /// # Errors
    /// Whatever the database reports.
    pub async fn open(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let version = fx_rates::version(pool).await?;
        let rates = fx_rates::load(pool).await?;
        let inner =
            Inner { pool: pool.clone(), rates: watch::Sender::new(rates), version: Mutex::new(version) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Every table that is known. Cheap, and never waits.
    #[must_use]
    pub fn rates(&self) -> Rates {
        self.inner.rates.borrow().clone()
    }

    /// Today's table: the newest one known, with its date, however old it is.
    #[must_use]
    pub fn today(&self) -> Option<RateTable> {
        self.inner.rates.borrow().today().cloned()
    }

    /// The table of a day, or of the last working day before it; none when that day is not known. Tables other
    /// than today's hold the currencies that amounts are recorded in.
    #[must_use]
    pub fn on(&self, day: chrono::NaiveDate) -> Option<RateTable> {
        self.inner.rates.borrow().on(day).cloned()
    }

    /// Tells the rates whenever they change; see `EventStore::decide_with`.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Rates> {
        self.inner.rates.subscribe()
    }

    /// The database that the rates are in.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Loads what changed since, if anything did; the version in memory afterwards.
    ///
    /// # Errors
    /// Whatever the database reports; the rates in memory stay as they are then.
    pub async fn reload(&self) -> Result<i64, sqlx::Error> {
        let mut version = self.inner.version.lock().await;
        // Asked for before loading: what is loaded is at least as new.
        let newest = fx_rates::version(&self.inner.pool).await?;
        if newest != *version {
            let rates = fx_rates::load(&self.inner.pool).await?;
            self.inner.rates.send_replace(rates);
            *version = newest;
        }
        Ok(newest)
    }

    /// From now on rates that any process stores are here within milliseconds, until what this gives is dropped.
    #[must_use = "rates are followed for as long as this lives"]
    pub fn follow(&self) -> Following {
        let fx = self.clone();
        let task = tokio::spawn(async move {
            // A pool of its own: a listener keeps its connection for good and must not eat into the readers'.
            let connect = fx.inner.pool.connect_options().as_ref().clone();
            let own = PgPoolOptions::new()
                .max_connections(1)
                .connect_lazy_with(connect.application_name("figure-ledger rates"));
            loop {
                if let Err(error) = fx.follow_once(&own).await {
                    tracing::debug!(%error, "listening for new rates was interrupted");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        Following(task.abort_handle())
    }

    async fn follow_once(&self, own: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(own).await?;
        listener.eager_reconnect(false);
        listener.listen(fx_rates::CHANNEL).await?;
        let mut shown = None;
        loop {
            let version = self.reload().await?;
            if shown != Some(version) {
                fx_rates::show_reading(&mut listener, shown, version).await?;
                shown = Some(version);
            }
            match tokio::time::timeout(LOOK_EVERY, listener.try_recv()).await {
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Some(_))) | Err(_) => {}
            }
        }
    }
}

impl std::fmt::Debug for Fx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let newest = self.inner.rates.borrow().today().map(RateTable::date);
        f.debug_struct("Fx").field("today", &newest).finish_non_exhaustive()
    }
}
