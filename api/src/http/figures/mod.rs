//! `/api/figures`: the catalogue that everyone shares.

mod bodies;
pub mod prices;
pub(super) mod views;

use axum::{
    Json,
    extract::State,
    http::header,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use domain::{commands::MergeFigures, gtin::Gtin, ids::FigureId, refusal::Code, stream::Position};
use operational::{figure_types, users::User};
use projections::{
    figures::queries::{self, Filter, Sort},
    views::Relation,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use self::bodies::{TOO_MANY, UNKNOWN_FIGURE_TYPE, known_type};
pub(super) use self::views::ListedView;
use self::{
    bodies::{ChangeFigure, NewFigure},
    views::{FacetsView, FoundView, InStores, Opened, WholeView},
};
use super::entities::{MergeInto, as_id, checked_search, eyes};
use super::external::FoundProducts;
use super::manga::badge;
use crate::{
    answer::{Written, etag},
    extract::{AdminUser, Command, CurrentUser, IfMatch, Path, Query},
    given::{self, CURRENCY_MISSING, INVALID_AMOUNT, INVALID_DATE, INVALID_JAN, UNKNOWN_CURRENCY},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    perform::Caller,
    problem::{self, Kind, Problem},
    problems,
    state::AppState,
};

/// The read models that these routes are answered from.
pub(super) const READS: &[&str] = &["figures", "entities", "collection", "preorders"];

/// How long stores are waited for when a barcode is unknown.
const STORES_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// There is no such figure.
const FIGURE_NOT_FOUND: Kind =
    Kind::refusal(Code::FigureNotFound, "there is no such figure in the catalogue");
/// Somebody else's figure.
const NOT_ALLOWED: Kind =
    Kind::refusal(Code::NotAllowed, "only the person who added this figure and admins can change it");
/// The barcode belongs to another figure.
pub(super) const JAN_TAKEN: Kind =
    Kind::refusal(Code::JanTaken, "another figure has this barcode; use the one that figure_id names")
        .on("jan");
/// The MyFigureCollection id belongs to another figure.
pub(super) const MFC_ID_TAKEN: Kind = Kind::refusal(
    Code::MfcIdTaken,
    "another figure has this MyFigureCollection id; use the one that figure_id names",
)
.on("mfc_id");
/// A name has no letters.
const INVALID_NAME: Kind = Kind::refusal(Code::InvalidName, "a name needs at least one letter or digit");
/// The figure continues as another one already.
const ALREADY_MERGED: Kind =
    Kind::refusal(Code::AlreadyMerged, "this figure was merged into another; use that one");
/// The two cannot become one.
const MERGE_IMPOSSIBLE: Kind = Kind::refusal(Code::MergeImpossible, "these are the same already").on("into");

/// What the facts about a figure may be refused for.
const FACTS: &[Kind] = &[
    UNKNOWN_FIGURE_TYPE,
    INVALID_NAME,
    INVALID_AMOUNT,
    UNKNOWN_CURRENCY,
    CURRENCY_MISSING,
    INVALID_DATE,
    INVALID_JAN,
    TOO_MANY,
    JAN_TAKEN,
    MFC_ID_TAKEN,
];

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING, &[INVALID_DATE]);
problems!(ReadProblems = problem::SIGNED_IN, problem::LISTING, &[FIGURE_NOT_FOUND]);
problems!(JanProblems = problem::SIGNED_IN, problem::LISTING, &[INVALID_JAN, problem::MISSING_FIELD],);
problems!(AddProblems = problem::SIGNED_IN, problem::BODY, problem::COMMAND, FACTS);
problems!(
    ChangeProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    FACTS,
    &[FIGURE_NOT_FOUND, NOT_ALLOWED],
);
problems!(
    MergeProblems = problem::ADMIN,
    problem::BODY,
    problem::COMMAND,
    &[FIGURE_NOT_FOUND, ALREADY_MERGED, MERGE_IMPOSSIBLE],
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(by_jan))
        .routes(routes!(facets))
        .routes(routes!(read, change))
        .routes(routes!(merge))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which figures to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListFigures {
    /// Words of the name, the maker, a series or a character. A typo or two do no harm.
    #[param(example = "hatsune miku", max_length = 200)]
    q: Option<String>,
    /// A figure type, such as `nendoroid`.
    #[serde(rename = "type")]
    figure_type: Option<String>,
    /// The id, a slug or the name of a manufacturer.
    manufacturer: Option<String>,
    /// The id, a slug or the name of a series.
    series: Option<String>,
    /// The id, a slug or the name of a character.
    character: Option<String>,
    /// The first month, `YYYY-MM`, or a day of it. A figure is found by any of its announced releases.
    #[param(example = "2027-01")]
    released_from: Option<String>,
    /// The last month, `YYYY-MM`, or a day of it.
    #[param(example = "2027-12")]
    released_to: Option<String>,
    /// Only what is `owned`, `wished` or `preordered` by whoever asks.
    #[param(value_type = Option<String>, pattern = "^(owned|wished|preordered)$")]
    relation: Option<Relation>,
    /// `relevance` (the likeliest first, by name without `q`), `name`, `newest` (added last) or `release`
    /// (released last).
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(relevance|name|newest|release)$", default = "relevance")]
    sort: Sort,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<queries::Cursor>>,
}

/// Which figures to count.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountFigures {
    /// Words of the name, the maker, a series or a character. A typo or two do no harm.
    #[param(example = "hatsune miku", max_length = 200)]
    q: Option<String>,
    /// A figure type, such as `nendoroid`.
    #[serde(rename = "type")]
    figure_type: Option<String>,
    /// The id, a slug or the name of a manufacturer.
    manufacturer: Option<String>,
    /// The id, a slug or the name of a series.
    series: Option<String>,
    /// The id, a slug or the name of a character.
    character: Option<String>,
    /// The first month, `YYYY-MM`, or a day of it.
    #[param(example = "2027-01")]
    released_from: Option<String>,
    /// The last month, `YYYY-MM`, or a day of it.
    #[param(example = "2027-12")]
    released_to: Option<String>,
    /// Only what is `owned`, `wished` or `preordered` by whoever asks.
    #[param(value_type = Option<String>, pattern = "^(owned|wished|preordered)$")]
    relation: Option<Relation>,
}

/// How to open a figure.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpenFigure {
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub(super) confirm_nsfw: bool,
}

/// Which barcode to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FindByJan {
    /// The barcode as printed: JAN/EAN-13, EAN-8 or UPC-A. Blanks and hyphens are passed over.
    #[param(example = "4580590123458")]
    jan: String,
    /// False to have no store asked when the catalogue has no such figure; true to be told why none could be. Unless
    /// said, stores are asked where a price provider is configured.
    external: Option<bool>,
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// Searches the catalogue.
///
/// For whoever is signed in. All filters must hold; one that names nothing known leaves nothing. NSFW
/// figures are left out for those who hide them, and marked `blurred` for those who blur them. A cursor goes
/// with the filters and the order that it came from.
#[utoipa::path(
    get,
    path = "/api/figures",
    tag = "catalogue",
    security(("session" = [])),
    params(ListFigures),
    responses((status = 200, description = "One page of figures", body = Page<ListedView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Query(query): Query<ListFigures>,
) -> Result<Json<Page<ListedView>>, Problem> {
    let (limit, sort, after) = (query.limit, query.sort, query.cursor.map(|cursor| cursor.0));
    let counted = CountFigures {
        q: query.q,
        figure_type: query.figure_type,
        manufacturer: query.manufacturer,
        series: query.series,
        character: query.character,
        released_from: query.released_from,
        released_to: query.released_to,
        relation: query.relation,
    };
    let filter = counted.filter()?;
    let page = queries::list(&state.pool, &filter, sort, eyes(&viewer), after.as_ref(), limit.into()).await?;
    Ok(Json(Page::shown(page, |card| ListedView::of(card, &viewer))))
}

/// How many figures each filter would leave.
///
/// For whoever is signed in. Takes the filters of `GET /api/figures`. Each facet passes over its own filter
/// and obeys the others; NSFW figures are not counted for those who hide them.
#[utoipa::path(
    get,
    path = "/api/figures/facets",
    tag = "catalogue",
    security(("session" = [])),
    params(CountFigures),
    responses((status = 200, description = "The counts", body = FacetsView), ListProblems)
)]
async fn facets(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Query(query): Query<CountFigures>,
) -> Result<Json<FacetsView>, Problem> {
    let counts = queries::facets(&state.pool, &query.filter()?, eyes(&viewer)).await?;
    Ok(Json(FacetsView::of(counts, &figure_types::list(&state.pool).await?)))
}

/// Finds a figure by its barcode.
///
/// For whoever is signed in. A miss is an answer: `{"figure": null}`. It falls through to the stores of the price
/// provider, where one is configured, for ten seconds at most: `external` holds what they have under the barcode, or says
/// why nobody could be asked; that is an answer, too. `external=false` looks into the catalogue only. NSFW figures as in `GET /api/figures/{id}`.
#[utoipa::path(
    get,
    path = "/api/figures/by-jan",
    tag = "catalogue",
    security(("session" = [])),
    params(FindByJan),
    responses((status = 200, description = "The figure, or null", body = FoundView), JanProblems)
)]
async fn by_jan(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Query(query): Query<FindByJan>,
) -> Result<Json<FoundView>, Problem> {
    let jan = given::jan(&query.jan, "jan")?;
    let found = queries::find_by_jan(&state.pool, &jan, eyes(&viewer)).await?;
    let external = match &found {
        None if query.external.unwrap_or_else(|| state.outside.sources.name().is_ok()) => {
            Some(in_stores(&state, &viewer, &jan).await)
        }
        _ => None,
    };
    let figure = found.map(|figure| Opened::of(figure, &viewer, query.confirm_nsfw));
    Ok(Json(FoundView { figure, external }))
}

/// What stores have under a barcode. Whatever goes wrong there is told and is no error.
async fn in_stores(state: &AppState, viewer: &User, jan: &Gtin) -> InStores {
    if let Err(too_often) = state.outside.lookups.take(&viewer.id) {
        return InStores::failed(&too_often);
    }
    let sources = &state.outside.sources;
    let found = match sources.search_within(jan.as_str(), None, Utc::now(), STORES_WITHIN).await {
        Ok(found) => found,
        Err(error) => return InStores::failed(&error.into()),
    };
    // A store that finds by words may give others.
    let other = |said: &str| Gtin::new(said).is_ok_and(|said| said.normalised() != jan.normalised());
    let found = FoundProducts::of(found, viewer, state.fx.today().as_ref());
    InStores::found(found.only(|product| !product.jan().is_some_and(other)))
}

/// Adds a figure to the catalogue.
///
/// For whoever is signed in. Its maker, sculptor, series, characters and stores are named, and made when
/// nobody named them before. A barcode or MyFigureCollection id that another figure has is refused with that
/// figure's id as `figure_id`, also when several people add it at once. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/figures",
    tag = "catalogue",
    security(("session" = [])),
    request_body = NewFigure,
    responses((status = 201, description = "The figure", body = WholeView), AddProblems)
)]
async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<NewFigure>,
) -> Result<Written<WholeView>, Problem> {
    let figure_type = bodies::known_type(&state, body.figure_type(), None).await?;
    let command = body.command(FigureId(Uuid::now_v7()), figure_type)?;
    let done = state.perform(&caller, idempotency, &command).await?;
    let (id, position) = (done.answer.figure_id, done.position);
    let (figure, version) = shown(&state, &caller.user, id, position).await?;
    Ok(Written::created(figure, place_of(id)).version(version).at(position))
}

/// One figure.
///
/// For whoever is signed in. Ids and slugs of figures that were merged into it answer, too. Somebody who
/// hides NSFW figures gets no more of one than `nsfw_gate` until they ask with `confirm_nsfw=true`. `ETag` is
/// its version.
#[utoipa::path(
    get,
    path = "/api/figures/{id}",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or the slug"), OpenFigure),
    responses((status = 200, description = "The figure", body = Opened), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Path(id): Path<String>,
    Query(query): Query<OpenFigure>,
) -> Result<Response, Problem> {
    let figure = queries::find(&state.pool, &id, eyes(&viewer)).await?.ok_or(FIGURE_NOT_FOUND)?;
    let tag = [(header::ETAG, etag(figure.version))];
    let manga = badge::of(&state, &viewer, figure.card.id).await?;
    let opened = Opened::of(figure, &viewer, query.confirm_nsfw).with_manga(manga);
    Ok((tag, Json(opened)).into_response())
}

/// Corrects a figure.
///
/// For whoever is signed in: the person who added it, and admins. Everybody's collection shows the
/// correction. Honours `If-Match` and `Idempotency-Key`.
#[utoipa::path(
    patch,
    path = "/api/figures/{id}",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or the slug")),
    request_body = ChangeFigure,
    responses((status = 200, description = "The figure as it now is", body = WholeView), ChangeProblems)
)]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    Command { body, idempotency }: Command<ChangeFigure>,
) -> Result<Written<WholeView>, Problem> {
    let id = named(&state, &id).await?.ok_or(FIGURE_NOT_FOUND)?;
    let figure_type = match body.figure_type() {
        Some(code) => {
            let now = queries::find(&state.pool, &id.to_string(), eyes(&caller.user)).await?;
            let current = now.as_ref().map(|figure| figure.card.figure_type.as_str());
            Some(bodies::known_type(&state, code, current).await?)
        }
        None => None,
    };
    let command = body.command(id, expected, figure_type)?;
    let done = state.perform(&caller, idempotency, &command).await?;
    let (figure, version) = shown(&state, &caller.user, done.answer, done.position).await?;
    Ok(Written::done(figure).version(version).at(done.position))
}

/// Merges a figure into another that is the same.
///
/// For admins. Everybody's pieces, pre-orders and wishes of this one are of the other from then on, and its
/// id, slug, barcode and MyFigureCollection id answer as the other. There is no way back. Honours
/// `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/figures/{id}/merge",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or the slug of the one that goes")),
    request_body = MergeInto,
    responses((status = 200, description = "The figure that is kept", body = WholeView), MergeProblems)
)]
async fn merge(
    State(state): State<AppState>,
    _admin: AdminUser,
    caller: Caller,
    Path(id): Path<String>,
    Command { body, idempotency }: Command<MergeInto>,
) -> Result<Written<WholeView>, Problem> {
    let loser_id = named(&state, &id).await?.ok_or(FIGURE_NOT_FOUND)?;
    let winner_id =
        named(&state, &body.into).await?.ok_or_else(|| Problem::from(FIGURE_NOT_FOUND).field("into"))?;
    let done = state.perform(&caller, idempotency, &MergeFigures { loser_id, winner_id }).await?;
    let (figure, version) = shown(&state, &caller.user, done.answer, done.position).await?;
    Ok(Written::done(figure).version(version).at(done.position))
}

impl CountFigures {
    fn filter(self) -> Result<Filter, Problem> {
        let q = checked_search(self.q.as_deref())?.map(str::to_owned);
        let month = |text: Option<String>, field| text.map(|text| given::month(&text, field)).transpose();
        Ok(Filter {
            q,
            figure_type: self.figure_type,
            manufacturer: self.manufacturer,
            series: self.series,
            character: self.character,
            released_from: month(self.released_from, "released_from")?,
            released_to: month(self.released_to, "released_to")?,
            relation: self.relation,
        })
    }
}

/// The figure as it reads after a write, and its version.
async fn shown(
    state: &AppState,
    viewer: &User,
    id: FigureId,
    position: Position,
) -> Result<(WholeView, i64), Problem> {
    state.readable(position, READS, &place_of(id)).await?;
    let figure = queries::find(&state.pool, &id.to_string(), eyes(viewer)).await?.ok_or(FIGURE_NOT_FOUND)?;
    let version = figure.version;
    let manga = badge::of(state, viewer, figure.card.id).await?;
    Ok((WholeView::of(figure, viewer).with_manga(manga), version))
}

fn place_of(id: FigureId) -> String {
    format!("/api/figures/{id}")
}

/// The id that a path or a body names. An id is taken as it is: the streams know better than the read
/// models whether there is such a figure.
async fn named(state: &AppState, key: &str) -> Result<Option<FigureId>, Problem> {
    match as_id(key) {
        Some(id) => Ok(Some(FigureId(id))),
        None => Ok(queries::find_id(&state.pool, key).await?.map(FigureId)),
    }
}
