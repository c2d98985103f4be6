//! Who still needs what the events of a person said, before they are blanked.

use super::handle::Projections;
use super::rebuild::REBUILD_LOCK;
use super::verify::VERIFY_LOCK;
use domain::stream::Position;
use sqlx::PgConnection;

/// Every read model that this database knows counts, also one of another release. A lock of two numbers has
/// `objsubid` 2.
const IN_NEED: &str = "
    WITH held AS (
        SELECT classid::bigint AS class FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT projection FROM (
        SELECT 1 AS place, projection FROM projection_checkpoints WHERE position < $1
        UNION ALL SELECT 2, 'a rebuild under way' WHERE EXISTS (SELECT FROM held WHERE class = $2)
        UNION ALL SELECT 3, 'a verification under way' WHERE EXISTS (SELECT FROM held WHERE class = $3)
    ) AS needs ORDER BY place, projection";

impl Projections {
    /// Who still has to fold the event at a position, or may be folding from before it: read models, rebuilds and
    /// verifications, of whatever process, by their names. As the database has it, not as this process heard:
    /// a checkpoint that was told of is lost again when PostgreSQL dies before it reached the disk.
    ///
    /// A verification that begins later finds every read model past that position; a rebuild that begins later
    /// sees the beginning of what was there, which is enough for it to come to the same.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn in_need_of_what_was_before(
        &self,
        connection: &mut PgConnection,
        position: Position,
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(IN_NEED)
            .bind(position.0)
            .bind(i64::from(REBUILD_LOCK))
            .bind(i64::from(VERIFY_LOCK))
            .fetch_all(connection)
            .await
    }
}
