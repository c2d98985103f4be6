//! `/api/health`: whether the process lives, and whether it can serve.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use projections::engine::{self, EngineError};
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
    "the server is stopping, or its database is away or takes no writes, or a read model has stopped",
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
/// Anybody may ask. It fails while the server is going down, its database does not answer or takes no writes, or a read
/// model has stopped at an event that it cannot fold (`projections` names them). A balancer sends requests elsewhere
/// meanwhile; a read model is the same for all servers, so that has to be mended.
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
    let asking = async {
        let takes_writes = "SELECT current_setting('transaction_read_only') = 'off'";
        let takes_writes: bool = sqlx::query_scalar(takes_writes).fetch_one(&state.pool).await?;
        Ok::<_, EngineError>((takes_writes, state.projections.status().await?))
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    let stopped: Vec<String> = match asked {
        Ok(Ok((false, _))) => {
            return Err(Problem::from(NOT_READY).detail("the database takes no writes for now"));
        }
        Ok(Ok((true, all))) => {
            all.into_iter().filter(|one| one.state == engine::State::Stopped).map(|one| one.name).collect()
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            return Err(NOT_READY.into());
        }
        Err(_late) => return Err(NOT_READY.into()),
    };
    if stopped.is_empty() {
        return Ok(Json(Health { status: "ready" }));
    }
    let detail = format!("these read models have stopped at an event: {}", stopped.join(", "));
    Err(Problem::from(NOT_READY).detail(detail).extra("projections", stopped))
}
