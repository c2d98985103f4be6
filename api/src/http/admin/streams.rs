//! `/api/admin/streams/{type}/{id}`: one stream, and what it came to with every event.

use axum::{Json, extract::State};
use domain::{
    stream::{StreamId, Version},
    upcast, world,
};
use event_store::{RawEvent, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    difference::{StateDifference, differences},
    events::{EventView, example_event},
};
use crate::{
    extract::{AdminUser, Path, Query},
    pages::{Cursor, Limit, Page},
    problem::{self, INVALID_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// Most bytes of states on one page: those of a large collection take megabytes each.
const MOST_BYTES: usize = 4 << 20;

problems!(ShowProblems = problem::ADMIN, problem::LISTING, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Which part of a stream to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowStream {
    /// How many events to show, at most; fewer when the states are large.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
    /// Whether to show the state after each event, which is folded for it; without, the events alone come faster.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    states: bool,
    /// Show this version alone, from 1, and how it differs from the one before. `limit`, `cursor`
    /// and `states` do not matter then.
    #[param(value_type = Option<i64>, minimum = 1)]
    at: Option<i64>,
}

/// Part of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ShownStream {
    /// Event by event.
    Steps(Page<StreamStep>),
    /// At one version.
    At(Box<StreamAt>),
}

/// A stream at one version.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamAt {
    /// The event that made it, and the state after it.
    #[serde(flatten)]
    step: StreamStep,
    /// How the state differs from that of the version before; null when one of them cannot be read.
    difference: Option<Vec<StateDifference>>,
    /// Whether there are more differences than are listed.
    more: bool,
}

/// An event of a stream, and the state after it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_step)]
pub struct StreamStep {
    /// The event.
    #[serde(flatten)]
    event: EventView,
    /// What decisions are made on after it; null from the first event on that this release cannot read, and where
    /// `states` is false.
    #[schema(value_type = Option<Object>)]
    state: Option<Box<RawValue>>,
}

const fn yes() -> bool {
    true
}

fn example_step() -> Value {
    let mut step = example_event();
    if let Some(members) = step.as_object_mut() {
        members.insert("state".to_owned(), json!({"pieces": {}, "wishes": {}}));
    }
    step
}

/// One stream, event by event.
///
/// For admins. Oldest first, each event with the state after it. With `at`, one version alone: its event, the state
/// after it, and how that differs from the state before.
#[utoipa::path(
    get,
    path = "/api/admin/streams/{type}/{id}",
    tag = "admin",
    security(("session" = [])),
    params(
        ("type" = String, Path, description = "`collection`, `preorder`, `figure`, `entity` or `claim`",
            example = "claim"),
        ("id" = String, Path, description = "The stream's id", example = "gtin:04580416940000"),
        ShowStream
    ),
    responses((status = 200, description = "One page of the stream", body = ShownStream), ShowProblems)
)]
async fn show(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path((kind, id)): Path<(String, String)>,
    Query(query): Query<ShowStream>,
) -> Result<Json<ShownStream>, Problem> {
    let stream = StreamId::parse(&kind, &id).map_err(|_no_stream| NOT_FOUND)?;
    if let Some(version) = query.at {
        let shown = at_version(&state, &stream, Version(version)).await?;
        return Ok(Json(ShownStream::At(Box::new(shown))));
    }
    let after = Version(query.cursor.map_or(0, |cursor| cursor.0).max(0));
    let wanted = u32::try_from(query.limit.one_more()).unwrap_or(u32::MAX);
    let events = state.store.inspect_stream(&stream, after, wanted).await?;
    if events.is_empty() && after == Version::NONE {
        return Err(NOT_FOUND.into());
    }
    let mut now = if query.states { state_after(&state, &stream, after).await? } else { None };
    let (mut steps, mut bytes, mut more) = (Vec::new(), 0_usize, false);
    for event in events {
        if steps.len() == query.limit.get() || bytes > MOST_BYTES {
            more = true;
            break;
        }
        now = now.and_then(|now| after_event(now, &event));
        let shown = now.as_ref().map(shown).transpose()?;
        bytes = bytes.saturating_add(shown.as_ref().map_or(0, |json| json.get().len()));
        steps.push((event.version, StreamStep { event: event.into(), state: shown }));
    }
    let next_cursor = steps.last().filter(|_| more).map(|(version, _)| Cursor(version.0).to_string());
    let items = steps.into_iter().map(|(_, step)| step).collect();
    Ok(Json(ShownStream::Steps(Page { items, next_cursor })))
}

async fn at_version(state: &AppState, stream: &StreamId, version: Version) -> Result<StreamAt, Problem> {
    let before = Version(version.0.checked_sub(1).filter(|before| *before >= 0).ok_or_else(no_version)?);
    let event = state.store.inspect_stream(stream, before, 1).await?.into_iter().next();
    let Some(event) = event else {
        let current = state.store.versions(std::slice::from_ref(stream)).await?;
        return Err(if current.first().is_none_or(|current| *current == Version::NONE) {
            NOT_FOUND.into()
        } else {
            no_version()
        });
    };
    let then = state_after(state, stream, before).await?;
    let earlier = then.as_ref().map(shown).transpose()?;
    let later = then.and_then(|then| after_event(then, &event)).as_ref().map(shown).transpose()?;
    let read = |json: &RawValue| serde_json::from_str(json.get()).map_err(Problem::internal);
    let (difference, more) = match (&earlier, &later) {
        (Some(earlier), Some(later)) => {
            let (found, more) = differences(&read(earlier)?, &read(later)?);
            (Some(found), more)
        }
        _ => (None, false),
    };
    Ok(StreamAt { step: StreamStep { event: event.into(), state: later }, difference, more })
}

fn no_version() -> Problem {
    Problem::from(INVALID_FIELD).detail("the stream has no such version; they count from 1").field("at")
}

/// The state after a version; none when an event on the way cannot be read.
async fn state_after(
    state: &AppState,
    stream: &StreamId,
    version: Version,
) -> Result<Option<world::State>, Problem> {
    match state.store.state_at(stream, Some(version)).await {
        Ok((now, _version)) => Ok(Some(now)),
        Err(StoreError::Undecodable(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn after_event(mut now: world::State, event: &RawEvent) -> Option<world::State> {
    if event.undecodable.is_some() {
        return None;
    }
    let decoded = upcast::decode(&event.event_type, &event.event_version, event.payload.get()).ok()?;
    now.apply(&decoded);
    Some(now)
}

/// The state without the name of its aggregate around it, which the path says.
fn shown(now: &world::State) -> Result<Box<RawValue>, Problem> {
    use world::State;
    let json = match now {
        State::Collection(state) => serde_json::value::to_raw_value(&**state),
        State::Preorder(state) => serde_json::value::to_raw_value(&**state),
        State::Figure(state) => serde_json::value::to_raw_value(&**state),
        State::Entity(state) => serde_json::value::to_raw_value(&**state),
        State::Claim(state) => serde_json::value::to_raw_value(&**state),
    };
    json.map_err(Problem::internal)
}
