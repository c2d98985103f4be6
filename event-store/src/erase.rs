//! Erasing a person from the log: the one way in which events change after they were written.
//!
//! Rows, positions and numbers stay, so that streams have no holes and every reader of the log goes on. What
//! the events said goes, and so does what kind they were. The newest go first: whatever is left at any moment
//! is the beginning of the person's history, which folds as it did when it was all there was.

use crate::append::AppendError;
use crate::error::{ExecuteError, StoreError};
use crate::execute::numbered;
use crate::store::EventStore;
use domain::collection::CollectionEvent;
use domain::ids::{CommandId, UserId};
use domain::stream::{Event, Metadata, Position, StreamId, Version};
use sqlx::{Executor, PgConnection, Postgres, Row, Transaction};
use uuid::Uuid;

/// How often the end is appended anew after it was outrun.
const TRIES: u32 = 100;

const BLANK: &str = r#"
    WITH next AS (
        SELECT position FROM events WHERE owner_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3
    )
    UPDATE events AS e
    SET event_type = e.aggregate_type || '.erased', event_version = '1', payload = '{"erased": {}}',
        metadata = '{"command_id": "00000000-0000-0000-0000-000000000000"}'
    FROM next WHERE e.position = next.position
    RETURNING e.position, e.aggregate_type, e.aggregate_id"#;

impl EventStore {
    /// Ends a person's collection, and with it everything they can still do to their pre-orders: every command
    /// on either checks the version of this stream. Gives the position of `collection.person_erased`, also when
    /// it stood there already. The event carries the correlation id of the request. It needs no state, so an event that nobody can read is no hindrance.
    ///
    /// # Errors
    /// `Busy`, `Contended`, `Unavailable`, `Rejected`, `OutcomeUnknown`: call it again in a moment.
    pub async fn end_person(
        &self,
        person: UserId,
        asked_by: Option<UserId>,
        correlation_id: Option<Uuid>,
    ) -> Result<Position, ExecuteError> {
        let stream = StreamId::Collection(person);
        for _ in 0..TRIES {
            if let Some(position) = self.ended_at(&stream).await? {
                return Ok(position);
            }
            let version = self.versions(std::slice::from_ref(&stream)).await?;
            let read = vec![(stream.clone(), version.first().copied().unwrap_or(Version::NONE))];
            let event = Event::Collection(CollectionEvent::PersonErased {});
            let metadata = Metadata {
                actor: asked_by,
                command_id: CommandId(Uuid::now_v7()),
                correlation_id,
                causation_id: None,
            };
            let (append, _) = numbered(read, vec![(stream.clone(), Some(person), event)], metadata)?;
            let outcome = self.inner.queue.append(append).await;
            self.inner.cache.forget(&stream);
            match outcome {
                Ok(appended) => return Ok(appended.position),
                Err(AppendError::Conflict(_) | AppendError::KeyTaken) => {}
                Err(AppendError::Busy) => return Err(ExecuteError::Busy),
                Err(AppendError::Unavailable(e)) => return Err(ExecuteError::Unavailable(e)),
                Err(AppendError::Rejected(e)) => return Err(ExecuteError::Rejected(e)),
                Err(AppendError::Unknown) => return Err(ExecuteError::OutcomeUnknown),
            }
        }
        Err(ExecuteError::Contended)
    }

    async fn ended_at(&self, stream: &StreamId) -> Result<Option<Position>, StoreError> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND event_type = $3",
        )
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(CollectionEvent::PersonErased {}.event_type_name())
        .fetch_optional(self.pool())
        .await?;
        Ok(position.map(Position))
    }

    /// Begins a transaction that blanks events. Whoever blanks asks first, through its connection, whether
    /// nobody needs them any more: between the answer and the blanking the database cannot have restarted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_blanking(&self) -> Result<Blanking<'_>, StoreError> {
        let mut transaction = self.pool().begin().await?;
        transaction.execute("SET LOCAL figure_ledger.erasure = 'on'").await?;
        Ok(Blanking { store: self, transaction })
    }

    /// Deletes what is kept beside the log of a person whose events are blank: snapshots, and the answers to
    /// their requests.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_person(&self, person: UserId) -> Result<(), StoreError> {
        let mut transaction = self.pool().begin().await?;
        sqlx::query(
            "DELETE FROM snapshots AS s
             USING (SELECT DISTINCT aggregate_type, aggregate_id FROM events WHERE owner_id = $1) AS e
             WHERE s.aggregate_type = e.aggregate_type AND s.aggregate_id = e.aggregate_id",
        )
        .bind(person.uuid())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM command_records WHERE actor = $1")
            .bind(person.uuid())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Lets PostgreSQL take out what changed and deleted rows held before: until then it lies unread in the
    /// tables' files. It visits only pages that changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.pool().execute("VACUUM events, snapshots, command_records").await?;
        Ok(())
    }
}

/// A transaction that blanks events. Dropping it blanks none.
#[derive(Debug)]
pub struct Blanking<'s> {
    store: &'s EventStore,
    transaction: Transaction<'static, Postgres>,
}

impl Blanking<'_> {
    /// The connection, to look around on.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Blanks the newest events of a person below a position, `most` of them, and commits. Gives the position of
    /// the oldest among them, to go on below; `None` when there were none left. Blanking one twice changes
    /// nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn blank(
        mut self,
        person: UserId,
        below: Position,
        most: u32,
    ) -> Result<Option<Position>, StoreError> {
        let blanked = sqlx::query(BLANK)
            .bind(person.uuid())
            .bind(below.0)
            .bind(i64::from(most))
            .fetch_all(&mut *self.transaction)
            .await?;
        self.transaction.commit().await?;
        let mut oldest = None;
        for row in blanked {
            let position = Position(row.try_get(0)?);
            oldest = Some(oldest.map_or(position, |oldest: Position| oldest.min(position)));
            if let Ok(stream) = StreamId::parse(row.try_get(1)?, row.try_get(2)?) {
                self.store.inner.cache.forget(&stream);
            }
        }
        Ok(oldest)
    }
}
