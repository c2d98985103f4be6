//! `/api/health`: whether the process lives, and whether it can serve.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    problem::{Kind, Problem},
    problems,
    state::AppState,
};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
const NOT_READY: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "not_ready",
    "the server is starting, stopping or cut off from its database",
);

problems!(ReadyProblems = &[NOT_READY]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether the process lives.
///
/// Anybody may ask. It answers as long as the process runs at all: a supervisor restarts it when this fails.
#[utoipa::path(
    get,
    path = "/api/health/live",
    tag = "health",
    responses((status = 200, description = "It lives", body = Health, example = json!({"status": "alive"})))
)]
async fn live() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Whether the server can serve.
///
/// Anybody may ask. It fails while the server is going down or its database does not answer: a balancer
/// sends requests elsewhere meanwhile.
#[utoipa::path(
    get,
    path = "/api/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It can serve", body = Health, example = json!({"status": "ready"})),
        ReadyProblems
    )
)]
async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.is_stopping() {
        return Err(NOT_READY.into());
    }
    let asked = tokio::time::timeout(PATIENCE, sqlx::query("SELECT 1").execute(&state.pool)).await;
    match asked {
        Ok(Ok(_)) => Ok(Json(Health { status: "ready" })),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(NOT_READY.into())
        }
        Err(_late) => Err(NOT_READY.into()),
    }
}
