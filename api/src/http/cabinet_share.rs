//! `/api/me/locations/{id}/share` and `/api/v/{token}`: a cabinet to look at. What stands in it, never what it cost,
//! what it is worth, or what its owner noted.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
    middleware::from_fn_with_state,
};
use chrono::NaiveDate;
use domain::{
    ids::{CabinetId, UserId},
    refusal::Code,
};
use operational::share_links::{Kind as LinkKind, Shared};
use projections::{
    collection::{self, LocationFilter, Piece, PieceFilter, PieceOrder, PieceSort, PieceState},
    figures::summary::FigureSummary,
    pictures::{Cover, Eyes},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::share_links::{self, Address, BY_LINK, LINK_UNKNOWN, LinkMade, LinkStands, LinkToken, NOT_SHARED};
use crate::{
    answer::Written,
    extract::{MaybeUser, Path, Query},
    guard::{fresh, links},
    identity::InPerson,
    pages::{Cursor, Limit, Offset},
    problem::{self, Kind, Problem},
    problems,
    shown::{self, CoverView, EntityRef, PublicNsfw},
    state::AppState,
};

/// The read models that a cabinet is answered from.
const READS: &[&str] = &["collection", "preorders", "figures", "entities"];
const ADDRESS: Address = ("/api/v/", "");
/// As its owner arranged it.
const ORDER: PieceOrder = PieceOrder { by: PieceSort::Custom, descending: false };

const CABINET_NOT_FOUND: Kind =
    Kind::refusal(Code::CabinetNotFound, "there is no such cabinet in your collection");

problems!(LinkProblems = problem::SIGNED_IN, &[CABINET_NOT_FOUND]);
problems!(BeginProblems = problem::SIGNED_IN, problem::WRITE, &[CABINET_NOT_FOUND]);
problems!(EndProblems = problem::SIGNED_IN, problem::WRITE, &[CABINET_NOT_FOUND, NOT_SHARED]);
problems!(ReadProblems = BY_LINK, problem::LISTING);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    let fresh = from_fn_with_state(fresh::reads(state, READS), fresh::wait);
    let own = OpenApiRouter::new().routes(routes!(stands, begin, end)).layer(fresh.clone());
    let by_link = OpenApiRouter::new()
        .routes(routes!(read))
        .layer(fresh)
        .layer(from_fn_with_state(state.clone(), links::guard));
    own.merge(by_link)
}

/// How to look into a cabinet.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadCabinet {
    /// How many pieces.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Offset>>,
}

/// A piece in a cabinet: what it is, without any amount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_piece)]
pub struct CabinetPiece {
    figure_id: Uuid,
    slug: String,
    name: String,
    figure_type: String,
    manufacturer: Option<EntityRef>,
    /// In the order in which the figure names them.
    series: Vec<EntityRef>,
    scale: Option<String>,
    /// First day of the announced period.
    release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    release_date_precision: Option<String>,
    is_nsfw: bool,
    /// Whether pictures of it are to be blurred for whoever asks.
    blurred: bool,
    official_image_url: Option<String>,
    /// The picture of its card: what its owner pinned and shares, else what stands for its figure; null is a
    /// placeholder.
    cover: Option<CoverView>,
}

/// One page of a cabinet.
#[derive(Debug, Serialize, ToSchema)]
pub struct CabinetPage {
    /// What its owner calls it.
    #[schema(example = "Vitrine by the window")]
    name: String,
    /// How many pieces stand in it, on all its pages.
    piece_count: i64,
    /// The pieces, as its owner arranged them.
    items: Vec<CabinetPiece>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

fn example_piece() -> Value {
    let mut piece = shown::example_figure();
    if let Some(members) = piece.as_object_mut() {
        members.retain(|name, _| !name.starts_with("msrp"));
        let id = members.remove("id").unwrap_or_default();
        members.insert("figure_id".to_owned(), id);
    }
    piece
}

impl CabinetPiece {
    fn of(figure: FigureSummary, cover: Option<Cover>, nsfw: PublicNsfw) -> Self {
        Self {
            figure_id: figure.id,
            slug: figure.slug,
            name: figure.name,
            figure_type: figure.figure_type,
            manufacturer: figure.manufacturer.map(Into::into),
            series: figure.series.into_iter().map(Into::into).collect(),
            scale: figure.scale,
            release_date: figure.release_date,
            release_date_precision: figure.release_date_precision,
            is_nsfw: figure.is_nsfw,
            blurred: figure.is_nsfw && nsfw != PublicNsfw::Shown,
            official_image_url: figure.official_image_url,
            cover: cover.map(Into::into),
        }
    }
}

/// A cabinet of somebody's own, to be shared.
async fn own(state: &AppState, user: UserId, id: Uuid) -> Result<Shared, Problem> {
    let cabinet = CabinetId(id);
    match collection::cabinet_shown(&state.pool, user, cabinet, true).await? {
        Some(_) => Ok(Shared::Cabinet(cabinet)),
        None => Err(CABINET_NOT_FOUND.into()),
    }
}

/// Whether one of one's cabinets is shared by a link.
///
/// For whoever is signed in; other people's cabinets are not found. Not with its token.
#[utoipa::path(
    get,
    path = "/api/me/locations/{id}/share",
    tag = "collection",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    responses((status = 200, description = "Whether there is a link", body = LinkStands), LinkProblems)
)]
async fn stands(
    State(state): State<AppState>,
    who: InPerson,
    Path(id): Path<Uuid>,
) -> Result<Json<LinkStands>, Problem> {
    let shared = own(&state, who.user.id, id).await?;
    share_links::stands(&state, &who.user, shared).await
}

/// Shares a cabinet by a link.
///
/// For whoever is signed in; other people's cabinets are not found, and only registered ones can be shared. The token
/// is in this answer and nowhere else: what is kept is a hash. A link that there was before opens nothing any more. A
/// cabinet that is renamed stays shared. An `Idempotency-Key` is not looked at, since its record would keep the token.
#[utoipa::path(
    post,
    path = "/api/me/locations/{id}/share",
    tag = "collection",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    responses((status = 201, description = "The link, this once with its token", body = LinkMade), BeginProblems)
)]
async fn begin(
    State(state): State<AppState>,
    who: InPerson,
    Path(id): Path<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Written<LinkMade>), Problem> {
    let shared = own(&state, who.user.id, id).await?;
    let place = format!("/api/me/locations/{id}/share");
    share_links::begin(&state, &who.user, shared, ADDRESS, &place).await
}

/// Stops sharing a cabinet.
///
/// For whoever is signed in; other people's cabinets are not found. The link opens nothing from now on.
#[utoipa::path(
    delete,
    path = "/api/me/locations/{id}/share",
    tag = "collection",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    responses((status = 200, description = "There is no link any more", body = LinkStands), EndProblems)
)]
async fn end(
    State(state): State<AppState>,
    who: InPerson,
    Path(id): Path<Uuid>,
) -> Result<Json<LinkStands>, Problem> {
    let shared = own(&state, who.user.id, id).await?;
    share_links::end(&state, &who.user, shared).await
}

/// A cabinet behind a link.
///
/// Anybody may look who has the link. Its name, how many pieces stand in it and which; never prices, values, notes,
/// stores or when something came. Archived pieces and those yet to be received are not there. NSFW pieces are there,
/// and counted, only when the owner shows them on their profile and the viewer does not hide them, marked for
/// blurring unless the viewer wants to see them.
#[utoipa::path(
    get,
    path = "/api/v/{token}",
    tag = "collection",
    params(("token" = String, Path, description = "The link's token"), ReadCabinet),
    responses((status = 200, description = "A page of the cabinet", body = CabinetPage), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    LinkToken(token): LinkToken,
    MaybeUser(viewer): MaybeUser,
    Query(query): Query<ReadCabinet>,
) -> Result<Json<CabinetPage>, Problem> {
    let link = share_links::open(&state, LinkKind::Cabinet, &token).await?;
    let nsfw = share_links::nsfw(&link, viewer.as_ref());
    let (owner, hide_nsfw) = (link.owner.id, nsfw.leaves_out());
    let cabinet = collection::cabinet_shown(&state.pool, owner, CabinetId(link.subject_id), hide_nsfw)
        .await?
        .ok_or(LINK_UNKNOWN)?;
    let filter = PieceFilter {
        location: Some(LocationFilter::At(cabinet.name.clone())),
        state: Some(PieceState::Owned),
        hide_nsfw,
        ..PieceFilter::default()
    };
    let after = query.cursor.map_or(Offset::START, |cursor| cursor.0);
    let mut pieces =
        collection::list_from(&state.pool, owner, &filter, ORDER, after.get(), query.limit.one_more())
            .await?;
    let more = pieces.len() > query.limit.get();
    pieces.truncate(query.limit.get());
    let next_cursor = more.then(|| Cursor(after.then(query.limit)).to_string());
    // What the catalogue has yet to tell of may be NSFW.
    let view = |piece: Piece| {
        let cover = piece.cover(Eyes::Other);
        Some(CabinetPiece::of(piece.figure?, cover, nsfw))
    };
    let items = pieces.into_iter().filter_map(view).collect();
    Ok(Json(CabinetPage { name: cabinet.name, piece_count: cabinet.pieces, items, next_cursor }))
}
