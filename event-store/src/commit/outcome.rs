//! What became of a batch whose writing failed, and finding it out when the connection was lost at the commit.

use super::connection::{answered, simple};
use super::lock::BEGIN;
use domain::ids::{CommandId, EventId};
use domain::stream::Position;
use sqlx::{Error, PgConnection};
use uuid::Uuid;

/// What tells afterwards whether a batch was committed.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// This event stands at this position.
    Event(Position, EventId),
    /// This record is there.
    Record(Uuid, String, CommandId),
}

/// How far writing a batch came when it failed.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Before the commit was sent: nothing was written.
    Before(Error),
    /// At the commit: only the log knows.
    AtCommit(Error, Proof),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

/// Looks up whether a batch was committed, on a fresh connection. Taking the append lock first makes sure
/// that the transaction in question has ended: it held that lock until its end.
pub(crate) async fn was_committed(connection: &mut PgConnection, proof: &Proof) -> Result<bool, Error> {
    simple(connection, BEGIN).await?;
    let found: bool = match proof {
        Proof::Event(position, event_id) => {
            let sql = "SELECT EXISTS (SELECT FROM events WHERE position = $1 AND event_id = $2)";
            let asked = sqlx::query_scalar(sql).bind(position.0).bind(event_id.uuid());
            answered(asked.fetch_one(&mut *connection)).await?
        }
        Proof::Record(actor, key, command_id) => {
            let sql = "SELECT EXISTS (SELECT FROM command_records \
                       WHERE actor = $1 AND key = $2 AND command_id = $3)";
            let asked = sqlx::query_scalar(sql).bind(actor).bind(key).bind(command_id.uuid());
            answered(asked.fetch_one(&mut *connection)).await?
        }
    };
    simple(connection, "ROLLBACK").await?;
    Ok(found)
}
