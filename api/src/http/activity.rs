//! `/api/me/activity`: what one did, the latest first.

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{DateTime, Utc};
use projections::activity::{self, Told};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    extract::{CurrentUser, Query},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    problem::{self, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// The read models that the feed is answered from.
const READS: &[&str] = &["activity", "figures"];

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which part of the feed to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListActivity {
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
}

/// Something that one did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActivityEvent, example = example)]
pub struct ActivityView {
    id: Uuid,
    /// `piece_added`, `pieces_edited`, `preorder_placed`, `release_date_slipped` and so on; more may come.
    kind: String,
    /// The facts, with `figure` (`id`, `name`, `slug`, `is_nsfw`) as it was called then; of many pieces
    /// their `count` and at most five `figures`. Amounts are decimal strings.
    payload: Value,
    created_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b30",
        "kind": "release_date_slipped",
        "payload": {
            "figure": {
                "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
                "name": "Harbour Pilot Mina",
                "slug": "harbour-pilot-mina-1c0e4b02",
                "is_nsfw": false
            },
            "piece_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
            "preorder_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20",
            "from": "2027-05-01",
            "from_precision": "month",
            "to": "2027-08-01",
            "to_precision": "month",
            "source": "manufacturer_announcement"
        },
        "created_at": "2026-11-02T08:15:00Z"
    })
}

impl From<Told> for ActivityView {
    fn from(told: Told) -> Self {
        Self { id: told.id, kind: told.kind, payload: told.payload, created_at: told.created_at }
    }
}

/// What one did.
///
/// For whoever is signed in. The latest first, told with what things were called at the time; a bulk edit is
/// one row. What is about an NSFW figure is left out for those who hide them.
#[utoipa::path(
    get,
    path = "/api/me/activity",
    tag = "activity",
    operation_id = "list_activity",
    security(("session" = [])),
    params(ListActivity),
    responses((status = 200, description = "A page of the feed", body = Page<ActivityView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListActivity>,
) -> Result<Json<Page<ActivityView>>, Problem> {
    let before = query.cursor.map(|cursor| cursor.0);
    let limit = query.limit.one_more();
    let rows = activity::of_user(&state.pool, user.id, before, limit, hides_nsfw(&user)).await?;
    Ok(Json(Page::cut(rows, query.limit, |row| row.position, Into::into)))
}
