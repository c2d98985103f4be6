//! `/api/manufacturers`, `/api/series`, `/api/characters`, `/api/sculptors` and `/api/stores`: the names
//! that figures share. They are made by typing them on a figure, a piece or a pre-order.

use axum::{
    Json,
    extract::State,
    http::header,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::{
    commands::{EditEntity, MergeEntities},
    entity::EntityKind,
    ids::EntityId,
    refusal::Code,
    stream::Version,
    text::Name,
};
use operational::users::User;
use projections::{
    entities::queries::{self, Entity, Wanted},
    views::Viewer,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::{Written, etag},
    change::{self, Change},
    extract::{AdminUser, Command, CurrentUser, IfMatch, Path, Query},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    perform::Caller,
    problem::{self, INVALID_FIELD, Kind, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// The read models that these routes are answered from.
const READS: &[&str] = &["entities", "figures"];
/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

/// There is no such entry.
const ENTITY_NOT_FOUND: Kind = Kind::refusal(Code::EntityNotFound, "there is no such entry of this kind");
/// Somebody else's entry.
const NOT_ALLOWED: Kind =
    Kind::refusal(Code::NotAllowed, "only the person who first typed this name and admins can change it");
/// The name belongs to another entry.
const NAME_TAKEN: Kind =
    Kind::refusal(Code::NameTaken, "another entry answers to this name; if they are the same, merge them")
        .on("name");
/// The name has no letters.
const INVALID_NAME: Kind =
    Kind::refusal(Code::InvalidName, "a name needs at least one letter or digit").on("name");
/// The entry continues as another one already.
const ALREADY_MERGED: Kind =
    Kind::refusal(Code::AlreadyMerged, "this entry was merged into another; use that one");
/// The two cannot become one.
const MERGE_IMPOSSIBLE: Kind = Kind::refusal(Code::MergeImpossible, "these are the same already").on("into");

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);
problems!(ReadProblems = problem::SIGNED_IN, &[ENTITY_NOT_FOUND]);
problems!(
    ChangeProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[ENTITY_NOT_FOUND, NOT_ALLOWED, NAME_TAKEN, INVALID_NAME],
);
problems!(
    MergeProblems = problem::ADMIN,
    problem::BODY,
    problem::COMMAND,
    &[ENTITY_NOT_FOUND, ALREADY_MERGED, MERGE_IMPOSSIBLE],
);

/// The routes of these resources.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(manufacturers::routes())
        .merge(series::routes())
        .merge(characters::routes())
        .merge(sculptors::routes())
        .merge(stores::routes())
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListEntities {
    /// Part of the name; a typo or two do no harm.
    #[param(example = "good smile")]
    q: Option<String>,
    /// Of series only: those that have no number on MyAnimeList yet. `POST /api/series/{id}/mal-lookup` finds one.
    #[serde(default)]
    #[param(value_type = bool, required = false, default = false)]
    without_mal_id: bool,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<queries::Cursor>>,
}

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Good Smile Company"}))]
pub struct ChangeEntity {
    /// A new name, 1 to 300 characters with at least one letter or digit. The entry still answers to the
    /// old one.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 300)]
    name: Option<Name>,
    /// The number on MyAnimeList; of series only.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 10_000_000)]
    mal_id: Change<i64>,
}

/// Which entry to continue as.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"into": "good-smile-company"}))]
pub struct MergeInto {
    /// The id or the slug of the one to keep.
    pub(super) into: String,
}

/// A manufacturer, series, character, sculptor or store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entity, example = example_entity)]
pub struct EntityView {
    id: Uuid,
    name: String,
    slug: String,
    /// The number on MyAnimeList; of series only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    mal_id: Option<Option<i64>>,
    /// How many figures have it; NSFW ones count only for those who do not hide them.
    figure_count: i64,
    /// Whether whoever asks may change it.
    can_edit: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example_entity() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b01",
        "name": "Good Smile Company",
        "slug": "good-smile-company",
        "figure_count": 1412,
        "can_edit": false,
        "created_at": "2026-01-17T09:30:00Z",
        "updated_at": "2026-01-17T09:30:00Z"
    })
}

impl EntityView {
    fn of(entity: Entity, kind: EntityKind, viewer: &User) -> Self {
        Self {
            id: entity.id,
            name: entity.name,
            slug: entity.slug,
            mal_id: (kind == EntityKind::Series).then_some(entity.mal_id),
            figure_count: entity.figure_count,
            can_edit: viewer.is_admin || entity.created_by == Some(viewer.id.uuid()),
            created_at: entity.created_at,
            updated_at: entity.updated_at,
        }
    }
}

async fn list_of(
    state: &AppState,
    kind: EntityKind,
    viewer: &User,
    query: ListEntities,
) -> Result<Json<Page<EntityView>>, Problem> {
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let q = checked_search(query.q.as_deref())?;
    if query.without_mal_id && kind != EntityKind::Series {
        let detail = "only series have numbers on MyAnimeList";
        return Err(Problem::from(INVALID_FIELD).detail(detail).field("without_mal_id"));
    }
    let wanted = Wanted { words: q, without_mal_id: query.without_mal_id };
    let page = queries::list(&state.pool, kind, wanted, eyes(viewer), after, query.limit.into()).await?;
    Ok(Json(Page::shown(page, |entity| EntityView::of(entity, kind, viewer))))
}

async fn read_of(state: &AppState, kind: EntityKind, viewer: &User, key: &str) -> Result<Response, Problem> {
    let entity = queries::find(&state.pool, kind, key, eyes(viewer)).await?.ok_or(ENTITY_NOT_FOUND)?;
    let tag = [(header::ETAG, etag(entity.version))];
    Ok((tag, Json(EntityView::of(entity, kind, viewer))).into_response())
}

async fn change_of(
    state: &AppState,
    kind: EntityKind,
    caller: &Caller,
    key: &str,
    expected: Option<Version>,
    Command { body, idempotency }: Command<ChangeEntity>,
) -> Result<Written<EntityView>, Problem> {
    if kind != EntityKind::Series && body.mal_id != Change::Keep {
        let refused = Problem::from(INVALID_FIELD).detail("only a series has a MyAnimeList id");
        return Err(refused.field("mal_id"));
    }
    let entity_id = named(state, kind, key).await?.ok_or(ENTITY_NOT_FOUND)?;
    let command =
        EditEntity { entity_id, kind, expected, name: body.name, mal_id: body.mal_id.into_option() };
    let done = state.perform(caller, idempotency, &command).await?;
    shown(state, kind, caller, done.answer, done.position).await
}

async fn merge_of(
    state: &AppState,
    kind: EntityKind,
    caller: &Caller,
    key: &str,
    Command { body, idempotency }: Command<MergeInto>,
) -> Result<Written<EntityView>, Problem> {
    let loser_id = named(state, kind, key).await?.ok_or(ENTITY_NOT_FOUND)?;
    let winner_id =
        named(state, kind, &body.into).await?.ok_or_else(|| Problem::from(ENTITY_NOT_FOUND).field("into"))?;
    let done = state.perform(caller, idempotency, &MergeEntities { kind, loser_id, winner_id }).await?;
    shown(state, kind, caller, done.answer, done.position).await
}

/// The entity as it reads after a write.
async fn shown(
    state: &AppState,
    kind: EntityKind,
    caller: &Caller,
    id: EntityId,
    position: domain::stream::Position,
) -> Result<Written<EntityView>, Problem> {
    state.readable(position, READS, &format!("/api/{}/{id}", path_of(kind))).await?;
    let entity = queries::find(&state.pool, kind, &id.to_string(), eyes(&caller.user))
        .await?
        .ok_or(ENTITY_NOT_FOUND)?;
    let version = entity.version;
    Ok(Written::done(EntityView::of(entity, kind, &caller.user)).version(version).at(position))
}

/// The id that a path or a body names. An id is taken as it is: the streams know better than the read
/// models whether there is such an entry.
async fn named(state: &AppState, kind: EntityKind, key: &str) -> Result<Option<EntityId>, Problem> {
    match as_id(key) {
        Some(id) => Ok(Some(EntityId(id))),
        None => Ok(queries::find_id(&state.pool, kind, key).await?.map(EntityId)),
    }
}

/// What the read models need to know of whoever looks.
pub(super) fn eyes(viewer: &User) -> Viewer {
    Viewer { user_id: Some(viewer.id.uuid()), hides_nsfw: hides_nsfw(viewer) }
}

/// A search without the blanks around it; none when nothing else was typed.
pub(super) fn checked_search(q: Option<&str>) -> Result<Option<&str>, Problem> {
    let q = q.map(str::trim).filter(|q| !q.is_empty());
    if q.is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        let detail = format!("a search has at most {LONGEST_SEARCH} characters");
        return Err(Problem::from(INVALID_FIELD).detail(detail).field("q"));
    }
    Ok(q)
}

/// The id that a text is, in the one way in which ids are written here.
pub(super) fn as_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

const fn path_of(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Manufacturer => "manufacturers",
        EntityKind::Series => "series",
        EntityKind::Character => "characters",
        EntityKind::Sculptor => "sculptors",
        EntityKind::Store => "stores",
    }
}

/// The routes of one kind.
macro_rules! resource {
    ($module:ident, $kind:ident, $one:literal, $many:literal, $all_path:literal, $one_path:literal, $merge_path:literal) => {
        mod $module {
            use super::*;

            const KIND: EntityKind = EntityKind::$kind;

            pub(super) fn routes() -> OpenApiRouter<AppState> {
                OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, change)).routes(routes!(merge))
            }

            #[utoipa::path(
                get,
                path = $all_path,
                tag = "catalogue",
                summary = concat!("The ", $many, " of the catalogue."),
                description = concat!(
                    "For whoever is signed in. By name; with `q` the likeliest first. `figure_count` leaves ",
                    "NSFW figures out for those who hide them."
                ),
                security(("session" = [])),
                params(ListEntities),
                responses(
                    (status = 200, description = concat!("One page of ", $many), body = Page<EntityView>),
                    ListProblems
                )
            )]
            async fn list(
                State(state): State<AppState>,
                CurrentUser(viewer): CurrentUser,
                Query(query): Query<ListEntities>,
            ) -> Result<Json<Page<EntityView>>, Problem> {
                list_of(&state, KIND, &viewer, query).await
            }

            #[utoipa::path(
                get,
                path = $one_path,
                tag = "catalogue",
                summary = concat!("One ", $one, "."),
                description = concat!(
                    "For whoever is signed in. It also answers to slugs that it had under earlier names, and ",
                    "to ids and slugs of those merged into it. `ETag` is its version."
                ),
                security(("session" = [])),
                params(("id" = String, Path, description = "The id or a slug")),
                responses(
                    (status = 200, description = concat!("The ", $one), body = EntityView),
                    ReadProblems
                )
            )]
            async fn read(
                State(state): State<AppState>,
                CurrentUser(viewer): CurrentUser,
                Path(id): Path<String>,
            ) -> Result<Response, Problem> {
                read_of(&state, KIND, &viewer, &id).await
            }

            #[utoipa::path(
                patch,
                path = $one_path,
                tag = "catalogue",
                summary = concat!("Renames a ", $one, " or corrects it."),
                description = concat!(
                    "For whoever is signed in: the person who first typed the name, and admins. Every figure ",
                    "shows the new name. A name that another entry answers to is refused with its id as ",
                    "`other_id`. Honours `If-Match` and `Idempotency-Key`."
                ),
                security(("session" = [])),
                params(("id" = String, Path, description = "The id or a slug")),
                request_body = ChangeEntity,
                responses(
                    (status = 200, description = concat!("The ", $one, " as it now is"), body = EntityView),
                    ChangeProblems
                )
            )]
            async fn change(
                State(state): State<AppState>,
                caller: Caller,
                Path(id): Path<String>,
                IfMatch(expected): IfMatch,
                given: Command<ChangeEntity>,
            ) -> Result<Written<EntityView>, Problem> {
                change_of(&state, KIND, &caller, &id, expected, given).await
            }

            #[utoipa::path(
                post,
                path = $merge_path,
                tag = "catalogue",
                summary = concat!("Merges a ", $one, " into another that is the same."),
                description = concat!(
                    "For admins. Everything that points at this one points at the other from then on, and its ",
                    "id and slugs answer as the other. There is no way back. Honours `Idempotency-Key`."
                ),
                security(("session" = [])),
                params(("id" = String, Path, description = "The id or a slug of the one that goes")),
                request_body = MergeInto,
                responses(
                    (status = 200, description = concat!("The ", $one, " that is kept"), body = EntityView),
                    MergeProblems
                )
            )]
            async fn merge(
                State(state): State<AppState>,
                _admin: AdminUser,
                caller: Caller,
                Path(id): Path<String>,
                given: Command<MergeInto>,
            ) -> Result<Written<EntityView>, Problem> {
                merge_of(&state, KIND, &caller, &id, given).await
            }
        }
    };
}

resource!(
    manufacturers,
    Manufacturer,
    "manufacturer",
    "manufacturers",
    "/api/manufacturers",
    "/api/manufacturers/{id}",
    "/api/manufacturers/{id}/merge"
);
resource!(series, Series, "series", "series", "/api/series", "/api/series/{id}", "/api/series/{id}/merge");
resource!(
    characters,
    Character,
    "character",
    "characters",
    "/api/characters",
    "/api/characters/{id}",
    "/api/characters/{id}/merge"
);
resource!(
    sculptors,
    Sculptor,
    "sculptor",
    "sculptors",
    "/api/sculptors",
    "/api/sculptors/{id}",
    "/api/sculptors/{id}/merge"
);
resource!(stores, Store, "store", "stores", "/api/stores", "/api/stores/{id}", "/api/stores/{id}/merge");
