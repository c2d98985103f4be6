//! The log, the read models and the rates of one process, opened together.

use event_store::{EventStore, StoreError};
use projections::engine::{EngineError, Projections};
use sqlx::PgPool;
use workers::fx::Fx;

/// The log and the read models.
#[derive(Clone)]
pub struct Ledger {
    /// The log.
    pub store: EventStore,
    /// The read models.
    pub projections: Projections,
    /// The exchange rates that costs are frozen with.
    pub fx: Fx,
}

/// Why they cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log cannot.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The read models cannot.
    #[error(transparent)]
    ReadModels(#[from] EngineError),
    /// The exchange rates cannot.
    #[error(transparent)]
    Rates(#[from] sqlx::Error),
}

impl Ledger {
    /// Opens all on a migrated database and makes the tables of read models that have none. Nothing is
    /// folded before [`Projections::run`]; read models of an older release are rebuilt by whoever folds,
    /// and serve until then.
    ///
    /// # Errors
    /// When the database does not answer or the tables cannot be made.
    pub async fn open(pool: &PgPool) -> Result<Self, OpenError> {
        let store = EventStore::open(pool.clone(), event_store::Options::default()).await?;
        let options = projections::engine::Options::default();
        let projections = Projections::open(pool, store.clone(), projections::all(), options).await?;
        let fx = Fx::open(pool).await?;
        store.decide_with(fx.watch());
        Ok(Self { store, projections, fx })
    }
}
