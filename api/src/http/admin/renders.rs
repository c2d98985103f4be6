//! `/api/admin/renders`: films and models of scans that are made, and those that came to nothing.

use axum::{Json, extract::State, http::StatusCode};
use operational::renders;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::Written,
    extract::{AdminUser, Path, Query},
    http::scans::RenderView,
    problem::{self, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

const NOT_DEAD: Kind = Kind::new(
    StatusCode::CONFLICT,
    "render_not_dead",
    "only what came to nothing is tried again by hand, and only while the same is not under way",
);
const STATES: [&str; 4] = ["queued", "running", "done", "dead"];
/// How many are listed.
const MOST: i64 = 200;

problems!(ListProblems = problem::ADMIN, problem::LISTING);
problems!(RetryProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NOT_DEAD]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(retry))
}

/// Which to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListRenders {
    /// `queued`, `running`, `done` or `dead`.
    state: Option<String>,
}

/// What is made of scans.
#[derive(Debug, Serialize, ToSchema)]
pub struct Renders {
    /// The newest first.
    items: Vec<AdminRender>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminRender {
    #[serde(flatten)]
    render: RenderView,
    /// Whose scan it is.
    user_id: Uuid,
    /// Who is at it, or was last.
    worker: Option<String>,
}

impl From<renders::Render> for AdminRender {
    fn from(render: renders::Render) -> Self {
        Self { user_id: render.user_id, worker: render.worker.clone(), render: render.into() }
    }
}

/// What is made of scans.
///
/// For admins. The newest 200 first. Dead ones are kept for thirty days; the pictures are their owners' alone.
#[utoipa::path(
    get,
    path = "/api/admin/renders",
    tag = "admin",
    operation_id = "list_renders",
    security(("session" = [])),
    params(ListRenders),
    responses((status = 200, description = "What is made", body = Renders), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
    Query(ListRenders { state: wanted }): Query<ListRenders>,
) -> Result<Json<Renders>, Problem> {
    if wanted.as_deref().is_some_and(|wanted| !STATES.contains(&wanted)) {
        return Err(Problem::from(INVALID_FIELD).detail("one of queued, running, done, dead").field("state"));
    }
    let list = renders::list(&state.pool, wanted.as_deref(), MOST).await?;
    Ok(Json(Renders { items: list.into_iter().map(AdminRender::from).collect() }))
}

/// Has one that came to nothing tried again.
///
/// For admins.
#[utoipa::path(
    post,
    path = "/api/admin/renders/{id}/retry",
    tag = "admin",
    operation_id = "retry_render",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "Which")),
    responses((status = 200, description = "It waits again", body = AdminRender), RetryProblems)
)]
async fn retry(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(id): Path<Uuid>,
) -> Result<Written<AdminRender>, Problem> {
    let is_revived = renders::revive(&state.pool, id).await?;
    let render = renders::find(&state.pool, id).await?.ok_or(NOT_FOUND)?;
    if !is_revived {
        return Err(NOT_DEAD.into());
    }
    state.renders.wake();
    Ok(Written::done(render.into()))
}
