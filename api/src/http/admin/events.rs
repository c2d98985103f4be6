//! `/api/admin/events`: the log as it is.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    ids::{EventId, UserId},
    stream::{Position, Version},
};
use event_store::{EventFilter, RawEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::users;
use crate::{
    extract::{AdminUser, Query},
    moments::{Since, Until},
    pages::{Cursor, Limit, Page},
    problem::{self, INVALID_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::ADMIN, problem::LISTING);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events to list; what is left out does not matter.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListEvents {
    /// Only those after this position.
    #[param(value_type = Option<i64>, example = 1200)]
    after: Option<i64>,
    /// Of streams of this type: `collection`, `preorder`, `figure`, `entity` or `claim`.
    #[param(example = "collection")]
    stream_type: Option<String>,
    /// Of the stream with this id.
    stream_id: Option<String>,
    /// Of this type, such as `collection.piece_added`.
    event_type: Option<String>,
    /// Caused by this account: its id or username.
    actor: Option<String>,
    /// Recorded at this moment or later: an RFC 3339 time, or a day (UTC), from its beginning on.
    #[param(value_type = Option<String>, example = "2026-01-17T09:30:00Z")]
    since: Option<Since>,
    /// Recorded at this moment or earlier; of a day, until its end.
    #[param(value_type = Option<String>, example = "2026-01-18")]
    until: Option<Until>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
}

/// An event as it is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RawEvent, example = example_event)]
pub struct EventView {
    /// Its place in the log.
    #[schema(value_type = i64)]
    position: Position,
    #[schema(value_type = Uuid)]
    event_id: EventId,
    stream_type: String,
    stream_id: String,
    /// Its number within the stream: the stream's version with it.
    #[schema(value_type = i64)]
    version: Version,
    event_type: String,
    /// The version of its shape.
    event_version: String,
    /// The user whose data it is; null for the shared catalogue.
    #[schema(value_type = Option<Uuid>)]
    owner_id: Option<UserId>,
    recorded_at: DateTime<Utc>,
    /// What happened, as stored.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    /// Who and why, as stored.
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Why this release cannot read it; null when it can.
    undecodable: Option<String>,
}

/// The event in the examples.
pub(super) fn example_event() -> Value {
    json!({
        "position": 1201,
        "event_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01",
        "stream_type": "collection",
        "stream_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "version": 17,
        "event_type": "collection.unwished",
        "event_version": "1",
        "owner_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "recorded_at": "2026-01-17T09:30:00.123456Z",
        "payload": {"unwished": {"figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02"}},
        "metadata": {
            "actor": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
            "command_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c02",
            "correlation_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c03"
        },
        "undecodable": null
    })
}

impl From<RawEvent> for EventView {
    fn from(event: RawEvent) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id,
            stream_type: event.stream_type,
            stream_id: event.stream_id,
            version: event.version,
            event_type: event.event_type,
            event_version: event.event_version,
            owner_id: event.owner_id,
            recorded_at: event.recorded_at,
            payload: event.payload,
            metadata: event.metadata,
            undecodable: event.undecodable,
        }
    }
}

/// What happened.
///
/// For admins. Oldest first. Payloads and metadata are shown as they are stored, also of events that this
/// release cannot read.
#[utoipa::path(
    get,
    path = "/api/admin/events",
    tag = "admin",
    security(("session" = [])),
    params(ListEvents),
    responses((status = 200, description = "One page of events", body = Page<EventView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
    Query(query): Query<ListEvents>,
) -> Result<Json<Page<EventView>>, Problem> {
    let actor = match &query.actor {
        Some(who) => Some(users::find(&state, who).await.map_err(|problem| {
            if problem.code() != Problem::from(NOT_FOUND).code() {
                return problem;
            }
            Problem::from(INVALID_FIELD).detail("there is no such account").field("actor")
        })?),
        None => None,
    };
    let after = query.cursor.map_or(0, |cursor| cursor.0).max(query.after.unwrap_or(0));
    let filter = EventFilter {
        after: Position(after),
        stream_type: query.stream_type,
        stream_id: query.stream_id,
        event_type: query.event_type,
        actor,
        since: query.since.map(|since| since.0),
        until: query.until.map(|until| until.0),
    };
    let wanted = u32::try_from(query.limit.one_more()).unwrap_or(u32::MAX);
    let events = state.store.inspect(&filter, wanted).await?;
    Ok(Json(Page::cut(events, query.limit, |event| event.position.0, EventView::from)))
}
