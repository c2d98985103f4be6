//! `/api/me/timeline` and `/api/me/owned/{id}/history`: what the log remembers of oneself.

use std::collections::BTreeSet;

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    ids::PieceId,
    stream::{Position, Recorded},
};
use event_store::Undecodable;
use operational::users::User;
use projections::{
    collection::Piece,
    past::{self, Change, Standing, names::FigureName},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    as_of::{self, TOO_MUCH_HISTORY},
    owned::{PIECE_NOT_FOUND, PieceView},
    preorders::Chapter,
};
use crate::{
    extract::{CurrentUser, Path, Query},
    gated::Gated,
    guard::fresh,
    pages::{Cursor, Limit},
    problem::{self, BUSY, NOT_READABLE_YET, Problem},
    problems,
    shown::{EntityRef, hides_nsfw},
    state::AppState,
    told::{About, Names},
};

/// The read models that names are answered from.
const READS: &[&str] = &["collection", "figures", "entities"];
/// Longer lists in an event's facts are cut.
const MOST_LISTED: usize = 50;
/// How many figures stand beside an event.
const MOST_FIGURES: usize = 5;
/// How many events are read at a time, how many for one page, and how many bytes of them.
const READ_AT_ONCE: usize = 50;
const MOST_READ: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;

problems!(TimelineProblems = problem::SIGNED_IN, problem::LISTING);
problems!(
    HistoryProblems = problem::SIGNED_IN,
    problem::LISTING,
    &[PIECE_NOT_FOUND, TOO_MUCH_HISTORY, NOT_READABLE_YET, BUSY],
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(timeline))
        .routes(routes!(history))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which part to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListPart {
    /// How many to list, at most.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
}

/// An event of one's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_told)]
pub struct TimelineEvent {
    /// Its id.
    id: Uuid,
    /// Its place in the log; `as_of` takes it.
    position: i64,
    /// When it was recorded.
    at: DateTime<Utc>,
    /// What happened, such as `collection.piece_added`; more may come.
    event: String,
    /// The same in words.
    sentence: String,
    /// What the event says, as the log keeps it: amounts are decimal strings beside their currency. Of a list
    /// of more than 50, the first 50 and, as `…_count`, how many there are. Null for an event that this release
    /// cannot read.
    #[schema(value_type = Option<Object>)]
    facts: Value,
    /// What it is about, five at most, by the catalogue's names of today.
    figures: Vec<FigureName>,
    /// Where it was bought or ordered, likewise.
    store: Option<EntityRef>,
}

/// One page of the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The events, the latest first.
    items: Vec<TimelineEvent>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
    /// Always `current`: names are the catalogue's of today.
    #[schema(example = "current")]
    catalogue: &'static str,
}

/// What one doing changed of a piece.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_change)]
pub struct PieceChange {
    /// The place of its last event in the log; `as_of` takes it.
    position: i64,
    /// When it was recorded.
    at: DateTime<Utc>,
    /// `added`, `changed` or `deleted`.
    what: &'static str,
    /// The events it came from.
    events: Vec<&'static str>,
    /// The same in words.
    sentences: Vec<String>,
    /// What reads otherwise since. What is added was null before, what is deleted is null after.
    changes: Vec<FieldChange>,
}

/// A field that reads otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldChange {
    /// The field of the piece, or `preorder.` and the field of its pre-order.
    #[schema(example = "location")]
    field: String,
    /// What it was, as the API writes it.
    #[schema(value_type = Value)]
    from: Value,
    /// What it is since.
    #[schema(value_type = Value)]
    to: Value,
    /// Of the id of a figure or store: its name today.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_name: Option<String>,
    /// Likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_name: Option<String>,
}

/// One page of a piece's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct PieceHistory {
    /// Whether its figure is NSFW.
    is_nsfw: bool,
    /// The changes, the oldest first.
    items: Vec<PieceChange>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
    /// Always `current`: names are the catalogue's of today.
    #[schema(example = "current")]
    catalogue: &'static str,
}

fn example_told() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b30",
        "position": 4711,
        "at": "2026-11-02T08:15:00Z",
        "event": "preorder.release_date_slipped",
        "sentence": "The release of Harbour Pilot Mina slipped from 2027-05 to 2027-08.",
        "facts": {
            "preorder_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20",
            "previous": {"date": "2027-05-01", "precision": "month"},
            "release": {"date": "2027-08-01", "precision": "month"},
            "source": "manufacturer_announcement"
        },
        "figures": [{
            "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
            "name": "Harbour Pilot Mina",
            "slug": "harbour-pilot-mina-1c0e4b02",
            "is_nsfw": false
        }],
        "store": null
    })
}

fn example_change() -> Value {
    json!({
        "position": 4712,
        "at": "2026-11-02T08:15:00Z",
        "what": "changed",
        "events": ["preorder.cost_recorded", "collection.piece_cost_recorded"],
        "sentences": [
            "Recorded the price of the pre-order of Harbour Pilot Mina: 119.90 EUR.",
            "Recorded what Harbour Pilot Mina cost: 119.90 EUR."
        ],
        "changes": [
            {"field": "price_amount", "from": "129.90", "to": "119.90"},
            {"field": "preorder.price_amount", "from": "129.90", "to": "119.90"}
        ]
    })
}

/// What happened to one's own things.
///
/// For whoever is signed in. Every event of one's own in the log, the latest first: in words, and as the facts
/// it keeps. What is about NSFW figures alone is left out for those who hide them, so a page may be shorter
/// than `limit` though more follow.
#[utoipa::path(
    get,
    path = "/api/me/timeline",
    tag = "activity",
    operation_id = "read_timeline",
    security(("session" = [])),
    params(ListPart),
    responses((status = 200, description = "A page of events", body = Timeline), TimelineProblems)
)]
async fn timeline(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListPart>,
) -> Result<Json<Timeline>, Problem> {
    let hide = hides_nsfw(&user);
    let mut before = Position(query.cursor.map_or(i64::MAX, |cursor| cursor.0));
    let (mut items, mut read, mut bytes, mut more) = (Vec::new(), 0_usize, 0_usize, true);
    while more && items.len() < query.limit.get() && read < MOST_READ && bytes < MOST_BYTES {
        let wanted = query.limit.get().saturating_sub(items.len()).min(READ_AT_ONCE);
        let page = state.store.latest_of(user.id, before, i64::try_from(wanted).unwrap_or(i64::MAX)).await?;
        more = page.events.len() == wanted;
        read = read.saturating_add(page.events.len());
        bytes = bytes.saturating_add(page.bytes);
        let names = Names::of(&state, user.id, page.events.iter().flatten()).await?;
        for event in page.events {
            before = event.as_ref().map_or_else(|event| event.position, |event| event.position);
            items.extend(match event {
                Ok(event) => told(&event, &names, hide)?,
                Err(event) => Some(unreadable(&state, event).await?),
            });
        }
    }
    let more = more && !state.store.latest_of(user.id, before, 1).await?.events.is_empty();
    let next_cursor = more.then(|| Cursor(before.0).to_string());
    Ok(Json(Timeline { items, next_cursor, catalogue: "current" }))
}

/// The event as it is shown; none when it is to be hidden.
fn told(event: &Recorded, names: &Names, hide_nsfw: bool) -> Result<Option<TimelineEvent>, Problem> {
    let about = About::of(event);
    let mut figures = names.figures(&about);
    if hide_nsfw && !figures.is_empty() {
        figures.retain(|figure| !figure.is_nsfw);
        if figures.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(TimelineEvent {
        id: event.event_id.uuid(),
        position: event.position.0,
        at: event.recorded_at,
        event: event.event.event_type().to_owned(),
        sentence: names.sentence(event, hide_nsfw),
        facts: facts(event)?,
        figures: figures.into_iter().take(MOST_FIGURES).cloned().collect(),
        store: names.store(&about).cloned().map(Into::into),
    }))
}

async fn unreadable(state: &AppState, event: Undecodable) -> Result<TimelineEvent, Problem> {
    Ok(TimelineEvent {
        id: event.event_id.uuid(),
        position: event.position.0,
        at: state.store.recorded_at(event.position).await?.unwrap_or_default(),
        event: event.event_type.into(),
        sentence: "Something that this release cannot read.".to_owned(),
        facts: Value::Null,
        figures: Vec::new(),
        store: None,
    })
}

/// What is inside the payload's tag.
fn facts(event: &Recorded) -> Result<Value, Problem> {
    let payload = event.event.to_json().map_err(Problem::internal)?;
    let tagged: Map<String, Value> = serde_json::from_str(&payload).map_err(Problem::internal)?;
    let Some(Value::Object(mut facts)) = tagged.into_iter().next().map(|(_, facts)| facts) else {
        return Ok(Value::Null);
    };
    let mut counts = Map::new();
    for (name, fact) in &mut facts {
        if let Value::Array(list) = fact
            && list.len() > MOST_LISTED
        {
            counts.insert(format!("{name}_count"), list.len().into());
            list.truncate(MOST_LISTED);
        }
    }
    facts.extend(counts);
    Ok(Value::Object(facts))
}

/// Which part of a piece's history to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpenHistory {
    /// How many to list, at most.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
    /// True to see that of an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// What became of a piece.
///
/// For whoever is signed in; other people's pieces are not found. Each change of it and of its pre-order, the
/// oldest first: when, by what, and which fields went from what to what. A deleted piece still has its
/// history. Of an NSFW figure's those who hide them get no more than `nsfw_gate` until they ask with
/// `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}/history",
    tag = "collection",
    operation_id = "read_owned_history",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), OpenHistory),
    responses((status = 200, description = "A page of changes", body = Gated<PieceHistory>), HistoryProblems)
)]
async fn history(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<OpenHistory>,
) -> Result<Json<Gated<PieceHistory>>, Problem> {
    let after = Position(query.cursor.map_or(0, |cursor| cursor.0));
    let limit = query.limit.get();
    let turn = as_of::turn().await?;
    let found =
        past::history(&state.projections, user.id, PieceId(id), after, limit.saturating_add(1)).await?;
    drop(turn);
    let mut found = found.ok_or(PIECE_NOT_FOUND)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| Cursor(last.position.0).to_string());
    let names = Names::of(&state, user.id, found.iter().flat_map(|change| &change.events)).await?;
    let (mut figures, mut stores) = (BTreeSet::new(), BTreeSet::new());
    for standing in found.iter().flat_map(|change| [&change.before, &change.after]) {
        figures.extend(standing.piece.as_ref().map(|row| row.figure_id));
        stores.extend(standing.piece.as_ref().and_then(|row| row.store_id));
        stores.extend(standing.preorder.as_ref().and_then(|row| row.store_id));
    }
    let ids = Names::of_ids(&state, figures, stores).await?;
    let items =
        found.into_iter().map(|change| changed(change, &user, &names, &ids)).collect::<Result<_, _>>()?;
    let nsfw = ids.nsfw().or_else(|| names.nsfw()).map(|figure| (id, figure));
    let page = PieceHistory { is_nsfw: nsfw.is_some(), items, next_cursor, catalogue: "current" };
    Ok(Json(Gated::of(page, nsfw, &user, query.confirm_nsfw)))
}

fn changed(change: Change, user: &User, names: &Names, ids: &Names) -> Result<PieceChange, Problem> {
    let what = match (&change.before.piece, &change.after.piece) {
        (None, Some(_)) => "added",
        (Some(_), None) => "deleted",
        _ => "changed",
    };
    let (before, after) = (fields(change.before, user)?, fields(change.after, user)?);
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let name = |field: &str, value: &Value| {
        let id = value.as_str().filter(|_| field.ends_with("figure_id") || field.ends_with("store_id"))?;
        ids.name(id.parse().ok()?).map(str::to_owned)
    };
    let value = |of: &Map<String, Value>, field: &str| of.get(field).cloned().unwrap_or_default();
    let changes = all
        .into_iter()
        .map(|field| (field, value(&before, field), value(&after, field)))
        .filter(|(_, from, to)| from != to)
        .map(|(field, from, to)| FieldChange {
            from_name: name(field, &from),
            to_name: name(field, &to),
            field: field.clone(),
            from,
            to,
        })
        .collect();
    Ok(PieceChange {
        position: change.position.0,
        at: change.at,
        what,
        events: change.events.iter().map(|event| event.event.event_type()).collect(),
        sentences: change.events.iter().map(|event| names.sentence(event, false)).collect(),
        changes,
    })
}

/// A piece and its pre-order as the API writes them, field by field, without what is the catalogue's, follows
/// from today's date, or says the same twice.
fn fields(standing: Standing, user: &User) -> Result<Map<String, Value>, Problem> {
    const NOT_OF_A_PIECE: &[&str] =
        &["id", "figure", "store", "cover", "blurred", "preorder", "created_at", "updated_at"];
    const NOT_OF_A_PREORDER: &[&str] = &[
        "owned_item_id",
        "figure_id",
        "is_live",
        "store",
        "delivery_date",
        "countdown",
        "created_at",
        "updated_at",
    ];
    let mut fields = Map::new();
    if let Some(row) = standing.piece {
        take(&mut fields, "", PieceView::of(Piece::bare(row), user), NOT_OF_A_PIECE)?;
    }
    if let Some(row) = standing.preorder {
        take(&mut fields, "preorder.", Chapter::of(row, None, NaiveDate::default()), NOT_OF_A_PREORDER)?;
    }
    Ok(fields)
}

fn take(
    fields: &mut Map<String, Value>,
    prefix: &str,
    view: impl Serialize,
    without: &[&str],
) -> Result<(), Problem> {
    if let Value::Object(members) = serde_json::to_value(view).map_err(Problem::internal)? {
        let kept = members.into_iter().filter(|(name, _)| !without.contains(&name.as_str()));
        fields.extend(kept.map(|(name, value)| (format!("{prefix}{name}"), value)));
    }
    Ok(())
}
