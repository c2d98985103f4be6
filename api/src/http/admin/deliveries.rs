//! `/api/admin/deliveries`: what goes out by other channels than the app, how it went, and trying again.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use operational::notification_deliveries::{self, Attempt, Delivery, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::Written,
    extract::{AdminUser, Path, Query},
    http::notification_channels::named,
    pages::{Cursor, Limit, Page},
    problem::{self, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// It has not come to nothing.
const NOT_DEAD: Kind = Kind::new(
    StatusCode::CONFLICT,
    "delivery_not_dead",
    "only a delivery that came to nothing is tried again by hand",
);

const STATES: [&str; 5] = ["collecting", "pending", "delivered", "dead", "dropped"];

problems!(ListProblems = problem::ADMIN, problem::LISTING);
problems!(ReadProblems = problem::ADMIN, &[NOT_FOUND]);
problems!(RetryProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, NOT_DEAD]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(retry))
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListDeliveries {
    /// `collecting`, `pending`, `delivered`, `dead` or `dropped`.
    state: Option<String>,
    /// `email`, `ntfy`, `webhook`, `apprise` or `web_push`.
    channel: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(DateTime<Utc>, Uuid)>>,
}

/// A delivery: not where it goes, nor what it says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery, example = example)]
pub struct DeliveryView {
    id: Uuid,
    user_id: Uuid,
    channel: String,
    /// Of what, or `digest`.
    event_type: String,
    /// `collecting`: a digest that is not due yet. `pending`: due, or to be tried again. `delivered`. `dead`: tried in
    /// vain. `dropped`: nobody is there to get it.
    state: String,
    /// When it is tried next, or was due last.
    due_at: DateTime<Utc>,
    /// How often it was tried.
    attempts: i32,
    /// What the last try came to.
    outcome: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptView {
    number: i32,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// `sent`, `failed`, `refused`, `gone`, or `unknown` when its process ended first; null while it is under way.
    outcome: Option<String>,
    /// What the other side said.
    said: Option<String>,
}

/// A delivery with its tries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub struct WholeDeliveryView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The first first.
    tries: Vec<AttemptView>,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-5f00-9a3b-2f6d1c0e4bd0",
        "user_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "channel": "webhook",
        "event_type": "preorder_release_today",
        "state": "dead",
        "due_at": "2026-11-02T10:15:00Z",
        "attempts": 10,
        "outcome": "it answered 500 Internal Server Error",
        "created_at": "2026-11-02T08:00:00Z",
        "finished_at": "2026-11-02T10:15:00Z"
    })
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            user_id: delivery.user_id,
            channel: delivery.channel_type,
            event_type: delivery.event_type,
            state: delivery.state,
            due_at: delivery.due_at,
            attempts: delivery.attempts,
            outcome: delivery.outcome,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { number, started_at, finished_at, outcome, said } = attempt;
        Self { number, started_at, finished_at, outcome, said }
    }
}

/// Everybody's deliveries in a state and by a channel.
///
/// # Errors
/// 422 for states and channels that there are not.
pub(crate) fn wanted<'a>(state: Option<&'a str>, channel: Option<&str>) -> Result<Wanted<'a>, Problem> {
    let invalid =
        |field: &'static str, detail: &'static str| Problem::from(INVALID_FIELD).detail(detail).field(field);
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(invalid("state", "one of collecting, pending, delivered, dead, dropped"));
    }
    let channel = channel.map(named).transpose();
    let channel = channel.map_err(|_unknown| invalid("channel", "the name of a channel"))?;
    Ok(Wanted { user: None, state, channel })
}

/// What goes out by other channels than the app.
///
/// For admins. The latest first. What was delivered or dropped is kept for thirty days.
#[utoipa::path(
    get,
    path = "/api/admin/deliveries",
    tag = "admin",
    operation_id = "list_deliveries",
    security(("session" = [])),
    params(ListDeliveries),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
    Query(query): Query<ListDeliveries>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let asked = wanted(query.state.as_deref(), query.channel.as_deref())?;
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = notification_deliveries::list(&state.pool, asked, after, query.limit.one_more()).await?;
    Ok(Json(Page::cut(rows, query.limit, |row| (row.created_at, row.id), Into::into)))
}

/// One delivery, with its tries.
///
/// For admins.
#[utoipa::path(
    get,
    path = "/api/admin/deliveries/{id}",
    tag = "admin",
    operation_id = "read_delivery",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = WholeDeliveryView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(id): Path<Uuid>,
) -> Result<Json<WholeDeliveryView>, Problem> {
    let (delivery, tries) = notification_deliveries::find(&state.pool, id).await?.ok_or(NOT_FOUND)?;
    let tries = tries.into_iter().map(Into::into).collect();
    Ok(Json(WholeDeliveryView { delivery: delivery.into(), tries }))
}

/// Has a delivery that came to nothing tried again at once.
///
/// For admins. One that is `dead` or `dropped`. Tries are counted on: after ten it comes to nothing again at once.
#[utoipa::path(
    post,
    path = "/api/admin/deliveries/{id}/retry",
    tag = "admin",
    operation_id = "retry_delivery",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The delivery's id")),
    responses((status = 200, description = "How it stands", body = DeliveryView), RetryProblems)
)]
async fn retry(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(id): Path<Uuid>,
) -> Result<Written<DeliveryView>, Problem> {
    match notification_deliveries::retry(&state.pool, id).await? {
        Some(delivery) => Ok(Written::done(delivery.into())),
        None => {
            notification_deliveries::find(&state.pool, id).await?.ok_or(NOT_FOUND)?;
            Err(NOT_DEAD.into())
        }
    }
}
