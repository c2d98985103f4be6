//! The jobs of this program, put together from its settings.

use std::sync::Arc;

use chrono::Utc;
use sqlx::PgPool;
use workers::{
    jobs::{
        DeliveryCleanup, FxRefresh, Job, Jobs, LookupCleanup, PriceCron, RecordCleanup, ReleaseCron,
        SessionCleanup,
    },
    provider::{self, Provider},
    sweep::{self, Sweep},
};

use crate::{config::Config, ledger::Ledger};

/// Every job there is, in the order in which they are shown. Nothing is started yet.
#[must_use]
pub fn all(config: &Config, pool: &PgPool, ledger: &Ledger) -> Jobs {
    let jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(PriceCron { sweep: sweep(config, pool, ledger) }),
        Arc::new(ReleaseCron {
            pool: pool.clone(),
            store: ledger.store.clone(),
            projections: ledger.projections.clone(),
            clock: Arc::new(Utc::now),
        }),
        Arc::new(FxRefresh { fx: ledger.fx.clone(), settings: config.fx.clone() }),
        Arc::new(SessionCleanup { pool: pool.clone() }),
        Arc::new(LookupCleanup { pool: pool.clone() }),
        Arc::new(RecordCleanup { store: ledger.store.clone() }),
        Arc::new(DeliveryCleanup { pool: pool.clone() }),
    ];
    Jobs::new(pool.clone(), jobs)
}

fn sweep(config: &Config, pool: &PgPool, ledger: &Ledger) -> Sweep {
    let provider = config.price_provider.clone().and_then(|address| {
        Provider::new(address, provider::Options::default())
            .inspect_err(|error| tracing::error!(%error, "the price provider cannot be asked"))
            .ok()
    });
    let fx = ledger.fx.clone();
    Sweep {
        pool: pool.clone(),
        store: ledger.store.clone(),
        provider: provider.map(Arc::new),
        rates: Arc::new(move || fx.today()),
        clock: Arc::new(Utc::now),
        options: sweep::Options::default(),
    }
}
