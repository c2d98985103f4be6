//! What every handler shares.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use database::Lanes;
use event_store::EventStore;
use operational::passwords::Passwords;
use projections::engine::Projections;
use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use workers::{
    blobs::Blobs,
    channels::{self, Channels},
    deliveries::{self, Deliveries, Told},
    fx::Fx,
    jobs::Jobs,
    pictures::Pictures,
    policies::{self, Policies},
    renders::Renders,
};

use crate::{
    config::Config,
    erasure::Eraser,
    guard::{attempts::Attempts, keys::KeyUses, links::LinkUses, own_writes::OwnWrites},
    http::live,
    identity::{
        letters::{Letters, NoLetters},
        oidc::Providers,
    },
    jobs,
    ledger::Ledger,
    neighbours::Neighbours,
    outside::Outside,
};

/// How many results of workers may come in at once.
const RESULTS_AT_ONCE: usize = 2;

/// The shared state. A clone is one reference count; fields are reached through it directly.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What is shared.
pub struct Inner {
    /// The settings in force.
    pub config: Config,
    /// Connections to the database.
    pub pool: PgPool,
    /// Connections for the short reads that every request makes.
    pub lanes: Lanes,
    /// The log.
    pub store: EventStore,
    /// The read models, folded by whoever runs them.
    pub projections: Projections,
    /// The exchange rates.
    pub fx: Fx,
    /// Where files are stored.
    pub blobs: Blobs,
    /// What takes pictures in.
    pub pictures: Pictures,
    /// What makes films of scans.
    pub renders: Renders,
    /// How many results of workers outside may come in at once, still: each is in memory as a whole.
    pub results: Semaphore,
    /// What the clock starts, and admins by hand.
    pub jobs: Jobs,
    /// What follows from events.
    pub policies: Policies,
    /// What goes out of what people are told.
    pub deliveries: Deliveries,
    /// MangaCollector servers and AniList.
    pub neighbours: Neighbours,
    /// The price provider, for whoever asks.
    pub outside: Outside,
    /// How many may follow what happens, still.
    pub live: live::Followers,
    /// Hashing of passwords.
    pub passwords: Passwords,
    /// Attempts to sign in or up, per address.
    pub attempts: Attempts,
    /// Requests per API key.
    pub key_uses: KeyUses,
    /// Requests by links that people shared, per address.
    pub link_uses: LinkUses,
    /// Where else people can sign in.
    pub oidc: Providers,
    /// Where everybody's own last write stands.
    pub own_writes: OwnWrites,
    letters: OnceLock<Arc<dyn Letters>>,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// Puts the shared parts together. The database is migrated already.
    ///
    /// # Panics
    /// Outside of a runtime: it listens for what people are told from here on. And when TLS cannot be set up, without
    /// which nothing could be asked of anybody.
    #[must_use]
    pub fn new(config: Config, pool: PgPool, ledger: Ledger, passwords: Passwords) -> Self {
        let blobs = Blobs::new(&pool, &config.blobs());
        let pictures = Pictures::new(blobs.clone(), config.pictures);
        #[allow(clippy::expect_used, reason = "as documented")]
        let neighbours = Neighbours::new(&config, &pool).expect("TLS can be set up");
        #[allow(clippy::expect_used, reason = "as documented")]
        let lanes = Lanes::new(&pool.connect_options()).expect("there is a runtime");
        let outside = Outside::new(&config, &pool);
        let renders = Renders::new(&pool, &blobs, &pictures);
        let jobs = jobs::all(&config, &pool, &ledger, &blobs, &neighbours, &outside);
        let Ledger { store, projections, fx } = ledger;
        let policies = Policies::new(&pool, &store, &projections, &fx, policies::all());
        let deliveries = deliveries(&config, &pool);
        let attempts = Attempts::new(config.rate_limit_enabled);
        let key_uses = KeyUses::new(config.rate_limit_enabled);
        let link_uses = LinkUses::new(config.rate_limit_enabled);
        let oidc = Providers::new(&config.oidc);
        Self(Arc::new(Inner {
            config,
            pool,
            lanes,
            store,
            projections,
            fx,
            blobs,
            pictures,
            renders,
            results: Semaphore::new(RESULTS_AT_ONCE),
            jobs,
            policies,
            deliveries,
            neighbours,
            outside,
            live: live::Followers::default(),
            passwords,
            attempts,
            key_uses,
            link_uses,
            oidc,
            letters: OnceLock::new(),
            own_writes: OwnWrites::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// What erases people here.
    #[must_use]
    pub fn eraser(&self) -> Eraser {
        Eraser::new(&self.pool, &self.store, &self.projections)
    }

    /// Puts in what sends letters, once; without it none are sent.
    pub fn send_letters_by(&self, letters: Arc<dyn Letters>) {
        if self.0.letters.set(letters).is_err() {
            tracing::error!("what sends letters is put in already");
        }
    }

    /// What sends letters.
    #[must_use]
    pub fn letters(&self) -> &dyn Letters {
        self.0.letters.get().map_or(&NoLetters, |letters| &**letters)
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

fn deliveries(config: &Config, pool: &PgPool) -> Deliveries {
    let options = channels::Options {
        allowed: config.outbound_allowed.clone(),
        public_url: config.public_url.as_ref().map(ToString::to_string),
        ..channels::Options::default()
    };
    #[allow(clippy::expect_used, reason = "as the documentation of `AppState::new` says")]
    let channels = Channels::new(options).expect("TLS can be set up");
    Deliveries::new(pool, channels, Told::listen(pool), deliveries::Options::default())
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
