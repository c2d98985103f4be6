//! Connections for the short reads that every request makes.
//!
//! The driver's pool asks a connection after each use whether it is still alive, and where connections may
//! break, before each use too. Beside a statement that takes 20 µs that is most of the work, for both sides. A
//! lane is asked only when it has rested: what broke it also broke the statement that used it last.

use crate::connect::{RESTED, answers};
use deadpool::Runtime;
use deadpool::managed::{BuildError, Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, Executor, PgConnection};
use std::io;
use std::time::Duration;

/// How many there are at most, beside the pool's.
const LANES: usize = 8;
/// How long one is waited for.
const WAIT: Duration = Duration::from_secs(15);
/// How long one may take to be opened.
const OPENED_WITHIN: Duration = Duration::from_secs(10);
/// How long a statement may take. They are short; one that takes longer is on a connection that fell silent.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// A few connections, opened when they are needed. A clone shares them.
#[derive(Clone)]
pub struct Lanes(Pool<Opener>);

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lanes").field(&self.0.status()).finish()
    }
}

struct Opener(PgConnectOptions);

impl Manager for Opener {
    type Type = PgConnection;
    type Error = Error;

    async fn create(&self) -> Result<PgConnection, Error> {
        let mut connection = PgConnection::connect_with(&self.0).await?;
        // As the pool's: no statement here runs as long as compiling one takes.
        connection.execute("SET jit = off").await?;
        Ok(connection)
    }

    async fn recycle(&self, connection: &mut PgConnection, metrics: &Metrics) -> RecycleResult<Error> {
        // A network may cut or swallow at any moment; a socket breaks with the server, which takes its time to return.
        if self.0.get_socket().is_none() || metrics.last_used() > RESTED {
            answers(connection).await?;
        }
        Ok(())
    }
}

impl Lanes {
    /// Lanes to the database that these options name.
    ///
    /// # Errors
    /// Never in practice: the timeouts have a runtime to run on.
    pub fn new(options: &PgConnectOptions) -> Result<Self, BuildError> {
        let options = options.clone().application_name("figure-ledger lane");
        Ok(Self(
            Pool::builder(Opener(options))
                .max_size(LANES)
                .wait_timeout(Some(WAIT))
                .create_timeout(Some(OPENED_WITHIN))
                .runtime(Runtime::Tokio1)
                .build()?,
        ))
    }

    /// Closes them all; none can be taken any more.
    pub fn close(&self) {
        self.0.close();
    }

    /// The next free one.
    ///
    /// # Errors
    /// `PoolTimedOut` when none becomes free or opens in time; else why it cannot be opened.
    pub async fn take(&self) -> Result<Lane, Error> {
        match self.0.get().await {
            Ok(connection) => Ok(Lane(Some(connection))),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Closed) => Err(Error::PoolClosed),
            Err(PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                Err(Error::PoolTimedOut)
            }
        }
    }
}

/// A connection for one statement or a few. Unless it is given [`back`](Self::back) it is closed: a request that was
/// given up in the middle of a statement leaves an answer behind that nobody reads.
pub struct Lane(Option<Object<Opener>>);

impl Lane {
    /// What to send statements on.
    ///
    /// # Errors
    /// Never, as long as it was not given back.
    pub fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        self.0.as_deref_mut().ok_or(Error::PoolClosed)
    }

    /// Gives it back after a statement, whose outcome is passed on. One whose connection may be broken is closed.
    ///
    /// # Errors
    /// The statement's.
    pub fn back<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        let whole = match &outcome {
            Ok(_) | Err(Error::RowNotFound | Error::ColumnDecode { .. } | Error::ColumnNotFound(_)) => true,
            // The server says what is wrong and goes on, unless it ends: then the next one finds that out.
            Err(Error::Database(error)) => {
                !error.code().is_some_and(|code| matches!(code.get(..2), Some("57" | "58" | "08" | "XX")))
            }
            Err(_) => false,
        };
        if whole {
            drop(self.0.take());
        }
        outcome
    }
}

/// Waits for a statement, but not for ever: lanes are few, and one that hangs is missed by everybody.
///
/// # Errors
/// The statement's; `Io` when the connection is silent, which closes the lane that it is given [back](Lane::back) with.
pub async fn answered<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWERED_WITHIN, asked).await {
        Ok(outcome) => outcome,
        Err(silent) => Err(Error::Io(io::Error::new(io::ErrorKind::TimedOut, silent))),
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::TestDb;

    async fn backend(lanes: &Lanes) -> Result<i32, Error> {
        let mut lane = lanes.take().await?;
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(lane.connection()?).await;
        lane.back(pid)
    }

    #[tokio::test]
    async fn a_lane_that_was_given_back_is_used_again() {
        let db = TestDb::new().await;
        let lanes = Lanes::new(&db.pool.connect_options()).unwrap();
        assert_eq!(backend(&lanes).await.unwrap(), backend(&lanes).await.unwrap());
    }

    #[tokio::test]
    async fn a_statement_that_the_server_refuses_leaves_the_lane_in_use() {
        let db = TestDb::new().await;
        let lanes = Lanes::new(&db.pool.connect_options()).unwrap();
        let before = backend(&lanes).await.unwrap();
        let mut lane = lanes.take().await.unwrap();
        let refused = sqlx::query("SELECT 1 / 0").execute(lane.connection().unwrap()).await;
        assert!(lane.back(refused).is_err());
        assert_eq!(backend(&lanes).await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_lane_that_was_not_given_back_is_closed() {
        let db = TestDb::new().await;
        let lanes = Lanes::new(&db.pool.connect_options()).unwrap();
        let before = backend(&lanes).await.unwrap();
        let mut lane = lanes.take().await.unwrap();
        let given_up = tokio::time::timeout(
            Duration::from_millis(20),
            sqlx::query("SELECT pg_sleep(600)").execute(lane.connection().unwrap()),
        );
        assert!(given_up.await.is_err());
        drop(lane);
        assert_ne!(backend(&lanes).await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_lane_that_was_cut_while_it_rested_is_replaced_unnoticed() {
        let db = TestDb::new().await;
        let lanes = Lanes::new(&db.pool.connect_options()).unwrap();
        let before = backend(&lanes).await.unwrap();
        sqlx::query("SELECT pg_terminate_backend($1, 5000)").bind(before).execute(&db.pool).await.unwrap();
        tokio::time::sleep(RESTED * 2).await;
        assert_ne!(backend(&lanes).await.unwrap(), before);
    }
}
