//! One moment of the database, for whoever reads more than one statement gives.

use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A pool of one connection of its own, on which everything is read as it is at this moment, however long that
/// takes: one transaction, `REPEATABLE READ READ ONLY`. Dropping it ends the transaction. A connection that is
/// lost, or on which nobody has asked anything for a minute, is not replaced: what is asked then fails.
///
/// # Errors
/// When the database does not answer.
pub async fn snapshot(pool: &PgPool) -> sqlx::Result<PgPool> {
    let begun = AtomicBool::new(false);
    let options = pool.connect_options().as_ref().clone().application_name("figure-ledger-snapshot");
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            // A second connection would see another moment.
            let again = begun.swap(true, Ordering::SeqCst);
            Box::pin(async move {
                if again {
                    return Err(sqlx::Error::PoolClosed);
                }
                let begin = "SET jit = off; SET idle_in_transaction_session_timeout = '60s'; \
                             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
                connection.execute(begin).await.map(drop)
            })
        })
        .connect_with(options)
        .await
}
