//! Asking the database, and not waiting for its answer for ever.

use futures::TryFutureExt;
use sqlx::{Error, Executor, PgConnection};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::timeout;

/// A connection that is silent for longer is taken for dead. A lock is waited for less long, and a commit whose
/// answer comes later is looked up, so a slow disk costs a look, never an outcome.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Runs statements by the simple protocol: several in one round trip.
pub(crate) fn simple<'a>(
    connection: &'a mut PgConnection,
    sql: &'a str,
) -> impl Future<Output = Result<(), Error>> + Send + 'a {
    // `raw_sql(..).execute(..)` makes futures whose `Send` the compiler cannot see.
    answered(connection.execute(sql).map_ok(drop))
}

/// Waits for the database, but not for ever: a network can swallow what is sent without a word.
pub(super) async fn answered<T>(work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let answer = timeout(ANSWER_WITHIN, work).await;
    answer.unwrap_or_else(|silent| Err(Error::Io(std::io::Error::new(ErrorKind::TimedOut, silent))))
}
