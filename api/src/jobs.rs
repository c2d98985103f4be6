//! The jobs of this program, put together from its settings.

use std::sync::Arc;

use chrono::Utc;
use sqlx::PgPool;
use workers::{
    blobs::Blobs,
    jobs::{
        DeliveryCleanup, FxRefresh, Job, Jobs, LookupCleanup, MangaSync, PictureNames, PriceCron,
        RecordCleanup, ReleaseCron, ScanCleanup, SessionCleanup,
    },
    sweep::{self, Sweep},
};

use crate::{config::Config, ledger::Ledger, neighbours::Neighbours, outside::Outside};

/// Every job there is, in the order in which they are shown. Nothing is started yet.
#[must_use]
pub fn all(
    config: &Config,
    pool: &PgPool,
    ledger: &Ledger,
    blobs: &Blobs,
    neighbours: &Neighbours,
    outside: &Outside,
) -> Jobs {
    let jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(PriceCron { sweep: sweep(pool, ledger, outside) }),
        Arc::new(ReleaseCron {
            pool: pool.clone(),
            store: ledger.store.clone(),
            projections: ledger.projections.clone(),
            clock: Arc::new(Utc::now),
        }),
        Arc::new(FxRefresh { fx: ledger.fx.clone(), settings: config.fx.clone() }),
        Arc::new(MangaSync { pool: pool.clone(), manga: neighbours.manga.clone() }),
        Arc::new(SessionCleanup { pool: pool.clone() }),
        Arc::new(LookupCleanup { pool: pool.clone() }),
        Arc::new(RecordCleanup { store: ledger.store.clone() }),
        Arc::new(DeliveryCleanup { pool: pool.clone() }),
        Arc::new(ScanCleanup {
            blobs: blobs.clone(),
            names: PictureNames {
                pool: pool.clone(),
                store: ledger.store.clone(),
                projections: ledger.projections.clone(),
            },
        }),
    ];
    Jobs::new(pool.clone(), jobs)
}

fn sweep(pool: &PgPool, ledger: &Ledger, outside: &Outside) -> Sweep {
    let fx = ledger.fx.clone();
    Sweep {
        pool: pool.clone(),
        store: ledger.store.clone(),
        provider: outside.provider.clone(),
        rates: Arc::new(move || fx.today()),
        clock: Arc::new(Utc::now),
        options: sweep::Options::default(),
    }
}
