//! `/api/admin/policies`: how far each policy has reacted, and what it set aside.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use operational::policies::Parked;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::policies::Status;

use crate::{
    answer::Written,
    extract::{AdminUser, Path},
    pages::Page,
    problem::{self, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::ADMIN);
problems!(RetryProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(retry))
}

/// How a policy stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policy, example = example)]
pub struct PolicyView {
    name: String,
    /// The last event that it reacted to, or passed over; null before it has begun.
    #[schema(value_type = Option<i64>)]
    position: Option<Position>,
    /// How many positions the log is ahead of it. Positions can be missing, so the events may be fewer.
    lag: i64,
    /// Events that it could not react to, and later ones of the same streams, oldest first; at most a hundred.
    parked: Vec<ParkedView>,
}

/// An event that a policy set aside.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedView {
    #[schema(value_type = i64)]
    position: Position,
    stream_type: String,
    stream_id: String,
    event_type: String,
    /// What is wrong.
    reason: String,
    /// How often it was tried.
    attempts: i32,
    /// When it is tried again by itself.
    next_try_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({
        "name": "price_alerts",
        "position": 1201,
        "lag": 0,
        "parked": [{
            "position": 1180,
            "stream_type": "figure",
            "stream_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
            "event_type": "figure.price_moved",
            "reason": "event type figure.price_moved version 9 is not known to this release",
            "attempts": 4,
            "next_try_at": "2026-11-02T08:15:16Z"
        }]
    })
}

impl From<Parked> for ParkedView {
    fn from(parked: Parked) -> Self {
        Self {
            position: parked.position.0,
            stream_type: parked.aggregate_type,
            stream_id: parked.aggregate_id,
            event_type: parked.event_type,
            reason: parked.reason,
            attempts: parked.attempts,
            next_try_at: parked.next_try_at,
        }
    }
}

impl From<Status> for PolicyView {
    fn from(status: Status) -> Self {
        Self {
            name: status.name.to_owned(),
            position: status.position,
            lag: status.lag,
            parked: status.parked.into_iter().map(Into::into).collect(),
        }
    }
}

/// How the policies stand.
///
/// For admins. Policies tell people what follows from events, such as that a price came down to their target.
#[utoipa::path(
    get,
    path = "/api/admin/policies",
    tag = "admin",
    operation_id = "list_policies",
    security(("session" = [])),
    responses((status = 200, description = "Every policy", body = Page<PolicyView>), ListProblems)
)]
async fn list(State(state): State<AppState>, _admin: AdminUser) -> Result<Json<Page<PolicyView>>, Problem> {
    let items = state.policies.status().await?.into_iter().map(Into::into).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Has what a policy set aside tried again at once.
///
/// For admins. It is tried again by itself too, less and less often.
#[utoipa::path(
    post,
    path = "/api/admin/policies/{name}/retry",
    tag = "admin",
    operation_id = "retry_policy",
    security(("session" = [])),
    params(("name" = String, Path, description = "The policy's name", example = "price_alerts")),
    responses((status = 200, description = "How it stands", body = PolicyView), RetryProblems)
)]
async fn retry(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(name): Path<String>,
) -> Result<Written<PolicyView>, Problem> {
    state.policies.retry(&name).await?.ok_or(NOT_FOUND)?;
    let all = state.policies.status().await?;
    let one = all.into_iter().find(|policy| policy.name == name).ok_or(NOT_FOUND)?;
    Ok(Written::done(one.into()))
}
