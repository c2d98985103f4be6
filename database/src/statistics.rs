//! What the planner knows of tables that grow fast.
//!
//! PostgreSQL looks once a minute which tables want new statistics. A plan made while a table was empty reads all of
//! it, and a connection keeps a plan for as long as the statistics stand: whoever imports a collection right after
//! setting up would wait for every page until then.

use sqlx::PgPool;
use std::time::Duration;

/// The least pages of a table worth measuring; a smaller one is read whole in no time.
const SMALLEST: i64 = 32;
/// A table is measured again when it has grown by this factor.
const GROWN: i64 = 3;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Measures the tables that have grown to several times what their statistics say. One that somebody else has locked
/// is left for the next time. Says which were measured.
///
/// # Errors
/// Whatever the database reports; tables that belong to another role are left alone.
pub async fn catch_up(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let grown: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(relname) FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
           AND pg_has_role(relowner, 'USAGE')
           AND pg_relation_size(oid) / current_setting('block_size')::bigint
               > greatest($1, $2 * greatest(relpages, 0))
         ORDER BY relname",
    )
    .bind(SMALLEST)
    .bind(GROWN)
    .fetch_all(pool)
    .await?;
    for table in &grown {
        sqlx::query(&format!("ANALYZE (SKIP_LOCKED) public.{table}")).execute(pool).await?;
    }
    Ok(grown)
}

/// Measures such tables once every two seconds, for as long as it is polled.
pub async fn keep_up(pool: PgPool) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match catch_up(&pool).await {
            Ok(measured) if measured.is_empty() => {}
            Ok(measured) => tracing::debug!(?measured, "tables have grown and were measured"),
            Err(error) => tracing::debug!(%error, "tables could not be measured"),
        }
    }
}
