//! `manga_tellings`: who is still to be told that the server they linked was reviewed.
//!
//! A review notes everybody who has linked the server in one statement, in its own transaction. They are told in
//! batches, each in a transaction that takes them off the list: whatever crashes, everybody is told once.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    manga_servers::{Server, Verdict},
    notifications::{self, Kind, Telling},
};

/// How many are told at once.
pub const BATCH: i64 = 100;
/// Under which those who tell wait for each other.
const LOCK: i64 = 0x6d61_6e67_7465_6c6c;
/// What ids of tellings are derived in. The number means nothing.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d61_6e67_6173_6572_8467_7665_7273_0001);

impl Verdict {
    const fn kind(&self) -> Kind {
        match self {
            Self::Approve => Kind::MangaServerApproved,
            Self::Revoke(_) => Kind::MangaServerRevoked,
        }
    }
}

/// Notes that everybody who has linked a server is to be told of a review. Belongs into its transaction.
pub(crate) async fn note(
    tx: &mut PgConnection,
    server: &Server,
    verdict: &Verdict,
    reviewed_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let mut payload = json!({"server_id": server.id, "name": server.name, "base_url": server.base_url});
    if let (Verdict::Revoke(reason), Some(payload)) = (verdict, payload.as_object_mut()) {
        payload.insert("reason".to_owned(), reason.as_str().into());
    }
    sqlx::query(
        "INSERT INTO manga_tellings (server_id, reviewed_at, user_id, event_type, payload) \
         SELECT $1, $2, id, $3, $4 FROM users WHERE manga_server_id = $1 ON CONFLICT DO NOTHING",
    )
    .bind(server.id)
    .bind(reviewed_at)
    .bind(verdict.kind().as_str())
    .bind(payload)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Row {
    server_id: Uuid,
    reviewed_at: DateTime<Utc>,
    user_id: Uuid,
    event_type: String,
    payload: Value,
}

impl Row {
    fn telling(self) -> Option<Telling> {
        let kind: Kind = self.event_type.parse().ok()?;
        let about = format!("{}:{}", self.server_id, self.reviewed_at.timestamp_micros());
        let name = format!("{}:{about}:{}", kind.as_str(), self.user_id);
        Some(Telling {
            id: Uuid::new_v5(&NAMESPACE, name.as_bytes()),
            user_id: self.user_id.into(),
            kind,
            about,
            payload: self.payload,
            at: self.reviewed_at,
        })
    }
}

/// Tells some of those who are to be told, of the oldest review first; whether others may be left. Of several who do so
/// one waits for the other.
///
/// # Errors
/// Whatever the database reports; then nobody of these was told.
pub async fn tell_some(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    // Not by locks on the rows: whoever erases a person locks the account first and these after it, and here it is the
    // other way round.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT server_id, reviewed_at, user_id, event_type, payload FROM manga_tellings \
         ORDER BY reviewed_at, server_id, user_id LIMIT $1",
    )
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let full = i64::try_from(rows.len()).is_ok_and(|told| told >= BATCH);
    let reviewed: Vec<DateTime<Utc>> = rows.iter().map(|row| row.reviewed_at).collect();
    let (servers, people): (Vec<Uuid>, Vec<Uuid>) =
        rows.iter().map(|row| (row.server_id, row.user_id)).unzip();
    for telling in rows.into_iter().filter_map(Row::telling) {
        notifications::tell_at(&mut tx, &telling, now).await?;
    }
    // These very rows: a review that began earlier may have noted others meanwhile.
    sqlx::query(
        "DELETE FROM manga_tellings AS t USING unnest($1::timestamptz[], $2::uuid[], $3::uuid[]) \
             AS told (reviewed_at, server_id, user_id) \
         WHERE t.reviewed_at = told.reviewed_at AND t.server_id = told.server_id AND t.user_id = told.user_id",
    )
    .bind(reviewed)
    .bind(servers)
    .bind(people)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(full)
}
