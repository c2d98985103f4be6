//! `/api/admin/jobs`: what the clock starts, how it went, and starting and ending it by hand.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use operational::server_job_runs::{self, Run};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::jobs::{Job, JobError, Schedule};

use crate::{
    answer::Written,
    extract::{AdminUser, Path},
    pages::Page,
    problem::{self, Kind, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// It is under way.
const JOB_RUNNING: Kind =
    Kind::new(StatusCode::CONFLICT, "job_running", "this job runs already; cancel it first or wait for it");
/// It is not under way.
const JOB_NOT_RUNNING: Kind = Kind::new(
    StatusCode::CONFLICT,
    "job_not_running",
    "this job does not run, so there is nothing to cancel",
);

problems!(ListProblems = problem::ADMIN);
problems!(ReadProblems = problem::ADMIN, &[NOT_FOUND]);
problems!(RunProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, JOB_RUNNING]);
problems!(CancelProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, JOB_NOT_RUNNING]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(run))
        .routes(routes!(cancel))
}

/// One run of a job. Times are UTC.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobRun, example = example_run)]
pub struct RunView {
    id: Uuid,
    job_name: String,
    /// `schedule`, `admin` or `boot`.
    triggered_by: String,
    /// The admin who started it; null for people erased since.
    #[schema(value_type = Option<Uuid>)]
    requested_by: Option<UserId>,
    /// The minute of the schedule that it is for.
    scheduled_for: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `cancelled`.
    state: String,
    /// What it came to, also as far as it got when it failed.
    result: Option<Value>,
    /// Why it failed.
    error_message: Option<String>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// When somebody asked it to end.
    cancel_requested_at: Option<DateTime<Utc>>,
}

fn example_run() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b90",
        "job_name": "price_cron",
        "triggered_by": "schedule",
        "requested_by": null,
        "scheduled_for": "2026-11-02T04:00:00Z",
        "state": "succeeded",
        "result": {
            "ended": "through", "figures": 212, "requests": 240, "moved": 9, "confirmed": 198, "without_price": 5,
            "stocks_changed": 3, "left": 0, "dropped": {"currency_not_quoted": 1}, "errors": {"not_found": 4},
            "troubles": []
        },
        "error_message": null,
        "started_at": "2026-11-02T04:00:00Z",
        "finished_at": "2026-11-02T04:04:07Z",
        "cancel_requested_at": null
    })
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            job_name: run.job_name,
            triggered_by: run.triggered_by,
            requested_by: run.requested_by,
            scheduled_for: run.scheduled_for,
            state: run.state,
            result: run.result,
            error_message: run.error_message,
            started_at: run.started_at,
            finished_at: run.finished_at,
            cancel_requested_at: run.cancel_requested_at,
        }
    }
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job, example = example_job)]
pub struct JobView {
    name: &'static str,
    /// What it does.
    about: &'static str,
    /// Five fields of cron, UTC; null when the clock does not start it.
    schedule: Option<String>,
    /// The setting that has the schedule, when it can be set.
    setting: Option<&'static str>,
    /// When the clock starts it next.
    next_run_at: Option<DateTime<Utc>>,
    /// Its latest run, under way or over.
    latest: Option<RunView>,
}

fn example_job() -> Value {
    json!({
        "name": "price_cron",
        "about": "Asks the price provider what stores want for every figure with a buy link, and whether they have it",
        "schedule": "0 4 * * *",
        "setting": "cote.price_cron",
        "next_run_at": "2026-11-03T04:00:00Z",
        "latest": example_run()
    })
}

/// A job with the runs that are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobWithRuns)]
pub struct WholeJobView {
    #[serde(flatten)]
    job: JobView,
    /// The last 30, newest first.
    runs: Vec<RunView>,
}

impl JobView {
    async fn of(state: &AppState, job: &dyn Job, latest: Option<Run>) -> Result<Self, Problem> {
        let schedule = state.jobs.schedule(job).await?;
        Ok(Self {
            name: job.name(),
            about: job.about(),
            next_run_at: schedule.as_ref().and_then(|schedule| schedule.next_after(Utc::now())),
            schedule: schedule.map(|schedule| schedule.as_str().to_owned()),
            setting: match job.schedule() {
                Schedule::Fixed(_) => None,
                Schedule::Setting(key) => Some(key),
            },
            latest: latest.map(Into::into),
        })
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Unknown => NOT_FOUND.into(),
            JobError::Running => JOB_RUNNING.into(),
            JobError::NotRunning => JOB_NOT_RUNNING.into(),
            JobError::Database(error) => error.into(),
            JobError::Setting(error) => error.into(),
        }
    }
}

/// Every job, with its schedule and its latest run.
///
/// For admins. `next_cursor` is always null.
#[utoipa::path(
    get,
    path = "/api/admin/jobs",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "The jobs", body = Page<JobView>), ListProblems)
)]
async fn list(State(state): State<AppState>, _admin: AdminUser) -> Result<Json<Page<JobView>>, Problem> {
    let mut latest = server_job_runs::latest(&state.pool).await?;
    let mut items = Vec::with_capacity(state.jobs.all().len());
    for job in state.jobs.all() {
        let place = latest.iter().position(|run| run.job_name == job.name());
        let run = place.map(|place| latest.swap_remove(place));
        items.push(JobView::of(&state, job.as_ref(), run).await?);
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// One job, with the runs that are kept.
///
/// For admins.
#[utoipa::path(
    get,
    path = "/api/admin/jobs/{name}",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The job's name", example = "price_cron")),
    responses((status = 200, description = "The job", body = WholeJobView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Json<WholeJobView>, Problem> {
    let job = state.jobs.find(&name)?;
    let runs = server_job_runs::of(&state.pool, job.name()).await?;
    let job = JobView::of(&state, job.as_ref(), runs.first().cloned()).await?;
    Ok(Json(WholeJobView { job, runs: runs.into_iter().map(Into::into).collect() }))
}

/// Starts a job at once.
///
/// For admins. It goes on in the background; the answer is the run as it begins. One run of a job at a time, across
/// all processes.
#[utoipa::path(
    post,
    path = "/api/admin/jobs/{name}/run",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The job's name", example = "price_cron")),
    responses((status = 200, description = "It has begun", body = RunView), RunProblems)
)]
async fn run(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<RunView>, Problem> {
    Ok(Written::done(state.jobs.run_now(&name, Some(admin.id)).await?.into()))
}

/// Ends the run of a job.
///
/// For admins. Whichever process runs it; it ends within moments and keeps what it has done. The answer is the run as
/// it stands.
#[utoipa::path(
    post,
    path = "/api/admin/jobs/{name}/cancel",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The job's name", example = "price_cron")),
    responses((status = 200, description = "It was asked to end", body = RunView), CancelProblems)
)]
async fn cancel(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<RunView>, Problem> {
    Ok(Written::done(state.jobs.cancel(&name).await?.into()))
}
