//! `/api/admin/projections`: how the read models stand, and rebuilding them.

use axum::{Json, extract::State, http::StatusCode};
use domain::stream::Position;
use projections::engine::{self, Status};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    extract::{AdminUser, Path},
    pages::Page,
    problem::{self, Kind, NOT_FOUND, Problem},
    problems,
    rebuilds::Rebuild,
    state::AppState,
};

/// It is being rebuilt already.
pub const REBUILD_RUNNING: Kind = Kind::new(
    StatusCode::CONFLICT,
    "rebuild_running",
    "this projection is being rebuilt already; GET /api/admin/projections says how far it is",
);

problems!(ListProblems = problem::ADMIN);
problems!(RebuildProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, REBUILD_RUNNING]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(rebuild))
}

/// How a projection stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Projection, example = example_projection)]
pub struct ProjectionView {
    name: String,
    /// The version of its tables. They are rebuilt when the release has a newer one.
    version: u32,
    /// The version of this release.
    release_version: u32,
    /// The last event in its tables.
    #[schema(value_type = i64)]
    position: Position,
    /// The newest event of the log.
    #[schema(value_type = i64)]
    head: Position,
    /// How many positions lie between the two. Positions can be missing, so the events may be fewer.
    lag: i64,
    /// `running`, `paused` by a person, or `stopped` at an event that it cannot fold.
    #[schema(value_type = String)]
    state: engine::State,
    /// Why it stopped.
    error: Option<String>,
    /// The event it stopped at.
    #[schema(value_type = Option<i64>)]
    failed_position: Option<Position>,
    /// The latest rebuild that was started through this server since it runs.
    rebuild: Option<Rebuild>,
}

fn example_projection() -> Value {
    json!({
        "name": "collection",
        "version": 1,
        "release_version": 1,
        "position": 1201,
        "head": 1201,
        "lag": 0,
        "state": "running",
        "error": null,
        "failed_position": null,
        "rebuild": {
            "state": "done",
            "started_at": "2026-01-17T09:30:00Z",
            "finished_at": "2026-01-17T09:30:01Z",
            "events": 1201,
            "position": 1201,
            "head": 1201,
            "events_per_second": 200_000,
            "error": null
        }
    })
}

impl ProjectionView {
    fn of(status: Status, state: &AppState) -> Self {
        Self {
            rebuild: state.rebuilds.latest(&status.name),
            name: status.name,
            version: status.version,
            release_version: status.release_version,
            position: status.position,
            head: Position(status.position.0.saturating_add(status.lag)),
            lag: status.lag,
            state: status.state,
            error: status.error,
            failed_position: status.failed_position,
        }
    }
}

/// How the read models stand.
///
/// For admins. In the order of their names; `next_cursor` is always null.
#[utoipa::path(
    get,
    path = "/api/admin/projections",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "Every projection", body = Page<ProjectionView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
) -> Result<Json<Page<ProjectionView>>, Problem> {
    let all = state.projections.status().await?;
    let items = all.into_iter().map(|status| ProjectionView::of(status, &state)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Rebuilds a read model from the log.
///
/// For admins. It goes on in the background; `GET /api/admin/projections` says how far it is. The live tables
/// serve until the rebuilt ones take their place, and stay as they are when it fails.
#[utoipa::path(
    post,
    path = "/api/admin/projections/{name}/rebuild",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    responses(
        (status = 200, description = "It has begun; how the projection stands", body = ProjectionView),
        RebuildProblems
    )
)]
async fn rebuild(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    let known = state.projections.definitions().iter().find(|definition| definition.name == name);
    let name = known.ok_or(NOT_FOUND)?.name;
    if !state.start_rebuild(name) {
        return Err(REBUILD_RUNNING.into());
    }
    let all = state.projections.status().await?;
    let status = all.into_iter().find(|status| status.name == name).ok_or(NOT_FOUND)?;
    Ok(Written::done(ProjectionView::of(status, &state)))
}
