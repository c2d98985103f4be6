//! `/api/me/sessions`: where one is signed in.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use operational::sessions::{self, SessionRow};
use serde::Serialize;
use serde_json::{Value, json};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    extract::Path,
    identity::{self, InPerson},
    problem::{self, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::SIGNED_IN);
problems!(EndProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end))
}

/// One place where one is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_session)]
pub struct SessionView {
    /// What the session is called here. It is not what the cookie holds.
    id: Uuid,
    /// Whether this request came from it.
    current: bool,
    /// `password`, or the provider.
    signed_in_by: String,
    /// How the browser called itself.
    user_agent: Option<String>,
    created_at: DateTime<Utc>,
    /// When it was last used, to the hour.
    last_seen_at: DateTime<Utc>,
    /// When it is over if it is not used before.
    idle_until: DateTime<Utc>,
    /// When it is over at the latest.
    ends_at: DateTime<Utc>,
}

/// Everywhere one is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    items: Vec<SessionView>,
}

/// A session is over.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEnded {
    id: Uuid,
    /// Always true.
    ended: bool,
}

fn example_session() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4d01",
        "current": true,
        "signed_in_by": "password",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)",
        "created_at": "2026-01-17T09:30:00Z",
        "last_seen_at": "2026-01-18T20:15:00Z",
        "idle_until": "2026-02-17T20:15:00Z",
        "ends_at": "2026-04-17T09:30:00Z"
    })
}

impl SessionView {
    fn of(row: SessionRow, current: Uuid) -> Self {
        Self {
            id: row.id,
            current: row.id == current,
            signed_in_by: row.signed_in_by,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_seen_at: row.seen_at,
            idle_until: row.idle_until,
            ends_at: row.ends_at,
        }
    }
}

/// Where one is signed in.
///
/// For whoever is signed in. Newest first. What a cookie holds is never shown.
#[utoipa::path(
    get,
    path = "/api/me/sessions",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The sessions", body = Sessions), ListProblems)
)]
async fn list(State(state): State<AppState>, who: InPerson) -> Result<Json<Sessions>, Problem> {
    let rows = sessions::of_user(&state.pool, who.user.id).await?;
    Ok(Json(Sessions { items: rows.into_iter().map(|row| SessionView::of(row, who.session)).collect() }))
}

/// Ends one session.
///
/// For whoever is signed in; other people's sessions are not found. The next request with it is nobody's. Ending the
/// current one is signing out.
#[utoipa::path(
    delete,
    path = "/api/me/sessions/{id}",
    tag = "me",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The session's id")),
    responses((status = 200, description = "It is over", body = SessionEnded), EndProblems)
)]
async fn end(
    State(state): State<AppState>,
    who: InPerson,
    session: Session,
    Path(id): Path<Uuid>,
) -> Result<Json<SessionEnded>, Problem> {
    if !sessions::end(&state.pool, who.user.id, id).await? {
        return Err(NOT_FOUND.into());
    }
    if id == who.session {
        identity::sign_out(&state, &session).await?;
    }
    Ok(Json(SessionEnded { id, ended: true }))
}
