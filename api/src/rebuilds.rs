//! Rebuilds that admins started, and how far they are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::stream::Position;
use projections::engine::Replayed;
use serde::Serialize;
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::state::AppState;

/// How often it is tried to clear up after a cancelled rebuild, and how long is waited in between.
const CLEARINGS: u32 = 50;
const CLEARING_PAUSE: Duration = Duration::from_millis(100);

/// What became of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RebuildState {
    /// It is under way; the live tables serve meanwhile.
    Running,
    /// The rebuilt tables are live.
    Done,
    /// The live tables are as they were.
    Failed,
    /// Somebody called it off; the live tables are as they were.
    Cancelled,
}

/// The latest rebuild of a projection that was started through this server since it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rebuild {
    /// What became of it.
    pub state: RebuildState,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it was done or failed.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many events it has read.
    pub events: u64,
    /// The position of the last of them; once done, the last event in the rebuilt tables.
    #[schema(value_type = i64)]
    pub position: Position,
    /// Up to where it reads before it catches up with what was recorded meanwhile.
    #[schema(value_type = i64)]
    pub head: Position,
    /// Events read per second.
    pub events_per_second: u64,
    /// About how many seconds the rest of the reading takes; null before anything was read and when it is over.
    pub remaining_seconds: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The rebuilds of this process, by projection.
#[derive(Debug, Default)]
pub struct Rebuilds(Mutex<BTreeMap<&'static str, Known>>);

#[derive(Debug)]
struct Known {
    rebuild: Rebuild,
    cancel: Arc<Notify>,
    /// Whether its task still works, perhaps only to clear up after it was cancelled.
    busy: bool,
}

impl Rebuilds {
    /// The latest rebuild of a projection.
    #[must_use]
    pub fn latest(&self, projection: &str) -> Option<Rebuild> {
        self.all().get(projection).map(|known| known.rebuild.clone())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Known>> {
        // Every change is whole before the next begins, so a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, projection: &'static str, change: impl FnOnce(&mut Rebuild)) {
        self.all().entry(projection).and_modify(|known| change(&mut known.rebuild));
    }

    fn over(&self, projection: &'static str) {
        self.all().entry(projection).and_modify(|known| known.busy = false);
    }

    /// Calls off the one of a projection; `false` when none is under way here.
    #[must_use]
    pub fn cancel(&self, projection: &str) -> bool {
        let mut all = self.all();
        let running = all.get_mut(projection).filter(|known| known.rebuild.state == RebuildState::Running);
        let Some(known) = running else { return false };
        known.rebuild.state = RebuildState::Cancelled;
        known.rebuild.finished_at = Some(Utc::now());
        known.rebuild.remaining_seconds = None;
        known.cancel.notify_one();
        true
    }

    /// Notes that one begins; `None` when one is under way.
    fn begin(&self, projection: &'static str) -> Option<Arc<Notify>> {
        let mut all = self.all();
        if all.get(projection).is_some_and(|latest| latest.busy) {
            return None;
        }
        let cancel = Arc::new(Notify::new());
        let begun = Rebuild {
            state: RebuildState::Running,
            started_at: Utc::now(),
            finished_at: None,
            events: 0,
            position: Position::default(),
            head: Position::default(),
            events_per_second: 0,
            remaining_seconds: None,
            error: None,
        };
        all.insert(projection, Known { rebuild: begun, cancel: cancel.clone(), busy: true });
        Some(cancel)
    }
}

impl AppState {
    /// Starts to rebuild a projection in the background; `false` when this server is at it already. It is
    /// given up when the server stops, which leaves the live tables as they are.
    #[must_use]
    pub fn start_rebuild(&self, projection: &'static str) -> bool {
        let Some(cancel) = self.rebuilds.begin(projection) else { return false };
        let state = self.clone();
        tokio::spawn(async move {
            let note = |now: Replayed| {
                state.rebuilds.change(projection, |rebuild| {
                    rebuild.events = now.events;
                    rebuild.position = now.position;
                    rebuild.head = now.head;
                    rebuild.events_per_second = now.rate();
                    rebuild.remaining_seconds = now.remaining().map(|rest| rest.as_secs());
                });
            };
            let names = [projection];
            let outcome = tokio::select! {
                outcome = state.projections.rebuild(&names, note) => outcome.map_err(|error| error.to_string()),
                () = state.stopping() => Err("the server was stopped".to_owned()),
                () = cancel.notified() => {
                    clear_up(&state).await;
                    state.rebuilds.over(projection);
                    return;
                }
            };
            state.rebuilds.over(projection);
            state.rebuilds.change(projection, |rebuild| {
                rebuild.remaining_seconds = None;
                rebuild.finished_at = Some(Utc::now());
                match outcome {
                    Ok(rebuilt) => {
                        rebuild.state = RebuildState::Done;
                        rebuild.position = rebuilt.first().map_or(rebuild.position, |one| one.position);
                    }
                    Err(error) => {
                        tracing::error!(projection, %error, "a rebuild failed");
                        rebuild.state = RebuildState::Failed;
                        rebuild.error = Some(error);
                    }
                }
            });
        });
        true
    }
}

/// Drops what a cancelled rebuild made. Its connection takes a moment to be gone, and holds a lock until then.
async fn clear_up(state: &AppState) {
    for _ in 0..CLEARINGS {
        match state.projections.clear_leftovers().await {
            Ok(true) => return,
            Ok(false) => tokio::time::sleep(CLEARING_PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, "the tables of a cancelled rebuild stay until the next start");
                return;
            }
        }
    }
}
