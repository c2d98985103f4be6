//! `/api/me/wishlist/share` and `/api/g/{token}`: a wishlist for those who look for a present.
//!
//! Whoever wished is never told what is reserved: `docs/decisions/0026-what-a-link-shows.md`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::from_fn_with_state,
};
use domain::ids::FigureId;
use operational::{
    gift_reservations::{self, GiverName, Releasing, Reserving},
    share_links::{Kind as LinkKind, Opened, Shared},
    users::User,
};
use projections::{
    collection::{self, ListKey, Wish, WishOrder, WishSort},
    figures::queries::buy_links,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    figures::views::BuyLinkView,
    share_links::{self, Address, BY_LINK, LINK_UNKNOWN, LinkMade, LinkStands, LinkToken, NOT_SHARED},
};
use crate::{
    answer::Written,
    extract::{Body, MaybeUser, Path, Query},
    guard::{fresh, links},
    identity::InPerson,
    pages::{Cursor, Limit},
    problem::{self, Kind, Problem},
    problems,
    shown::{self, FigureView, PublicNsfw},
    state::AppState,
};

/// The read models that a list is answered from.
const READS: &[&str] = &["collection", "figures", "entities"];
const PLACE: &str = "/api/me/wishlist/share";
const ADDRESS: Address = ("/api/g/", "");
/// By name: the other orders would tell when each wish was made and what it may cost.
const ORDER: WishOrder = WishOrder { by: WishSort::Name, descending: false };

const NOT_ON_THE_LIST: Kind =
    Kind::new(StatusCode::NOT_FOUND, "wish_not_found", "this figure is not on the list");
const OWN_LIST: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "own_list",
    "this is your own list; what is reserved on it is kept from you",
);
const ALREADY_RESERVED: Kind =
    Kind::new(StatusCode::CONFLICT, "already_reserved", "somebody else means to give this one");
const NOT_RESERVED: Kind = Kind::new(StatusCode::NOT_FOUND, "not_reserved", "this is not reserved");
const WRONG_SECRET: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "wrong_secret",
    "this is reserved with another secret; only whoever reserved it can release it",
)
.on("secret");

problems!(LinkProblems = problem::SIGNED_IN);
problems!(BeginProblems = problem::SIGNED_IN, problem::WRITE);
problems!(EndProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_SHARED]);
problems!(ListProblems = BY_LINK, problem::LISTING);
problems!(ReserveProblems = BY_LINK, problem::BODY, &[NOT_ON_THE_LIST, OWN_LIST, ALREADY_RESERVED]);
problems!(ReleaseProblems = BY_LINK, problem::BODY, &[NOT_ON_THE_LIST, OWN_LIST, NOT_RESERVED, WRONG_SECRET]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    let own = OpenApiRouter::new().routes(routes!(stands, begin, end));
    let by_link = OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(reserve, release))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
        .layer(from_fn_with_state(state.clone(), links::guard));
    own.merge(by_link)
}

/// How to read a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadGiftList {
    /// How many wishes.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ListKey>>,
}

/// Something that would be welcome.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GiftWish, example = example_wish)]
pub struct GiftWishView {
    figure_id: Uuid,
    figure: FigureView,
    /// Where it is sold.
    buy_links: Vec<BuyLinkView>,
    /// Whether somebody means to give it. Null for whoever wished it: they are not told.
    reserved: Option<bool>,
    /// What whoever reserved it wants to be called here. Null for whoever wished it.
    reserved_by: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct GiftListPage {
    /// Whose wishes these are.
    #[schema(example = "alice")]
    owner: String,
    /// Whether it is the list of whoever asks.
    yours: bool,
    /// How many wishes are on the list, on all its pages.
    wish_count: i64,
    /// The wishes, by the figures' names.
    items: Vec<GiftWishView>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Who means to give it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Aunt Mio"}))]
pub struct ReserveGift {
    /// 1 to 80 characters of one line. Everybody who has the link reads it, but whoever wished.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    name: GiverName,
}

/// A reservation, this once with its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
    "reserved": true,
    "reserved_by": "Aunt Mio",
    "secret": "V2hhdCByZWxlYXNlcyBhIHByZXNlbnQsIGFuIGV4YW1wbGU"
}))]
pub struct GiftReserved {
    figure_id: Uuid,
    /// Always true.
    reserved: bool,
    reserved_by: String,
    /// What releases it. It cannot be shown again.
    secret: String,
}

/// What releases a reservation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"secret": "V2hhdCByZWxlYXNlcyBhIHByZXNlbnQsIGFuIGV4YW1wbGU"}))]
pub struct ReleaseGift {
    /// The secret that reserving it gave.
    #[schema(max_length = 200)]
    secret: String,
}

/// Anybody can reserve it again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02", "reserved": false}))]
pub struct GiftReleased {
    figure_id: Uuid,
    /// Always false.
    reserved: bool,
}

fn example_wish() -> Value {
    json!({
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "buy_links": [{
            "store": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b06", "name": "Harbour Hobby", "slug": "harbour-hobby"},
            "path": "https://harbour-hobby.example/item/4711"
        }],
        "figure": shown::example_figure(),
        "reserved": true,
        "reserved_by": "Aunt Mio"
    })
}

fn is_owner(link: &Opened, viewer: Option<&User>) -> bool {
    viewer.is_some_and(|viewer| viewer.id == link.owner.id)
}

/// A wish on an opened list that this viewer is shown.
async fn shown_wish(
    state: &AppState,
    link: &Opened,
    nsfw: PublicNsfw,
    figure: Uuid,
) -> Result<Wish, Problem> {
    let figure = collection::figure_now(&state.pool, FigureId(figure)).await?;
    let wish = collection::wish(&state.pool, link.owner.id, figure).await?;
    // What the catalogue has yet to tell of may be NSFW.
    let is_shown = |wish: &Wish| wish.figure.as_ref().is_some_and(|f| !(f.is_nsfw && nsfw.leaves_out()));
    wish.filter(is_shown).ok_or_else(|| NOT_ON_THE_LIST.into())
}

/// The list behind a token, for one who is not its owner.
async fn opened_by_giver(
    state: &AppState,
    LinkToken(token): &LinkToken,
    viewer: Option<&User>,
) -> Result<Opened, Problem> {
    let link = share_links::open(state, LinkKind::Wishlist, token).await?;
    // Before anything is looked up: a conflict would tell them what is reserved.
    if is_owner(&link, viewer) { Err(OWN_LIST.into()) } else { Ok(link) }
}

/// Whether one's wishlist is shared by a link.
///
/// For whoever is signed in. Not with its token, and nothing of what is reserved.
#[utoipa::path(
    get,
    path = "/api/me/wishlist/share",
    tag = "wishlist",
    security(("session" = [])),
    responses((status = 200, description = "Whether there is a link", body = LinkStands), LinkProblems)
)]
async fn stands(State(state): State<AppState>, who: InPerson) -> Result<Json<LinkStands>, Problem> {
    share_links::stands(&state, &who.user, Shared::Wishlist).await
}

/// Shares one's wishlist by a link.
///
/// For whoever is signed in. The token is in this answer and nowhere else: what is kept is a hash. A link that there
/// was before opens nothing any more; what was reserved by it stays reserved. An `Idempotency-Key` is not looked at,
/// since its record would keep the token.
#[utoipa::path(
    post,
    path = "/api/me/wishlist/share",
    tag = "wishlist",
    security(("session" = [])),
    responses((status = 201, description = "The link, this once with its token", body = LinkMade), BeginProblems)
)]
async fn begin(
    State(state): State<AppState>,
    who: InPerson,
) -> Result<([(HeaderName, HeaderValue); 1], Written<LinkMade>), Problem> {
    share_links::begin(&state, &who.user, Shared::Wishlist, ADDRESS, PLACE).await
}

/// Stops sharing one's wishlist.
///
/// For whoever is signed in. The link opens nothing from now on, and what was reserved is forgotten.
#[utoipa::path(
    delete,
    path = "/api/me/wishlist/share",
    tag = "wishlist",
    security(("session" = [])),
    responses((status = 200, description = "There is no link any more", body = LinkStands), EndProblems)
)]
async fn end(State(state): State<AppState>, who: InPerson) -> Result<Json<LinkStands>, Problem> {
    share_links::end(&state, &who.user, Shared::Wishlist).await
}

/// A wishlist behind a link.
///
/// Anybody may read it who has the link. The figures, where they are sold and which are reserved under which name;
/// neither the owner's notes nor what they would pay. The owner, when signed in, is not told what is reserved. NSFW
/// figures are there only when the owner shows them on their profile and the viewer does not hide them, marked for
/// blurring unless the viewer wants to see them.
#[utoipa::path(
    get,
    path = "/api/g/{token}",
    tag = "wishlist",
    params(("token" = String, Path, description = "The link's token"), ReadGiftList),
    responses((status = 200, description = "A page of the list", body = GiftListPage), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    LinkToken(token): LinkToken,
    MaybeUser(viewer): MaybeUser,
    Query(query): Query<ReadGiftList>,
) -> Result<Json<GiftListPage>, Problem> {
    let link = share_links::open(&state, LinkKind::Wishlist, &token).await?;
    let (owner, yours) = (&link.owner, is_owner(&link, viewer.as_ref()));
    let nsfw = share_links::nsfw(&link, viewer.as_ref());
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let hide = nsfw.leaves_out();
    let mut wishes =
        collection::wishes(&state.pool, owner.id, hide, ORDER, after, query.limit.one_more()).await?;
    let wish_count = collection::wish_count(&state.pool, owner.id, hide).await?;
    let more = wishes.len() > query.limit.get();
    wishes.truncate(query.limit.get());
    let last = wishes.last().filter(|_| more);
    let next_cursor = last.map(|wish| Cursor(wish.key(ORDER)).to_string());
    let figures: Vec<Uuid> = wishes.iter().map(|wish| wish.row.figure_id).collect();
    let mut sold_at = buy_links(&state.pool, &figures).await?;
    let reservations = match yours {
        true => None,
        false => Some(gift_reservations::of_link(&state.pool, link.link_id).await?),
    };
    let view = |wish: Wish| {
        let figure_id = wish.row.figure_id;
        let links = sold_at.remove(&figure_id).unwrap_or_default();
        let reserved_by = reservations.as_ref().and_then(|all| all.get(&wish.row.id).cloned());
        Some(GiftWishView {
            figure_id,
            figure: FigureView::public(wish.figure?, nsfw),
            buy_links: links.into_iter().map(BuyLinkView::from).collect(),
            reserved: reservations.as_ref().map(|all| all.contains_key(&wish.row.id)),
            reserved_by,
        })
    };
    let items = wishes.into_iter().filter_map(view).collect();
    Ok(Json(GiftListPage { owner: link.owner.username, yours, wish_count, items, next_cursor }))
}

/// Reserves a present.
///
/// Anybody may who has the link, but the owner of the list. A wish is reserved at most once. The secret to release it
/// is in this answer and nowhere else. An `Idempotency-Key` is not looked at, since its record would keep the secret.
#[utoipa::path(
    post,
    path = "/api/g/{token}/items/{figure_id}/reserve",
    tag = "wishlist",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("figure_id" = Uuid, Path, description = "The figure")
    ),
    request_body = ReserveGift,
    responses((status = 201, description = "It is reserved, with what releases it", body = GiftReserved), ReserveProblems)
)]
async fn reserve(
    State(state): State<AppState>,
    token: LinkToken,
    MaybeUser(viewer): MaybeUser,
    Path(place): Path<(String, Uuid)>,
    Body(given): Body<ReserveGift>,
) -> Result<(StatusCode, Json<GiftReserved>), Problem> {
    let link = opened_by_giver(&state, &token, viewer.as_ref()).await?;
    let wish = shown_wish(&state, &link, share_links::nsfw(&link, viewer.as_ref()), place.1).await?;
    let secret = match gift_reservations::reserve(&state.pool, &link, wish.row.id, &given.name).await? {
        Reserving::Reserved(secret) => secret,
        Reserving::Taken => return Err(ALREADY_RESERVED.into()),
        Reserving::LinkGone => return Err(LINK_UNKNOWN.into()),
    };
    let wishes = collection::wish_ids(&state.pool, link.owner.id).await?;
    gift_reservations::keep_only(&state.pool, link.link_id, &wishes).await?;
    let reserved = GiftReserved {
        figure_id: wish.row.figure_id,
        reserved: true,
        reserved_by: given.name.to_string(),
        secret: secret.as_str().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(reserved)))
}

/// Releases a present.
///
/// Anybody may who has the link and the secret that reserving gave. It can be reserved again.
#[utoipa::path(
    delete,
    path = "/api/g/{token}/items/{figure_id}/reserve",
    tag = "wishlist",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("figure_id" = Uuid, Path, description = "The figure")
    ),
    request_body = ReleaseGift,
    responses((status = 200, description = "It is not reserved any more", body = GiftReleased), ReleaseProblems)
)]
async fn release(
    State(state): State<AppState>,
    token: LinkToken,
    MaybeUser(viewer): MaybeUser,
    Path(place): Path<(String, Uuid)>,
    Body(given): Body<ReleaseGift>,
) -> Result<Json<GiftReleased>, Problem> {
    let link = opened_by_giver(&state, &token, viewer.as_ref()).await?;
    let wish = shown_wish(&state, &link, share_links::nsfw(&link, viewer.as_ref()), place.1).await?;
    match gift_reservations::release(&state.pool, &link, wish.row.id, &given.secret).await? {
        Releasing::Released => Ok(Json(GiftReleased { figure_id: wish.row.figure_id, reserved: false })),
        Releasing::WrongSecret => Err(WRONG_SECRET.into()),
        Releasing::NotReserved => Err(NOT_RESERVED.into()),
    }
}
