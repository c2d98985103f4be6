//! Rebuilds that admins started, and how far they are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::stream::Position;
use projections::engine::Replayed;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

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
}

/// The latest rebuild of a projection that was started through this server since it runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    /// Why it failed.
    pub error: Option<String>,
}

/// The rebuilds of this process, by projection.
#[derive(Debug, Default)]
pub struct Rebuilds(Mutex<BTreeMap<&'static str, Rebuild>>);

impl Rebuilds {
    /// The latest rebuild of a projection.
    #[must_use]
    pub fn latest(&self, projection: &str) -> Option<Rebuild> {
        self.all().get(projection).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Rebuild>> {
        // Every change is whole before the next begins, so a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, projection: &'static str, change: impl FnOnce(&mut Rebuild)) {
        self.all().entry(projection).and_modify(change);
    }

    /// Notes that one begins; `false` when one is under way.
    fn begin(&self, projection: &'static str) -> bool {
        let mut all = self.all();
        if all.get(projection).is_some_and(|latest| latest.state == RebuildState::Running) {
            return false;
        }
        let begun = Rebuild {
            state: RebuildState::Running,
            started_at: Utc::now(),
            finished_at: None,
            events: 0,
            position: Position::default(),
            head: Position::default(),
            events_per_second: 0,
            error: None,
        };
        all.insert(projection, begun);
        true
    }
}

impl AppState {
    /// Starts to rebuild a projection in the background; `false` when this server is at it already. It is
    /// given up when the server stops, which leaves the live tables as they are.
    #[must_use]
    pub fn start_rebuild(&self, projection: &'static str) -> bool {
        if !self.rebuilds.begin(projection) {
            return false;
        }
        let state = self.clone();
        tokio::spawn(async move {
            let note = |now: Replayed| {
                state.rebuilds.change(projection, |rebuild| {
                    rebuild.events = now.events;
                    rebuild.position = now.position;
                    rebuild.head = now.head;
                    rebuild.events_per_second = now.rate();
                });
            };
            let names = [projection];
            let outcome = tokio::select! {
                outcome = state.projections.rebuild(&names, note) => outcome.map_err(|error| error.to_string()),
                () = state.stopping() => Err("the server was stopped".to_owned()),
            };
            state.rebuilds.change(projection, |rebuild| {
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
