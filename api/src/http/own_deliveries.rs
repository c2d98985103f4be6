//! `/api/me/notifications/deliveries`: how what one is told went out by other channels than the app.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use operational::notification_deliveries::{self, Delivery, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::admin::deliveries::{AttemptView, wanted};
use crate::{
    extract::{CurrentUser, Path, Query},
    pages::{Cursor, Limit, Page},
    problem::{self, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);
problems!(ReadProblems = problem::SIGNED_IN, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Which of one's deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListOwnDeliveries {
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

/// Something that went out to oneself, or is to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnDelivery, example = example)]
pub struct OwnDeliveryView {
    id: Uuid,
    channel: String,
    /// Of what, or `digest`.
    event_type: String,
    /// `collecting`: a digest that is not due yet. `pending`: due, or to be tried again. `delivered`. `dead`: tried in
    /// vain; an admin can have it tried again. `dropped`: nobody was there to get it.
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

/// The same with what it tells and every try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnDeliveryWithAttempts)]
pub struct WholeOwnDeliveryView {
    #[serde(flatten)]
    delivery: OwnDeliveryView,
    /// The notifications that it tells, the oldest first.
    notification_ids: Vec<Uuid>,
    /// The first first.
    tries: Vec<AttemptView>,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-5f00-9a3b-2f6d1c0e4bd0",
        "channel": "webhook",
        "event_type": "preorder_release_today",
        "state": "pending",
        "due_at": "2026-11-02T10:15:00Z",
        "attempts": 2,
        "outcome": "it answered 500 Internal Server Error",
        "created_at": "2026-11-02T08:00:00Z",
        "finished_at": null
    })
}

impl From<Delivery> for OwnDeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
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

/// How one's notifications went out.
///
/// For whoever is signed in; never other people's. By other channels than the app, the latest first. What was
/// delivered or dropped is kept for thirty days.
#[utoipa::path(
    get,
    path = "/api/me/notifications/deliveries",
    tag = "notifications",
    operation_id = "list_own_deliveries",
    security(("session" = [])),
    params(ListOwnDeliveries),
    responses((status = 200, description = "A page of deliveries", body = Page<OwnDeliveryView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListOwnDeliveries>,
) -> Result<Json<Page<OwnDeliveryView>>, Problem> {
    let asked = wanted(query.state.as_deref(), query.channel.as_deref())?;
    let asked = Wanted { user: Some(user.id), ..asked };
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = notification_deliveries::list(&state.pool, asked, after, query.limit.one_more()).await?;
    Ok(Json(Page::cut(rows, query.limit, |row| (row.created_at, row.id), Into::into)))
}

/// One of one's deliveries, with its tries.
///
/// For whoever is signed in; other people's are not found.
#[utoipa::path(
    get,
    path = "/api/me/notifications/deliveries/{id}",
    tag = "notifications",
    operation_id = "read_own_delivery",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = WholeOwnDeliveryView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Json<WholeOwnDeliveryView>, Problem> {
    let found = notification_deliveries::find(&state.pool, id).await?;
    let (delivery, tries) =
        found.filter(|(delivery, _)| delivery.user_id == user.id.uuid()).ok_or(NOT_FOUND)?;
    let items = notification_deliveries::items(&state.pool, id).await?;
    Ok(Json(WholeOwnDeliveryView {
        delivery: delivery.into(),
        notification_ids: items.into_iter().map(|item| item.id).collect(),
        tries: tries.into_iter().map(Into::into).collect(),
    }))
}
