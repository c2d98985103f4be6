//! `renders`: films and models that somebody asked for of their scans. A queue, and its results.
//!
//! A worker takes what is due under a lease, says now and then that it is still at it, and hands the result in. A lease
//! that ran out is another's to take; what comes under an older lease counts for nothing.

mod kept;

pub use kept::{Standing, drop_scan, forget, named_blobs, overtake, remove, standing};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ScanId, UserId};
use domain::picture::BlobKey;
use sqlx::{FromRow, PgExecutor, PgPool};
use std::collections::HashMap;
use std::str::FromStr;
use uuid::Uuid;

/// How often one is tried.
pub const MOST_TRIES: i32 = 3;
/// How many of one person may be under way.
pub const MOST_OF_A_PERSON: i64 = 10;

/// Why one is dead that was asked for of frames that its scan has not any more.
pub const OVERTAKEN: &str = "the frames that it was asked for were replaced; ask for it again";

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderKind {
    /// A film of the frames.
    Turntable,
    /// A 3D model, as Gaussian splats.
    Gsplat,
}

impl RenderKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Turntable, Self::Gsplat];

    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turntable => "turntable",
            Self::Gsplat => "gsplat",
        }
    }
}

impl FromStr for RenderKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// One that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Render {
    /// Its id.
    pub id: Uuid,
    /// Of which scan.
    pub scan_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Of which frames: their digest; none for what was asked for before that was noted.
    pub frames: Option<String>,
    /// `turntable` or `gsplat`.
    pub kind: String,
    /// `queued`, `running`, `done` or `dead`.
    pub state: String,
    /// Percent.
    pub progress: i32,
    /// How often it was tried.
    pub attempts: i32,
    /// Who is at it, or was last.
    pub worker: Option<String>,
    /// Why the last try came to nothing.
    pub outcome: Option<String>,
    /// The result.
    pub blob_key: Option<String>,
    /// What the result is.
    pub media_type: Option<String>,
    /// How many bytes the result has.
    pub bytes: Option<i64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, scan_id, user_id, frames, kind, state, progress, attempts, worker, outcome, blob_key, \
                       media_type, bytes, created_at, finished_at";

impl Render {
    /// Whether it is of the frames with this digest. One of others is of no use any more, as if it were not there.
    #[must_use]
    pub fn is_of(&self, frames: &BlobKey) -> bool {
        self.frames.as_ref().is_none_or(|digest| *digest == frames.to_string())
    }

    /// Whether its owner is shown it while the scan has the frames with this digest: what is of these, and what came to
    /// nothing because it was asked for of others.
    #[must_use]
    pub fn is_shown_of(&self, frames: &BlobKey) -> bool {
        self.is_of(frames) || (self.state == "dead" && self.outcome.as_deref() == Some(OVERTAKEN))
    }
}

/// What [`ask`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It waits to be made.
    Queued(Render),
    /// The same was asked for already, and is under way.
    UnderWay(Render),
    /// The person has too many under way.
    TooMany,
}

/// Asks for one of the frames with this digest. While the same is under way, that is it; what is of other frames goes.
///
/// # Errors
/// Whatever the database reports.
pub async fn ask(
    pool: &PgPool,
    scan: ScanId,
    frames: &BlobKey,
    user: UserId,
    kind: RenderKind,
) -> sqlx::Result<Asked> {
    sqlx::query("DELETE FROM renders WHERE scan_id = $1 AND frames <> $2")
        .bind(scan.uuid())
        .bind(frames.to_string())
        .execute(pool)
        .await?;
    let queued: Option<Render> = sqlx::query_as(&format!(
        "INSERT INTO renders (id, scan_id, user_id, kind, frames) SELECT $1, $2, $3, $4, $6 \
         WHERE (SELECT count(*) FROM renders WHERE user_id = $3 AND state IN ('queued', 'running')) < $5 \
         ON CONFLICT (scan_id, kind) WHERE state IN ('queued', 'running') DO NOTHING RETURNING {COLUMNS}"
    ))
    .bind(Uuid::now_v7())
    .bind(scan.uuid())
    .bind(user.uuid())
    .bind(kind.as_str())
    .bind(MOST_OF_A_PERSON)
    .bind(frames.to_string())
    .fetch_optional(pool)
    .await?;
    if let Some(queued) = queued {
        return Ok(Asked::Queued(queued));
    }
    let under_way: Option<Render> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM renders WHERE scan_id = $1 AND kind = $2 ORDER BY \
             state IN ('queued', 'running') DESC, created_at DESC LIMIT 1"
    ))
    .bind(scan.uuid())
    .bind(kind.as_str())
    .fetch_optional(pool)
    .await?;
    // One that ended between the two statements is as good as one that ends now.
    Ok(match under_way {
        Some(render) if render.state != "dead" => Asked::UnderWay(render),
        _ => Asked::TooMany,
    })
}

/// Those of some scans, of each the newest fifty, the newest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_scans(
    db: impl PgExecutor<'_>,
    scans: &[ScanId],
) -> sqlx::Result<HashMap<ScanId, Vec<Render>>> {
    let scans: Vec<Uuid> = scans.iter().map(|scan| scan.uuid()).collect();
    let found: Vec<Render> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM unnest($1::uuid[]) AS asked (scan) CROSS JOIN LATERAL \
             (SELECT * FROM renders WHERE scan_id = asked.scan ORDER BY created_at DESC, id DESC LIMIT 50) AS of_one \
         ORDER BY created_at DESC, id DESC"
    ))
    .bind(scans)
    .fetch_all(db)
    .await?;
    let mut by_scan: HashMap<ScanId, Vec<Render>> = HashMap::new();
    for render in found {
        by_scan.entry(ScanId(render.scan_id)).or_default().push(render);
    }
    Ok(by_scan)
}

/// One of them.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Render>> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM renders WHERE id = $1")).bind(id).fetch_optional(db).await
}

/// Those in a state, the newest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(db: impl PgExecutor<'_>, state: Option<&str>, most: i64) -> sqlx::Result<Vec<Render>> {
    sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM renders WHERE $1::text IS NULL OR state = $1 \
         ORDER BY created_at DESC, id DESC LIMIT $2"
    ))
    .bind(state)
    .bind(most)
    .fetch_all(db)
    .await
}

/// One, taken to be made.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Claimed {
    /// Its id.
    pub id: Uuid,
    /// Of which scan.
    pub scan_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Of which frames, as [`Render::frames`] says.
    pub frames: Option<String>,
    /// `turntable` or `gsplat`.
    pub kind: String,
    /// Which try this is, from 1.
    pub attempts: i32,
    /// What shows that it is this try's.
    pub lease: Uuid,
    /// Until when it is.
    pub leased_until: DateTime<Utc>,
}

/// Takes the one that is due longest, for so long. What was tried too often and cut off each time is dead.
///
/// # Errors
/// Whatever the database reports.
pub async fn claim(
    pool: &PgPool,
    kinds: &[RenderKind],
    worker: &str,
    lasts: TimeDelta,
) -> sqlx::Result<Option<Claimed>> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    sqlx::query(
        "UPDATE renders SET state = 'dead', lease = NULL, leased_until = NULL, finished_at = now(), \
             outcome = coalesce(outcome || '; ', '') || 'the last try was cut off' \
         WHERE state = 'running' AND leased_until <= now() AND attempts >= $1",
    )
    .bind(MOST_TRIES)
    .execute(pool)
    .await?;
    sqlx::query_as(
        "UPDATE renders SET state = 'running', progress = 0, attempts = attempts + 1, worker = $2, \
             lease = gen_random_uuid(), leased_until = now() + make_interval(secs => $3) \
         WHERE id = ( \
             SELECT id FROM renders WHERE kind = ANY ($1) AND due_at <= now() AND attempts < $4 \
                 AND (state = 'queued' OR (state = 'running' AND leased_until <= now())) \
             ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING id, scan_id, user_id, frames, kind, attempts, lease, leased_until",
    )
    .bind(kinds)
    .bind(worker)
    .bind(lasts.as_seconds_f64())
    .bind(MOST_TRIES)
    .fetch_optional(pool)
    .await
}

/// A try that is under way, if the lease is still its.
///
/// # Errors
/// Whatever the database reports.
pub async fn under(db: impl PgExecutor<'_>, id: Uuid, lease: Uuid) -> sqlx::Result<Option<Render>> {
    sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM renders \
         WHERE id = $1 AND lease = $2 AND state = 'running' AND leased_until > now()"
    ))
    .bind(id)
    .bind(lease)
    .fetch_optional(db)
    .await
}

/// Says how far it is and goes on having it. Gives until when; none when the lease is another's or over.
///
/// # Errors
/// Whatever the database reports.
pub async fn go_on(
    db: impl PgExecutor<'_>,
    id: Uuid,
    lease: Uuid,
    progress: i32,
    lasts: TimeDelta,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar(
        "UPDATE renders SET progress = greatest(progress, $3), leased_until = now() + make_interval(secs => $4) \
         WHERE id = $1 AND lease = $2 AND state = 'running' AND leased_until > now() RETURNING leased_until",
    )
    .bind(id)
    .bind(lease)
    .bind(progress.clamp(0, 99))
    .bind(lasts.as_seconds_f64())
    .fetch_optional(db)
    .await
}

/// What was made.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Where it is stored.
    pub key: &'a BlobKey,
    /// What it is.
    pub media_type: &'a str,
    /// How many bytes it has.
    pub bytes: i64,
}

/// Hands the result in; earlier ones of the same kind go. Whether the lease was still the caller's.
///
/// # Errors
/// Whatever the database reports.
pub async fn finish(pool: &PgPool, id: Uuid, lease: Uuid, made: Made<'_>) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let done: Option<(Uuid, String)> = sqlx::query_as(
        "UPDATE renders SET state = 'done', progress = 100, lease = NULL, leased_until = NULL, outcome = NULL, \
             blob_key = $3, media_type = $4, bytes = $5, finished_at = now() \
         WHERE id = $1 AND lease = $2 AND state = 'running' AND leased_until > now() RETURNING scan_id, kind",
    )
    .bind(id)
    .bind(lease)
    .bind(made.key.to_string())
    .bind(made.media_type)
    .bind(made.bytes)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((scan_id, kind)) = done else { return Ok(false) };
    sqlx::query(
        "DELETE FROM renders WHERE scan_id = $1 AND kind = $2 AND state IN ('done', 'dead') AND id <> $3",
    )
    .bind(scan_id)
    .bind(kind)
    .bind(id)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Gives a try up. It is tried again at `again`, unless that is none or it was tried often enough: then it is dead.
/// Whether the lease was still the caller's.
///
/// # Errors
/// Whatever the database reports.
pub async fn fail(
    db: impl PgExecutor<'_>,
    id: Uuid,
    lease: Uuid,
    outcome: &str,
    again: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    let failed = sqlx::query(
        "UPDATE renders SET lease = NULL, leased_until = NULL, outcome = left($3, 400), progress = 0, \
             state = CASE WHEN $4::timestamptz IS NULL OR attempts >= $5 THEN 'dead' ELSE 'queued' END, \
             due_at = coalesce($4, due_at), \
             finished_at = CASE WHEN $4 IS NULL OR attempts >= $5 THEN now() END \
         WHERE id = $1 AND lease = $2 AND state = 'running' AND leased_until > now()",
    )
    .bind(id)
    .bind(lease)
    .bind(outcome)
    .bind(again)
    .bind(MOST_TRIES)
    .execute(db)
    .await?;
    Ok(failed.rows_affected() > 0)
}

/// Gives a try back that nothing was wrong with: it does not count, and the render is due at once. Whether the lease was
/// still the caller's.
///
/// # Errors
/// Whatever the database reports.
pub async fn give_back(db: impl PgExecutor<'_>, id: Uuid, lease: Uuid) -> sqlx::Result<bool> {
    let given = sqlx::query(
        "UPDATE renders SET lease = NULL, leased_until = NULL, progress = 0, state = 'queued', due_at = now(), \
             attempts = greatest(attempts - 1, 0) \
         WHERE id = $1 AND lease = $2 AND state = 'running' AND leased_until > now()",
    )
    .bind(id)
    .bind(lease)
    .execute(db)
    .await?;
    Ok(given.rows_affected() > 0)
}

/// Has a dead one tried again, from the beginning. Whether it was dead, and the same is not under way.
///
/// # Errors
/// Whatever the database reports.
pub async fn revive(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<bool> {
    let revived = sqlx::query(
        "UPDATE renders AS r SET state = 'queued', attempts = 0, due_at = now(), finished_at = NULL \
         WHERE id = $1 AND state = 'dead' AND NOT EXISTS ( \
             SELECT FROM renders AS o WHERE o.scan_id = r.scan_id AND o.kind = r.kind \
                 AND o.state IN ('queued', 'running'))",
    )
    .bind(id)
    .execute(db)
    .await?;
    Ok(revived.rows_affected() > 0)
}
