//! Runs jobs: once across all processes, on record, and to be ended by anybody who may.

use super::{Failure, Job, Schedule, Turn};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use futures::FutureExt;
use operational::app_settings::{self, SettingError};
use operational::cron::CronExpression;
use operational::server_job_runs::{self, Claim, End, Run, RunState, Start, Trigger};
use serde_json::Value;
use sqlx::PgPool;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_cron_scheduler::{JobBuilder, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How often it is looked whether somebody asked a run to end.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// How long a run that was asked to end may take to do so before it is dropped.
const GRACE: Duration = Duration::from_secs(10);
/// Every minute, at its beginning: schedules have no seconds.
const EVERY_MINUTE: &str = "0 * * * * *";

/// What is on record of a run that the server ended with itself.
const STOPPED: &str = "cut off: the server was stopped";
/// And of one whose right to run could not be held.
const LOST: &str = "cut off: the database went away";

/// Why a job was not started or ended.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No job has this name.
    #[error("there is no such job")]
    Unknown,
    /// It is under way, here or elsewhere.
    #[error("it runs already")]
    Running,
    /// It is not under way.
    #[error("it is not running")]
    NotRunning,
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The setting that has its schedule makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// The jobs of this process. A clone is the same.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    pool: PgPool,
    jobs: Vec<Arc<dyn Job>>,
    running: TaskTracker,
    stopping: CancellationToken,
}

/// Starts jobs by the clock until it is stopped.
pub struct Ticking(JobScheduler);

impl Ticking {
    /// No job is started by this clock any more. Runs go on.
    pub async fn stop(mut self) {
        if let Err(error) = self.0.shutdown().await {
            tracing::warn!(%error, "the clock of the jobs does not stop");
        }
    }
}

/// What a run ends with: what the job gave, and what it was asked.
enum Asked {
    Nothing,
    ToEnd,
    ToStop,
    LockLost,
}

impl Jobs {
    /// These jobs, on this database. Nothing is started yet.
    #[must_use]
    pub fn new(pool: PgPool, jobs: Vec<Arc<dyn Job>>) -> Self {
        let (running, stopping) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { pool, jobs, running, stopping }))
    }

    /// Every job there is, in the order in which they are shown.
    #[must_use]
    pub fn all(&self) -> &[Arc<dyn Job>] {
        &self.0.jobs
    }

    /// The job with this name.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn find(&self, name: &str) -> Result<Arc<dyn Job>, JobError> {
        self.0.jobs.iter().find(|job| job.name() == name).cloned().ok_or(JobError::Unknown)
    }

    /// When the clock starts a job, as things are set now; none when it never does.
    ///
    /// # Errors
    /// `Setting` when the setting holds no schedule, or the database does not answer.
    pub async fn schedule(&self, job: &dyn Job) -> Result<Option<CronExpression>, JobError> {
        let text = match job.schedule() {
            Schedule::Fixed(text) => text.to_owned(),
            Schedule::Setting(key) => {
                app_settings::get::<String>(&self.0.pool, key).await?.unwrap_or_default()
            }
        };
        // What is set is checked when it is set.
        Ok(text.parse().ok())
    }

    /// Closes runs that a process left behind, starts what is done at boot, and then each job when its schedule says,
    /// until what this gives is stopped.
    ///
    /// # Errors
    /// When the clock cannot be set up.
    pub async fn start(&self) -> Result<Ticking, JobSchedulerError> {
        for job in self.all() {
            match server_job_runs::close_interrupted(&self.0.pool, job.name()).await {
                Ok(0) => {}
                Ok(_) => tracing::warn!(job = job.name(), "a run was cut off when its server stopped"),
                Err(error) => tracing::warn!(%error, job = job.name(), "old runs could not be looked for"),
            }
            if job.at_boot() {
                self.begin_or_tell(job, Trigger::Boot, None).await;
            }
        }
        let scheduler = JobScheduler::new().await?;
        // The clock ticks every minute and schedules are looked up then, so that a setting holds from the next minute on,
        // in every process.
        let last = Arc::new(Mutex::new(Utc::now()));
        let jobs = self.clone();
        let every_minute = JobBuilder::new()
            .with_timezone(Utc)
            .with_cron_job_type()
            .with_schedule(EVERY_MINUTE)?
            .with_run_async(Box::new(move |_id, _scheduler| {
                let (jobs, last) = (jobs.clone(), last.clone());
                Box::pin(async move {
                    let until = Utc::now();
                    let after = {
                        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                        std::mem::replace(&mut *last, until)
                    };
                    jobs.tick(after, until).await;
                })
            }))
            .build()?;
        scheduler.add(every_minute).await?;
        scheduler.start().await?;
        Ok(Ticking(scheduler))
    }

    /// Starts every job whose schedule has a time after the first and up to the second of these. However many it has,
    /// and however many processes look, the job is started once.
    pub async fn tick(&self, after: DateTime<Utc>, until: DateTime<Utc>) {
        for job in self.all() {
            match self.schedule(job.as_ref()).await {
                Ok(Some(schedule)) => {
                    if let Some(time) = schedule.last_within(after, until) {
                        self.begin_or_tell(job, Trigger::Schedule, Some(time)).await;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, job = job.name(), "its schedule is not known"),
            }
        }
    }

    async fn begin_or_tell(&self, job: &Arc<dyn Job>, trigger: Trigger, time: Option<DateTime<Utc>>) {
        if let Err(error) = self.begin(job, trigger, None, time).await {
            tracing::warn!(%error, job = job.name(), "it could not be started");
        }
    }

    /// Starts a job at once; the run as it begins.
    ///
    /// # Errors
    /// `Unknown`, `Running`, `Database`.
    pub async fn run_now(&self, name: &str, by: Option<UserId>) -> Result<Run, JobError> {
        let job = self.find(name)?;
        self.begin(&job, Trigger::Admin, by, None).await?.ok_or(JobError::Running)
    }

    /// Asks the run of a job to end, whichever process has it; the run as it stands. It ends within moments.
    ///
    /// # Errors
    /// `Unknown`, `NotRunning`, `Database`.
    pub async fn cancel(&self, name: &str) -> Result<Run, JobError> {
        let job = self.find(name)?;
        server_job_runs::request_cancel(&self.0.pool, job.name()).await?.ok_or(JobError::NotRunning)
    }

    /// Ends what runs in this process, and waits for it.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.running.close();
        self.0.running.wait().await;
    }

    async fn begin(
        &self,
        job: &Arc<dyn Job>,
        trigger: Trigger,
        requested_by: Option<UserId>,
        scheduled_for: Option<DateTime<Utc>>,
    ) -> Result<Option<Run>, sqlx::Error> {
        if self.0.stopping.is_cancelled() {
            return Ok(None);
        }
        let start = Start { job_name: job.name(), trigger, requested_by, scheduled_for };
        let Some(claim) = server_job_runs::begin(&self.0.pool, start).await? else { return Ok(None) };
        let run = claim.run.clone();
        // Its lines are found by the id of the run.
        let span = tracing::info_span!("background", correlation_id = %run.id, job = job.name());
        self.0.running.spawn(self.clone().carry_out(job.clone(), trigger, claim).instrument(span));
        Ok(Some(run))
    }

    async fn carry_out(self, job: Arc<dyn Job>, trigger: Trigger, mut claim: Claim) {
        let turn = Turn { trigger, cancelled: CancellationToken::new() };
        let (outcome, asked) = self.work(job.as_ref(), &turn, &mut claim).await;
        let end = ended(outcome, &asked);
        match end.state {
            RunState::Failed => {
                let error = end.error_message.as_deref().unwrap_or_default();
                tracing::warn!(job = job.name(), error, "a job failed");
            }
            _ => tracing::info!(job = job.name(), state = end.state.as_str(), "a job has run"),
        }
        if let Err(error) = claim.end(&self.0.pool, &end).await {
            tracing::error!(%error, job = job.name(), "how a run ended could not be put on record");
        }
    }

    /// Does the work and looks meanwhile whether it is to end. None when it did not end in time.
    async fn work(
        &self,
        job: &dyn Job,
        turn: &Turn,
        claim: &mut Claim,
    ) -> (Option<Result<Value, Failure>>, Asked) {
        let work = AssertUnwindSafe(job.run(turn)).catch_unwind().map(|done| {
            done.unwrap_or_else(|_panic| {
                Err(Failure { message: "it panicked; the log has more".to_owned(), result: None })
            })
        });
        tokio::pin!(work);
        let asked = loop {
            tokio::select! {
                done = &mut work => return (Some(done), Asked::Nothing),
                () = self.0.stopping.cancelled() => break Asked::ToStop,
                () = tokio::time::sleep(LOOKED_EVERY) => match claim.is_cancelled().await {
                    Ok(false) => {}
                    Ok(true) => break Asked::ToEnd,
                    Err(error) => {
                        tracing::warn!(%error, job = job.name(), "the right to run it was lost");
                        break Asked::LockLost;
                    }
                },
            }
        };
        turn.cancelled.cancel();
        (tokio::time::timeout(GRACE, work).await.ok(), asked)
    }
}

fn ended(outcome: Option<Result<Value, Failure>>, asked: &Asked) -> End {
    let (result, error) = match outcome {
        Some(Ok(result)) => (Some(result), None),
        Some(Err(failure)) => (failure.result, Some(failure.message)),
        None => (None, None),
    };
    let (state, error_message) = match asked {
        Asked::Nothing if error.is_none() => (RunState::Succeeded, None),
        Asked::Nothing => (RunState::Failed, error),
        Asked::ToEnd => (RunState::Cancelled, None),
        Asked::ToStop => (RunState::Failed, Some(STOPPED.to_owned())),
        Asked::LockLost => (RunState::Failed, Some(LOST.to_owned())),
    };
    End { state, result, error_message }
}
