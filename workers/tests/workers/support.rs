//! A ledger of its own for each test: database, log, read models.

use chrono::Utc;
use database::testing::TestDb;
use domain::ids::{CommandId, UserId};
use domain::stream::Position;
use domain::world::{Circumstances, Command};
use event_store::{EventStore, Execution};
use projections::engine::{Projections, Running};
use sqlx::{FromRow, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;
use workers::imports::Progress;

pub struct Ledger {
    pub store: EventStore,
    pub projections: Projections,
    _running: Running,
    pub db: TestDb,
}

/// Nobody watches.
pub fn quiet(_: Progress) {}

pub fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

impl Ledger {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let store = EventStore::open(db.pool.clone(), event_store::Options::default()).await.unwrap();
        let options = projections::engine::Options::default();
        let projections =
            Projections::open(&db.pool, store.clone(), projections::all(), options).await.unwrap();
        let running = projections.run();
        Self { store, projections, _running: running, db }
    }

    pub async fn types(&self) -> Vec<String> {
        let list = operational::figure_types::list(&self.db.pool).await.unwrap();
        list.into_iter().map(|t| t.code.to_string()).collect()
    }

    pub async fn head(&self) -> Position {
        self.store.head().await.unwrap()
    }

    /// Waits until the read models show everything.
    pub async fn shown(&self) {
        let names: Vec<&str> = projections::all().iter().map(|d| d.name).collect();
        let head = self.head().await;
        let waited = self.projections.wait_for(&names, head, Duration::from_secs(60)).await;
        assert!(waited.is_reached(), "{waited:?}");
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.db.pool).await.unwrap()
    }

    pub async fn rows<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(&self, sql: &str) -> Vec<T> {
        sqlx::query_as(sql).fetch_all(&self.db.pool).await.unwrap()
    }

    pub async fn execute<C: Command>(&self, user: UserId, command: &C) -> C::Answer {
        let circumstances = Circumstances {
            actor: Some(user),
            is_admin: false,
            now: Utc::now(),
            command_id: CommandId(Uuid::now_v7()),
        };
        self.store.execute(command, &Execution::new(circumstances)).await.unwrap().answer
    }
}
