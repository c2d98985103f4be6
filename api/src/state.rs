//! What every handler shares.

use std::{ops::Deref, sync::Arc};

use event_store::EventStore;
use operational::passwords::Passwords;
use projections::engine::Projections;
use sqlx::PgPool;
use tokio::sync::watch;
use workers::{
    fx::Fx,
    jobs::Jobs,
    policies::{self, Policies},
};

use crate::{
    config::Config,
    erasure::Eraser,
    guard::{attempts::Attempts, own_writes::OwnWrites},
    jobs,
    ledger::Ledger,
};

/// The shared state. A clone is one reference count; fields are reached through it directly.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What is shared.
pub struct Inner {
    /// The settings in force.
    pub config: Config,
    /// Connections to the database.
    pub pool: PgPool,
    /// The log.
    pub store: EventStore,
    /// The read models, folded by whoever runs them.
    pub projections: Projections,
    /// The exchange rates.
    pub fx: Fx,
    /// What the clock starts, and admins by hand.
    pub jobs: Jobs,
    /// What follows from events.
    pub policies: Policies,
    /// Hashing of passwords.
    pub passwords: Passwords,
    /// Attempts to sign in or up, per address.
    pub attempts: Attempts,
    /// Where everybody's own last write stands.
    pub own_writes: OwnWrites,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// Puts the shared parts together. The database is migrated already.
    #[must_use]
    pub fn new(config: Config, pool: PgPool, ledger: Ledger, passwords: Passwords) -> Self {
        let jobs = jobs::all(&config, &pool, &ledger);
        let Ledger { store, projections, fx } = ledger;
        let policies = Policies::new(&pool, &store, &projections, &fx, policies::all());
        let attempts = Attempts::new(config.rate_limit_enabled);
        Self(Arc::new(Inner {
            config,
            pool,
            store,
            projections,
            fx,
            jobs,
            policies,
            passwords,
            attempts,
            own_writes: OwnWrites::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// What erases people here.
    #[must_use]
    pub fn eraser(&self) -> Eraser {
        Eraser::new(&self.pool, &self.store, &self.projections)
    }

    /// Says that the server is going down: it is no longer ready, and what waits on
    /// [`AppState::stopping`] goes on.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Whether the server is going down.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Ends when the server is going down. Long answers and background tasks stop on it.
    pub async fn stopping(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives in this very state, so the wait cannot end by its being dropped.
        let _stopped = stopping.wait_for(|stopping| *stopping).await;
    }
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
