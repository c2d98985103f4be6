//! `/api/admin/stats`: how much there is.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use operational::users;
use projections::engine;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::AdminUser,
    problem::{self, Problem},
    problems,
    state::AppState,
};

problems!(ShowProblems = problem::ADMIN);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_stats)]
pub struct Stats {
    /// Accounts, suspended ones too.
    users: i64,
    /// Events in the log.
    events: i64,
    /// Streams in the log.
    streams: i64,
    /// Events of each type.
    events_by_type: BTreeMap<String, i64>,
    /// Streams of each type.
    streams_by_type: BTreeMap<String, i64>,
    /// The newest position; 0 for an empty log.
    #[schema(value_type = i64)]
    head: Position,
    /// What the log and its indexes take on disk.
    log_bytes: i64,
    first_recorded_at: Option<DateTime<Utc>>,
    last_recorded_at: Option<DateTime<Utc>>,
    /// How far each read model is.
    projections: Vec<ProjectionStats>,
}

/// How far a read model is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionStats {
    name: String,
    /// `running`, `paused` or `stopped`.
    #[schema(value_type = String)]
    state: engine::State,
    /// The last event in its tables.
    #[schema(value_type = i64)]
    position: Position,
    /// How many positions of the log are after it.
    lag: i64,
}

fn example_stats() -> Value {
    json!({
        "users": 3,
        "events": 1201,
        "streams": 420,
        "events_by_type": {"collection.piece_added": 310, "figure.catalogued": 95},
        "streams_by_type": {"collection": 3, "figure": 95},
        "head": 1201,
        "log_bytes": 983_040,
        "first_recorded_at": "2026-01-01T12:00:00.123456Z",
        "last_recorded_at": "2026-01-17T09:30:00.123456Z",
        "projections": [{"name": "collection", "state": "running", "position": 1201, "lag": 0}]
    })
}

/// How much there is.
///
/// For admins. The log is counted anew each time, which takes seconds when it holds tens of millions of
/// events.
#[utoipa::path(
    get,
    path = "/api/admin/stats",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "The counts", body = Stats), ShowProblems)
)]
async fn show(State(state): State<AppState>, _admin: AdminUser) -> Result<Json<Stats>, Problem> {
    let counts = state.store.counts().await?;
    let users = users::count(&state.pool).await?;
    let projections = state.projections.status().await?.into_iter();
    Ok(Json(Stats {
        users,
        events: counts.events,
        streams: counts.streams,
        events_by_type: counts.by_type.into_iter().collect(),
        streams_by_type: counts.streams_by_type.into_iter().collect(),
        head: counts.head,
        log_bytes: counts.bytes,
        first_recorded_at: counts.first_recorded_at,
        last_recorded_at: counts.last_recorded_at,
        projections: projections
            .map(|one| ProjectionStats {
                name: one.name,
                state: one.state,
                position: one.position,
                lag: one.lag,
            })
            .collect(),
    }))
}
