//! Jobs: what the clock starts, and admins by hand. One file each.
//!
//! A job is a name, a schedule and one `run`. [`Jobs`] does the rest: it starts each once across all processes, keeps
//! its runs in `server_job_runs`, and ends them when somebody asks.

mod delivery_cleanup;
mod fx_refresh;
mod lookup_cleanup;
mod manga_sync;
mod price_cron;
mod record_cleanup;
mod release_cron;
mod runner;
mod scan_cleanup;
mod session_cleanup;

pub use delivery_cleanup::DeliveryCleanup;
pub use fx_refresh::FxRefresh;
pub use lookup_cleanup::LookupCleanup;
pub use manga_sync::MangaSync;
pub use price_cron::PriceCron;
pub use record_cleanup::RecordCleanup;
pub use release_cron::{Clock, ReleaseCron};
pub use runner::{JobError, Jobs, Ticking};
pub use scan_cleanup::{PictureNames, ScanCleanup};
pub use session_cleanup::SessionCleanup;

use async_trait::async_trait;
use operational::server_job_runs::Trigger;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// When the clock starts a job. Five fields of cron, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Always then.
    Fixed(&'static str),
    /// When the setting with this key says; never while it is empty.
    Setting(&'static str),
}

/// One run of a job, as the job sees it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// What started it.
    pub trigger: Trigger,
    /// Cancelled when it is to end: a job looks at it wherever it can stop without harm.
    pub cancelled: CancellationToken,
}

/// Why a run did not do what it is for, and how far it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// A sentence for the admin.
    pub message: String,
    /// What it came to before.
    pub result: Option<Value>,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), result: None }
    }
}

/// Something that is done now and again.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// Its name, in tables and addresses: `price_cron`.
    fn name(&self) -> &'static str;
    /// What it does, in a sentence.
    fn about(&self) -> &'static str;
    /// When.
    fn schedule(&self) -> Schedule;
    /// Whether it is done at the start of a server, too.
    fn at_boot(&self) -> bool {
        false
    }

    /// Does it. What it gives is kept as the run's result.
    ///
    /// # Errors
    /// [`Failure`]; what was done before stays done.
    async fn run(&self, turn: &Turn) -> Result<Value, Failure>;
}
