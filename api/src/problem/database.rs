//! What becomes of what the database answers instead of rows.

use axum::http::{HeaderValue, header};

use super::{INVALID_FIELD, Problem, READ_MODEL_UPGRADING};

/// Whether the database is away, on its way up or down, or full of connections: nobody's mistake, and over in
/// a while.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // 08: the connection broke. 53: no room for more. 57P: the server ends, crashed or is starting. 40: a deadlock
        // or a conflict; 55P03 and 57014: a lock or a statement that took too long; 25006: no writes for now.
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| {
            ["08", "53", "57P", "40"].into_iter().any(|class| code.starts_with(class))
                || matches!(&*code, "55P03" | "57014" | "25006")
        }),
        _ => false,
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            away if is_away(away) => Self::away(error),
            // Names that only newer tables have: the old ones serve until the rebuilt ones take their place.
            sqlx::Error::Database(cause)
                if cause.code().is_some_and(|code| matches!(&*code, "42703" | "42P01")) =>
            {
                tracing::error!(%error, "a read model does not have the tables of this release");
                Self::from(READ_MODEL_UPGRADING).header(header::RETRY_AFTER, HeaderValue::from_static("15"))
            }
            // Class 22 says that a value itself is unacceptable, and values come from the caller.
            sqlx::Error::Database(cause) if cause.code().is_some_and(|code| code.starts_with("22")) => {
                tracing::warn!(%error, "the database refused a value that no check had refused before");
                Self::from(INVALID_FIELD).detail("a value is outside what can be kept")
            }
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use database::testing::TestDb;

    #[test]
    fn a_database_that_is_away_is_no_fault_of_ours() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        for error in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::Io(broken),
            sqlx::Error::Protocol("expected more".to_owned()),
        ] {
            let problem = Problem::from(error);
            assert_eq!((problem.status().as_u16(), problem.code()), (503, "database_unavailable"));
        }
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).code(), "internal");
    }

    #[tokio::test]
    async fn a_database_that_takes_no_writes_or_is_held_up_is_no_fault_of_ours() {
        let db = TestDb::new().await;
        for refused in [
            "SET LOCAL transaction_read_only = on; CREATE TABLE t ()",
            "SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(600)",
            "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
            "DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$",
        ] {
            let mut transaction = db.pool.begin().await.unwrap();
            let problem = Problem::from(sqlx::raw_sql(refused).execute(&mut *transaction).await.unwrap_err());
            assert_eq!(
                (problem.status().as_u16(), problem.code()),
                (503, "database_unavailable"),
                "{refused}"
            );
        }
    }
}
