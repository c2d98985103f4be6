//! Reading pieces: the list, and one of them.

use axum::{Json, extract::State};
use domain::ids::{FigureId, PieceId};
use projections::collection::{self, Archived, LocationFilter, PieceFilter, PieceState};
use uuid::Uuid;

use super::{
    super::as_of::{self, OpenAt, PageAsOf, ThingAsOf},
    ListProblems, PIECE_NOT_FOUND, ReadProblems,
    bodies::{ArchivedGiven, ListOwned, StateGiven},
    views::PieceView,
};
use crate::shown::hides_nsfw;
use crate::{
    answer::Written,
    extract::{CurrentUser, Path, Query},
    gated::Gated,
    pages::Page,
    problem::{INVALID_FIELD, Problem},
    state::AppState,
};

/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

/// The pieces of one's collection.
///
/// For whoever is signed in. Archived pieces are left out unless asked for, and NSFW ones for those who
/// hide them. With `as_of`, the collection as it was then, under the names that the catalogue has today.
#[utoipa::path(
    get,
    path = "/api/me/owned",
    tag = "collection",
    operation_id = "list_owned",
    security(("session" = [])),
    params(ListOwned),
    responses((status = 200, description = "A page of pieces", body = PageAsOf<PieceView>), ListProblems)
)]
pub(super) async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListOwned>,
) -> Result<Json<PageAsOf<PieceView>>, Problem> {
    if query.q.as_ref().is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        return Err(Problem::from(INVALID_FIELD).detail("q has at most 200 characters").field("q"));
    }
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let figure_id = match query.figure_id {
        Some(id) => Some(collection::figure_now(&state.pool, FigureId(id)).await?.uuid()),
        None => None,
    };
    let filter = PieceFilter {
        conditions: query.condition,
        location: query.location.map(|place| match place.as_str() {
            "unshelved" => LocationFilter::Unshelved,
            _ => LocationFilter::At(place),
        }),
        manufacturer: query.manufacturer,
        series: query.series,
        store: query.store,
        search: query.q,
        archived: match query.archived {
            None | Some(ArchivedGiven::No) => Archived::No,
            Some(ArchivedGiven::Only) => Archived::Only,
            Some(ArchivedGiven::All) => Archived::All,
        },
        figure_id,
        state: query.state.map(|state| match state {
            StateGiven::Owned => PieceState::Owned,
            StateGiven::Preordered => PieceState::Preordered,
        }),
        hide_nsfw: hides_nsfw(&user),
    };
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let from = scene.reading(&state.pool);
    let pieces = collection::list(from, user.id, &filter, order, after, query.limit.one_more()).await?;
    let page = Page::cut(pieces, query.limit, |piece| piece.key(order), |piece| PieceView::of(piece, &user));
    Ok(Json(PageAsOf::new(page, &scene)))
}

/// One piece.
///
/// For whoever is signed in; other people's pieces are not found. Of an NSFW piece those who hide them get no
/// more than `nsfw_gate` until they ask with `confirm_nsfw=true`. With `as_of`, the piece as it was then, without an
/// `ETag`.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}",
    tag = "collection",
    operation_id = "read_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), OpenAt),
    responses((status = 200, description = "The piece", body = ThingAsOf<Gated<PieceView>>), ReadProblems)
)]
pub(super) async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<OpenAt>,
) -> Result<Written<ThingAsOf<Gated<PieceView>>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let piece = collection::piece(from, user.id, PieceId(id)).await?.ok_or(PIECE_NOT_FOUND)?;
    let version = piece.version();
    let nsfw = piece.figure.as_ref().filter(|figure| figure.is_nsfw).map(|figure| (piece.row.id, figure.id));
    let opened = Gated::of(PieceView::of(piece, &user), nsfw, &user, query.confirm_nsfw);
    Ok(ThingAsOf::written(opened, version, &scene))
}
