//! `/api/me/notifications`: what one was told, the latest first.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use operational::notifications::{self, Notification};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::Written,
    extract::{CurrentUser, Path, Query},
    pages::{Cursor, Limit, Page},
    problem::{self, NOT_FOUND, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);
problems!(ReadProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND]);
problems!(ReadAllProblems = problem::SIGNED_IN, problem::WRITE);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(read_all))
}

/// Which notifications to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListNotifications {
    /// `true` leaves out what was read.
    unread: Option<bool>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(DateTime<Utc>, Uuid)>>,
}

/// Something that one was told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification, example = example)]
pub struct NotificationView {
    id: Uuid,
    /// `wishlist_price_below_target`, `wishlist_back_in_stock`; more may come.
    event_type: String,
    /// The facts, with `figure` (`id`, `name`, `slug`, `is_nsfw`) as it was called then. Amounts are decimal strings;
    /// `compared` says how amounts in different currencies were compared.
    payload: Value,
    created_at: DateTime<Utc>,
    /// When it was read; null until then.
    read_at: Option<DateTime<Utc>>,
}

/// One page of notifications, with how many are unread.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationPage {
    /// The notifications, the latest first.
    items: Vec<NotificationView>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
    /// How many are unread, on all pages.
    unread: i64,
}

/// What reading all of them came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"read": 3}))]
pub struct AllRead {
    /// How many were unread.
    read: u64,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-5f00-9a3b-2f6d1c0e4b40",
        "event_type": "wishlist_price_below_target",
        "payload": {
            "figure": {
                "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
                "name": "Harbour Pilot Mina",
                "slug": "harbour-pilot-mina-1c0e4b02",
                "is_nsfw": false
            },
            "price": {"amount": "14500", "currency": "JPY"},
            "previous_price": {"amount": "16800", "currency": "JPY"},
            "target": {"amount": "90.00", "currency": "EUR"},
            "url": "https://shop.example/mina",
            "compared": {"price_eur": "79.19", "target_eur": "90.00", "rate_date": "2026-11-02"}
        },
        "created_at": "2026-11-02T08:15:00Z",
        "read_at": null
    })
}

impl From<Notification> for NotificationView {
    fn from(told: Notification) -> Self {
        let Notification { id, event_type, payload, created_at, read_at } = told;
        Self { id, event_type, payload, created_at, read_at }
    }
}

/// What one was told.
///
/// For whoever is signed in. The latest first. What is about an NSFW figure is left out for those who hide them.
#[utoipa::path(
    get,
    path = "/api/me/notifications",
    tag = "notifications",
    operation_id = "list_notifications",
    security(("session" = [])),
    params(ListNotifications),
    responses((status = 200, description = "A page of notifications", body = NotificationPage), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListNotifications>,
) -> Result<Json<NotificationPage>, Problem> {
    let (hide, after) = (hides_nsfw(&user), query.cursor.map(|cursor| cursor.0));
    let only_unread = query.unread.unwrap_or(false);
    let told =
        notifications::list(&state.pool, user.id, only_unread, hide, after, query.limit.one_more()).await?;
    let unread = notifications::unread(&state.pool, user.id, hide).await?;
    let Page { items, next_cursor } =
        Page::cut(told, query.limit, |told| (told.created_at, told.id), Into::into);
    Ok(Json(NotificationPage { items, next_cursor, unread }))
}

/// Marks one as read.
///
/// For whoever is signed in, one of their own. Marked again, it keeps the time of the first.
#[utoipa::path(
    post,
    path = "/api/me/notifications/{id}/read",
    tag = "notifications",
    operation_id = "read_notification",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, description = "The notification", body = NotificationView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Written<NotificationView>, Problem> {
    let told = notifications::read(&state.pool, user.id, id).await?.ok_or(NOT_FOUND)?;
    Ok(Written::done(told.into()))
}

/// Marks all of one's notifications as read.
///
/// For whoever is signed in.
#[utoipa::path(
    post,
    path = "/api/me/notifications/read-all",
    tag = "notifications",
    operation_id = "read_all_notifications",
    security(("session" = [])),
    responses((status = 200, description = "How many were unread", body = AllRead), ReadAllProblems)
)]
async fn read_all(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Written<AllRead>, Problem> {
    let read = notifications::read_all(&state.pool, user.id).await?;
    Ok(Written::done(AllRead { read }))
}
