//! `server_job_runs`: every run of the jobs that the clock or an admin starts, the last 30 of each.
//!
//! Whoever runs a job holds an advisory lock on a connection of its own for as long as that takes. So a job runs
//! once across all processes, and a row that says `running` while nobody holds the lock is of a process that is gone.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// How many runs of each job are kept, besides the last good one.
pub const KEPT: i64 = 30;
/// What is on record of a run that its process did not end.
pub const INTERRUPTED: &str = "cut off: the process that ran it stopped";

/// The first half of the advisory locks; the second is the job's name.
const JOB_LOCK: i32 = 0x6a6f_6273;

/// What a run was started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The clock.
    Schedule,
    /// An admin.
    Admin,
    /// The start of a server.
    Boot,
}

impl Trigger {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Admin => "admin",
            Self::Boot => "boot",
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is under way.
    Running,
    /// It did what it is for.
    Succeeded,
    /// It did not, or not all of it.
    Failed,
    /// Somebody called it off.
    Cancelled,
}

impl RunState {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One run. Times are UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// The job.
    pub job_name: String,
    /// What it was started by: `schedule`, `admin` or `boot`.
    pub triggered_by: String,
    /// The admin who started it.
    pub requested_by: Option<UserId>,
    /// The minute of the schedule that it is for.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// What it came to.
    pub result: Option<Value>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When somebody asked it to end.
    pub cancel_requested_at: Option<DateTime<Utc>>,
}

impl FromRow<'_, PgRow> for Run {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let requested_by: Option<Uuid> = row.try_get("requested_by")?;
        Ok(Self {
            id: row.try_get("id")?,
            job_name: row.try_get("job_name")?,
            triggered_by: row.try_get("triggered_by")?,
            requested_by: requested_by.map(UserId::from),
            scheduled_for: row.try_get("scheduled_for")?,
            state: row.try_get("state")?,
            result: row.try_get("result")?,
            error_message: row.try_get("error_message")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            cancel_requested_at: row.try_get("cancel_requested_at")?,
        })
    }
}

macro_rules! columns {
    () => {
        "id, job_name, triggered_by, requested_by, scheduled_for, state, result, error_message, started_at, \
         finished_at, cancel_requested_at"
    };
}

/// What to start a run with.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The job.
    pub job_name: &'a str,
    /// What starts it.
    pub trigger: Trigger,
    /// The admin who does.
    pub requested_by: Option<UserId>,
    /// The minute of the schedule that it is for; one process gets it.
    pub scheduled_for: Option<DateTime<Utc>>,
}

/// What a run ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// How it stands now.
    pub state: RunState,
    /// What it came to, also as far as it got.
    pub result: Option<Value>,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// The right to run a job, held until it is dropped.
#[derive(Debug)]
pub struct Claim {
    /// The run as it began.
    pub run: Run,
    connection: PgConnection,
}

/// Takes the job's lock on a connection of its own, unless somebody has it. Dropping the connection gives it back.
async fn lock(pool: &PgPool, job_name: &str) -> sqlx::Result<Option<PgConnection>> {
    let mut connection = pool.acquire().await?.detach();
    let won: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
        .bind(JOB_LOCK)
        .bind(job_name)
        .fetch_one(&mut connection)
        .await?;
    Ok(won.then_some(connection))
}

async fn close_leftovers(connection: &mut PgConnection, job_name: &str) -> sqlx::Result<u64> {
    let closed = sqlx::query(
        "UPDATE server_job_runs SET state = 'failed', error_message = $2, finished_at = now() \
         WHERE job_name = $1 AND state = 'running'",
    )
    .bind(job_name)
    .bind(INTERRUPTED)
    .execute(connection)
    .await?;
    Ok(closed.rows_affected())
}

/// Begins a run; none when the job runs already, here or elsewhere, or that minute of its schedule was had.
///
/// # Errors
/// Whatever the database reports.
pub async fn begin(pool: &PgPool, start: Start<'_>) -> sqlx::Result<Option<Claim>> {
    let Some(mut connection) = lock(pool, start.job_name).await? else { return Ok(None) };
    close_leftovers(&mut connection, start.job_name).await?;
    let run: Option<Run> = sqlx::query_as(concat!(
        "INSERT INTO server_job_runs (id, job_name, triggered_by, requested_by, scheduled_for, state) \
         VALUES ($1, $2, $3, $4, $5, 'running') \
         ON CONFLICT (job_name, scheduled_for) DO NOTHING RETURNING ",
        columns!()
    ))
    .bind(Uuid::now_v7())
    .bind(start.job_name)
    .bind(start.trigger.as_str())
    .bind(start.requested_by.map(UserId::uuid))
    .bind(start.scheduled_for)
    .fetch_optional(&mut connection)
    .await?;
    Ok(run.map(|run| Claim { run, connection }))
}

impl Claim {
    /// Whether somebody asked the run to end. As it asks on the connection that holds the lock, an error says that the
    /// lock may be gone.
    ///
    /// # Errors
    /// Whatever the database reports.
    pub async fn is_cancelled(&mut self) -> sqlx::Result<bool> {
        let asked: Option<bool> =
            sqlx::query_scalar("SELECT cancel_requested_at IS NOT NULL FROM server_job_runs WHERE id = $1")
                .bind(self.run.id)
                .fetch_optional(&mut self.connection)
                .await?;
        Ok(asked.unwrap_or(false))
    }

    /// Puts on record how the run ended, lets old runs go, and gives the lock back.
    ///
    /// # Errors
    /// Whatever the database reports; then whoever runs the job next closes this run.
    pub async fn end(self, pool: &PgPool, end: &End) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE server_job_runs SET state = $2, result = $3, error_message = $4, finished_at = now() \
             WHERE id = $1 AND state = 'running'",
        )
        .bind(self.run.id)
        .bind(end.state.as_str())
        .bind(end.result.as_ref())
        .bind(end.error_message.as_deref())
        .execute(pool)
        .await?;
        sqlx::query(
            "DELETE FROM server_job_runs WHERE job_name = $1 AND state <> 'running' AND id NOT IN \
             (SELECT id FROM server_job_runs WHERE job_name = $1 ORDER BY started_at DESC, id DESC LIMIT $2) \
             AND id NOT IN (SELECT id FROM server_job_runs WHERE job_name = $1 AND state = 'succeeded' \
                 ORDER BY started_at DESC, id DESC LIMIT 1)",
        )
        .bind(&self.run.job_name)
        .bind(KEPT)
        .execute(pool)
        .await?;
        Ok(())
    }
}

/// Closes the runs of a job that a process left behind when it went, and says how many there were. A run that is under
/// way, here or elsewhere, is left alone.
///
/// # Errors
/// Whatever the database reports.
pub async fn close_interrupted(pool: &PgPool, job_name: &str) -> sqlx::Result<u64> {
    match lock(pool, job_name).await? {
        Some(mut connection) => {
            let closed = close_leftovers(&mut connection, job_name).await;
            // A closed connection gives it back a moment later, and whoever begins the job at once would not get it.
            sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))")
                .bind(JOB_LOCK)
                .bind(job_name)
                .execute(&mut connection)
                .await?;
            closed
        }
        None => Ok(0),
    }
}

/// Asks the run of a job that is under way to end, whichever process has it; none when none is.
///
/// # Errors
/// Whatever the database reports.
pub async fn request_cancel(db: impl PgExecutor<'_>, job_name: &str) -> sqlx::Result<Option<Run>> {
    sqlx::query_as(concat!(
        "UPDATE server_job_runs SET cancel_requested_at = coalesce(cancel_requested_at, now()) \
         WHERE job_name = $1 AND state = 'running' RETURNING ",
        columns!()
    ))
    .bind(job_name)
    .fetch_optional(db)
    .await
}

/// One run; none when it is not kept any more.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Run>> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM server_job_runs WHERE id = $1"))
        .bind(id)
        .fetch_optional(db)
        .await
}

/// The runs of one job that are kept, newest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn of(db: impl PgExecutor<'_>, job_name: &str) -> sqlx::Result<Vec<Run>> {
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM server_job_runs WHERE job_name = $1 ORDER BY started_at DESC, id DESC"
    ))
    .bind(job_name)
    .fetch_all(db)
    .await
}

/// The last run of a job that did what it is for; none when there never was one. It is kept however many came after.
///
/// # Errors
/// Whatever the database reports.
pub async fn last_good(db: impl PgExecutor<'_>, job_name: &str) -> sqlx::Result<Option<Run>> {
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM server_job_runs WHERE job_name = $1 AND state = 'succeeded' ORDER BY started_at DESC, id DESC LIMIT 1"
    ))
    .bind(job_name)
    .fetch_optional(db)
    .await
}

/// The latest run of every job that ever ran, by job.
///
/// # Errors
/// Whatever the database reports.
pub async fn latest(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Run>> {
    sqlx::query_as(concat!(
        "SELECT DISTINCT ON (job_name) ",
        columns!(),
        " FROM server_job_runs ORDER BY job_name, started_at DESC, id DESC"
    ))
    .fetch_all(db)
    .await
}
