//! The table of sessions, read on a lane.

use async_trait::async_trait;
use database::lanes::{Lanes, answered};
use operational::sessions;
use sqlx::PgPool;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};
use tower_sessions_sqlx_store::PostgresStore;

/// The rows as [`PostgresStore`] keeps them. Every request reads one, so that is done on a lane.
#[derive(Debug, Clone)]
pub struct Rows {
    kept: PostgresStore,
    lanes: Lanes,
}

impl Rows {
    /// Those of a database.
    ///
    /// # Errors
    /// Never in practice: the table's fixed name is checked as if it were input.
    pub fn of(pool: &PgPool, lanes: &Lanes) -> std::result::Result<Self, String> {
        let (schema, table) = sessions::TABLE;
        let kept = PostgresStore::new(pool.clone()).with_schema_name(schema)?.with_table_name(table)?;
        Ok(Self { kept, lanes: lanes.clone() })
    }

    async fn row(&self, id: &Id) -> sqlx::Result<Option<Vec<u8>>> {
        let mut lane = self.lanes.take().await?;
        let row = answered(sessions::stored(lane.connection()?, &id.to_string())).await;
        lane.back(row)
    }
}

#[async_trait]
impl SessionStore for Rows {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.kept.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.kept.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let row = self.row(id).await.map_err(|error| Error::Backend(error.to_string()))?;
        let read =
            |row: Vec<u8>| rmp_serde::from_slice(&row).map_err(|error| Error::Decode(error.to_string()));
        row.map(read).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.kept.delete(id).await
    }
}
