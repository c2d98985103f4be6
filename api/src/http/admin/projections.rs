//! `/api/admin/projections`: how the read models stand, and operating them.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::sse::{Event, KeepAlive, Sse},
};
use domain::stream::Position;
use futures::{Stream, stream};
use projections::engine::{self, EngineError, Phase, Rebuild, Skip, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    extract::{AdminUser, Body, Path},
    pages::Page,
    problem::{self, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    server_sent::ServerSentEvent,
    state::AppState,
};

/// It is being rebuilt already.
pub const REBUILD_RUNNING: Kind = Kind::new(
    StatusCode::CONFLICT,
    "rebuild_running",
    "this projection is being rebuilt already; GET /api/admin/projections says how far it is",
);

/// There is nothing to cancel.
pub const NO_REBUILD: Kind = Kind::new(
    StatusCode::CONFLICT,
    "no_rebuild_running",
    "this projection is not being rebuilt; GET /api/admin/projections says what became of the latest rebuild",
);
const NOT_RUNNING: Kind =
    Kind::new(StatusCode::CONFLICT, "not_running", "only a running projection can be paused");
const NOT_PAUSED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "not_paused",
    "only a paused projection can be resumed; a stopped one tries again with retry",
);
const NOT_STOPPED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "not_stopped",
    "only a projection that has stopped at an event can try it again or skip it",
);

/// How often it is looked whether there is something new to send.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// After so many looks a stream ends, and its reader comes again: so it ends for whoever is no admin any more.
const LOOKS: u32 = 1_200;
/// Longest reason for a skip, in characters.
const REASON: usize = 500;

problems!(ListProblems = problem::ADMIN);
problems!(PauseProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NOT_RUNNING]);
problems!(ResumeProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NOT_PAUSED]);
problems!(RetryProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NOT_STOPPED]);
problems!(SkipProblems = problem::ADMIN, problem::BODY, &[NOT_FOUND, NOT_STOPPED]);
problems!(CancelProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NO_REBUILD]);
problems!(RebuildProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, REBUILD_RUNNING]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(watch))
        .routes(routes!(rebuild, cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(retry))
        .routes(routes!(skip))
}

/// How a projection stands.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
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
    /// For how many seconds the next event has waited to be folded; 0 when there is none.
    lag_seconds: i64,
    /// What it is at.
    phase: Phase,
    /// `running`, `paused` by a person, or `stopped` at an event that it cannot fold.
    #[schema(value_type = String)]
    state: engine::State,
    /// Why it stopped: the event, its type and what is wrong with it. Of a running one, what keeps it from folding at
    /// the moment; it is tried again.
    error: Option<String>,
    /// The event it stopped at.
    #[schema(value_type = Option<i64>)]
    failed_position: Option<Position>,
    /// The latest rebuild, whichever process is or was at it.
    rebuild: Option<Rebuild>,
    /// Events that it passes over for good, oldest first.
    skips: Vec<Skip>,
}

/// Why an event is passed over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"reason": "recorded by a faulty import, see ticket 12"}))]
pub struct SkipBody {
    /// 1 to 500 characters; stays on record.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

fn example_projection() -> Value {
    json!({
        "name": "collection",
        "version": 1,
        "release_version": 1,
        "position": 1201,
        "head": 1201,
        "lag": 0,
        "lag_seconds": 0,
        "phase": "live",
        "state": "running",
        "error": null,
        "failed_position": null,
        "rebuild": {
            "state": "done",
            "stage": "swapping",
            "asked_by": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
            "started_at": "2026-01-17T09:30:00Z",
            "updated_at": "2026-01-17T09:30:01Z",
            "finished_at": "2026-01-17T09:30:01Z",
            "events": 1201,
            "position": 1201,
            "head": 1201,
            "events_per_second": 200_000,
            "remaining_seconds": null,
            "error": null,
            "cancelled_by": null
        },
        "skips": [{
            "projection": "collection",
            "position": 977,
            "reason": "recorded by a faulty import, see ticket 12",
            "skipped_by": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
            "skipped_at": "2026-01-16T18:02:11Z"
        }]
    })
}

impl ProjectionView {
    fn of(status: Status, skips: &[Skip]) -> Self {
        Self {
            phase: status.phase,
            skips: skips.iter().filter(|skip| skip.projection == status.name).cloned().collect(),
            lag_seconds: status.lag_seconds,
            rebuild: status.rebuild,
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
    Ok(Json(Page { items: all(&state).await?, next_cursor: None }))
}

async fn all(state: &AppState) -> Result<Vec<ProjectionView>, EngineError> {
    let skips = state.projections.skips().await?;
    let all = state.projections.status().await?;
    Ok(all.into_iter().map(|status| ProjectionView::of(status, &skips)).collect())
}

async fn one(state: &AppState, name: &str) -> Result<ProjectionView, Problem> {
    all(state).await?.into_iter().find(|view| view.name == name).ok_or_else(|| NOT_FOUND.into())
}

/// How the read models stand, told as it changes.
///
/// For admins. Server-sent events: each `projections` is an array of all of them, as `GET /api/admin/projections`
/// lists them; the first comes at once, the next when something has changed, at most two a second. It ends after
/// ten minutes and when the server stops; a browser's `EventSource` comes again by itself.
#[utoipa::path(
    get,
    path = "/api/admin/projections/events",
    tag = "admin",
    security(("session" = [])),
    responses(
        (status = 200, description = "One event after the other", body = ServerSentEvent, content_type = "text/event-stream"),
        ListProblems
    )
)]
async fn watch(
    State(state): State<AppState>,
    _admin: AdminUser,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begun = (state, None::<Vec<ProjectionView>>, LOOKS);
    let events = stream::unfold(begun, |(state, mut told, mut looks)| async move {
        while looks > 0 && !state.is_stopping() {
            looks = looks.saturating_sub(1);
            if told.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(LOOKED_EVERY) => {}
                    () = state.stopping() => return None,
                }
            }
            match all(&state).await {
                Ok(now) if told.as_ref() != Some(&now) => {
                    let event = Event::default().event("projections").json_data(&now).ok()?;
                    told = Some(now);
                    return Some((Ok(event), (state, told, looks)));
                }
                Ok(_same) => {}
                Err(error) => {
                    tracing::warn!(%error, "how the read models stand cannot be told");
                    return None;
                }
            }
        }
        None
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Halts a read model.
///
/// For admins. It stays where it is and goes on being read; writes whose answers it holds are answered with 202.
#[utoipa::path(
    post,
    path = "/api/admin/projections/{name}/pause",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    responses((status = 200, description = "How it stands", body = ProjectionView), PauseProblems)
)]
async fn pause(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    state.projections.pause(&name).await.map_err(refusal)?;
    Ok(Written::done(one(&state, &name).await?))
}

/// Lets a paused read model go on.
///
/// For admins.
#[utoipa::path(
    post,
    path = "/api/admin/projections/{name}/resume",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    responses((status = 200, description = "How it stands", body = ProjectionView), ResumeProblems)
)]
async fn resume(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    state.projections.resume(&name).await.map_err(refusal)?;
    Ok(Written::done(one(&state, &name).await?))
}

/// Lets a stopped read model try its event again.
///
/// For admins. After a release that can fold it, for instance; when it cannot, it stops there again.
#[utoipa::path(
    post,
    path = "/api/admin/projections/{name}/retry",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    responses((status = 200, description = "How it stands", body = ProjectionView), RetryProblems)
)]
async fn retry(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    state.projections.retry(&name).await.map_err(refusal)?;
    Ok(Written::done(one(&state, &name).await?))
}

/// Lets a stopped read model pass over the event that it stopped at, for good.
///
/// For admins. Rebuilding and verifying pass over it too. The reason stays on record, with who gave it.
#[utoipa::path(
    post,
    path = "/api/admin/projections/{name}/skip",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    request_body = SkipBody,
    responses((status = 200, description = "How it stands", body = ProjectionView), SkipProblems)
)]
async fn skip(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(name): Path<String>,
    Body(given): Body<SkipBody>,
) -> Result<Written<ProjectionView>, Problem> {
    let reason = given.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON {
        return Err(Problem::from(INVALID_FIELD).detail("reason has 1 to 500 characters").field("reason"));
    }
    state.projections.skip(&name, reason, &admin.id.to_string()).await.map_err(refusal)?;
    Ok(Written::done(one(&state, &name).await?))
}

/// What the engine refuses, as it is told over HTTP.
fn refusal(error: EngineError) -> Problem {
    match error {
        EngineError::Unknown(_) => NOT_FOUND.into(),
        EngineError::NotRunning(_) => NOT_RUNNING.into(),
        EngineError::NotPaused(_) => NOT_PAUSED.into(),
        EngineError::NotStopped(_) | EngineError::NothingToSkip(_) => NOT_STOPPED.into(),
        EngineError::Busy(_) => REBUILD_RUNNING.into(),
        EngineError::NotRebuilding(_) => NO_REBUILD.into(),
        error => error.into(),
    }
}

/// Calls off a rebuild.
///
/// For admins. Whichever process is at it: this server or another, the command line, a newer release at its start,
/// which then leaves the old tables until somebody asks for a rebuild. The live tables stay as they are.
#[utoipa::path(
    delete,
    path = "/api/admin/projections/{name}/rebuild",
    tag = "admin",
    security(("session" = [])),
    params(("name" = String, Path, description = "The projection's name", example = "collection")),
    responses((status = 200, description = "How it stands", body = ProjectionView), CancelProblems)
)]
async fn cancel(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    state.projections.cancel_rebuild(&name, &admin.id.to_string()).await.map_err(refusal)?;
    Ok(Written::done(one(&state, &name).await?))
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
    admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<ProjectionView>, Problem> {
    let begun =
        state.projections.begin_rebuild(&[name.as_str()], &admin.id.to_string()).await.map_err(refusal)?;
    let going = state.clone();
    let rebuilt = name.clone();
    tokio::spawn(async move {
        tokio::select! {
            outcome = begun.run(|_| ()) => {
                if let Err(error) = outcome {
                    tracing::error!(projection = rebuilt, %error, "a rebuild came to nothing");
                }
            }
            () = going.stopping() => {}
        }
    });
    Ok(Written::done(one(&state, &name).await?))
}
