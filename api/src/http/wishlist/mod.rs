//! `/api/me/wishlist`: the figures one wants to own, and how such a wish comes true.

mod acquire;

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    commands::{SetWish, Unwish},
    dates::ReleaseDate,
    ids::FigureId,
    money::{
        Money,
        rates::{self, RateTable},
    },
    policies::price_alert::at_most,
    refusal::Code,
    stream::Position,
    text::Note,
};
use operational::users::{NsfwVisibility, User};
use projections::{
    collection::{self, ListKey, Wish, WishOrder},
    figures::summary::FigureSummary,
    prices,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    as_of::{self, AsOf, OpenAt, ThingAsOf},
    locations::Sum,
    owned::{self, Deleted, FIGURE_NOT_FOUND, parsed},
};
use crate::shown::hides_nsfw;
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, IdempotencyKey, IfMatch, Path, Query},
    gated::Gated,
    given::{self, CURRENCY_MISSING, Given, INVALID_AMOUNT, UNKNOWN_CURRENCY},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    perform::Caller,
    problem::{self, Kind, Problem},
    problems,
    shown::{self, DisplayTotal, FigureView},
    state::AppState,
};

/// The read models that the routes here are answered from: a wish that came true is answered as a piece.
pub(super) const READS: &[&str] = owned::READS;
/// Where they are.
const PLACE: &str = "/api/me/wishlist";

const WISH_NOT_FOUND: Kind = Kind::refusal(Code::WishNotFound, "this figure is not on your wishlist");
const ALREADY_OWNED: Kind = Kind::refusal(
    Code::AlreadyOwned,
    "you own or have pre-ordered this figure, so it cannot be wished; archive the piece first",
);
problems!(ListProblems = problem::SIGNED_IN, problem::LISTING, as_of::PROBLEMS);
problems!(ReadProblems = problem::SIGNED_IN, as_of::PROBLEMS, &[WISH_NOT_FOUND]);
problems!(
    SetProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[FIGURE_NOT_FOUND, ALREADY_OWNED, INVALID_AMOUNT, UNKNOWN_CURRENCY, CURRENCY_MISSING],
);
problems!(
    RemoveProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    &[FIGURE_NOT_FOUND, WISH_NOT_FOUND],
);
/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, set, remove))
        .routes(routes!(acquire::acquire))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// How to list one's wishes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListWishes {
    /// `added`, `name` or `target` (as stated); a `-` before it turns it round. Wishes without a target come
    /// last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "-added")]
    sort: Option<WishOrder>,
    /// As it was then: an RFC 3339 time or a position of the log. Names and pictures are today's.
    #[param(example = "2026-11-02T08:15:00Z")]
    as_of: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ListKey>>,
}

/// A wish, stated whole: what is left out is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"max_price_amount": "90", "max_price_currency": "EUR", "note": "second hand is fine"}))]
pub struct SetWishBody {
    /// The price to wait for, a decimal string. Needs `max_price_currency`.
    #[schema(value_type = Option<String>)]
    max_price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    max_price_currency: Option<Given>,
    /// At most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    note: Option<Note>,
}

/// A figure one wants to own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WishlistItem, example = example_wish)]
pub struct WishView {
    id: Uuid,
    figure_id: Uuid,
    /// What is wished.
    figure: Option<FigureView>,
    /// The price to wait for.
    max_price_amount: Option<String>,
    max_price_currency: Option<String>,
    note: Option<String>,
    /// What stores ask for it now; null where none is known to.
    market_price_amount: Option<String>,
    market_price_currency: Option<String>,
    /// Whether the market price, or failing that the MSRP, is at or below the target, at today's rates. `false` without
    /// a target, or where they cannot be compared.
    deal: bool,
    /// Whether the period announced for its first release is not over yet: acquiring it places a pre-order.
    unreleased: bool,
    /// Whether its pictures are to be blurred for whoever asks.
    blurred: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// One page of wishes, with what all targets come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishPage {
    /// The wishes, in the listing's order.
    items: Vec<WishView>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
    /// The targets of all wishes, not only of this page: a sum for each currency.
    totals: Vec<Sum>,
    /// The same in the viewer's `preferred_currency`, at today's rates; null when they chose none.
    total: Option<DisplayTotal>,
    /// Only where `as_of` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<AsOf>,
}

fn example_wish() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b30",
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "figure": shown::example_figure(),
        "max_price_amount": "90.00",
        "max_price_currency": "EUR",
        "note": "second hand is fine",
        "market_price_amount": "14500",
        "market_price_currency": "JPY",
        "deal": true,
        "unreleased": true,
        "blurred": false,
        "created_at": "2026-10-17T09:30:00Z",
        "updated_at": "2026-10-17T09:30:00Z"
    })
}

impl WishView {
    pub(super) fn of(wish: Wish, owner: &User, today: NaiveDate, market: &Market) -> Self {
        let row = wish.row;
        let figure = wish.figure;
        let price = market.prices.get(&row.figure_id).cloned();
        let asked = price.clone().or_else(|| {
            let figure = figure.as_ref()?;
            Some((figure.msrp_amount?, figure.msrp_currency.clone()?))
        });
        let target = row.max_price_amount.zip(row.max_price_currency.clone());
        Self {
            market_price_amount: price
                .as_ref()
                .map(|(amount, currency)| shown::amount(*amount, Some(currency))),
            market_price_currency: price.map(|(_, currency)| currency),
            deal: market.is_deal(asked, target).unwrap_or(false),
            id: row.id,
            figure_id: row.figure_id,
            max_price_amount: row
                .max_price_amount
                .map(|a| shown::amount(a, row.max_price_currency.as_deref())),
            max_price_currency: row.max_price_currency,
            note: row.note,
            unreleased: figure.as_ref().is_some_and(|f| is_awaited(f, today)),
            blurred: figure.as_ref().is_some_and(|f| f.is_nsfw)
                && owner.nsfw_visibility != NsfwVisibility::Show,
            figure: figure.map(|figure| FigureView::of(figure, owner)),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What wishes are compared with: the prices that stand, and today's rates.
pub(super) struct Market {
    prices: HashMap<Uuid, (Decimal, String)>,
    rates: Option<RateTable>,
}

impl Market {
    /// For some wishes.
    pub(super) async fn of(state: &AppState, wishes: &[Wish]) -> sqlx::Result<Self> {
        Self::read(&state.pool, state.fx.today(), wishes).await
    }

    /// The same, where the prices are read from this very pool.
    pub(super) async fn read(pool: &PgPool, rates: Option<RateTable>, wishes: &[Wish]) -> sqlx::Result<Self> {
        let figures: Vec<Uuid> = wishes.iter().map(|wish| wish.row.figure_id).collect();
        Ok(Self { prices: prices::queries::standing(pool, &figures).await?, rates })
    }

    fn is_deal(&self, asked: Option<(Decimal, String)>, target: Option<(Decimal, String)>) -> Option<bool> {
        let money = |(amount, currency): (Decimal, String)| {
            Money::new(amount.try_into().ok()?, currency.parse().ok()?).ok()
        };
        at_most(money(asked?)?, money(target?)?, self.rates.as_ref())
    }
}

/// Whether the period announced for a figure is not over yet, as acquiring sees it.
fn is_awaited(figure: &FigureSummary, today: NaiveDate) -> bool {
    let precision = figure.release_date_precision.as_deref().and_then(|word| word.parse().ok());
    let release = figure.release_date.map(|day| ReleaseDate::new(day, precision.unwrap_or_default()));
    matches!(release, Some(Ok(release)) if release.last_day() > today)
}

fn place(figure: FigureId) -> String {
    format!("{PLACE}/{figure}")
}

/// The wish that a write left at a position.
async fn written(
    state: &AppState,
    user: &User,
    figure: FigureId,
    position: Position,
) -> Result<Written<WishView>, Problem> {
    state.readable(position, READS, &place(figure)).await?;
    let wish = match collection::wish(&state.pool, user.id, figure).await? {
        Some(wish) => wish,
        // Since it was written, somebody may have merged the figure into another one, or even into one that is owned.
        None => {
            let now = collection::figure_now(&state.pool, figure).await?;
            match collection::wish(&state.pool, user.id, now).await? {
                Some(wish) => wish,
                None => {
                    let left = as_of::left_by(state, user.id, position).await?;
                    let from = left.reading(&state.pool);
                    collection::wish(from, user.id, now).await?.ok_or(WISH_NOT_FOUND)?
                }
            }
        }
    };
    let version = wish.version();
    let market = Market::of(state, std::slice::from_ref(&wish)).await?;
    let view = WishView::of(wish, user, Utc::now().date_naive(), &market);
    Ok(Written::done(view).version(version).at(position))
}

/// One's wishes.
///
/// For whoever is signed in. NSFW figures are left out, of the totals too, for those who hide them.
/// With `as_of`, the wishlist as it was then, under the names that the catalogue has today.
#[utoipa::path(
    get,
    path = "/api/me/wishlist",
    tag = "wishlist",
    operation_id = "list_wishes",
    security(("session" = [])),
    params(ListWishes),
    responses((status = 200, description = "A page of wishes", body = WishPage), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListWishes>,
) -> Result<Json<WishPage>, Problem> {
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let hide = hides_nsfw(&user);
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let wishes = collection::wishes(from, user.id, hide, order, after, query.limit.one_more()).await?;
    let totals = collection::totals(from, user.id, hide).await?;
    let targets: rates::Sum =
        totals.iter().filter_map(|total| Some((total.amount, total.currency.parse().ok()?))).collect();
    let total = user.preferred_currency.map(|to| targets.total(state.fx.today().as_ref(), to).into());
    let today = scene.today();
    let market = Market::of(&state, &wishes).await?;
    let view = |wish| WishView::of(wish, &user, today, &market);
    let page = Page::cut(wishes, query.limit, |wish| wish.key(order), view);
    let totals = totals.into_iter().map(|total| Sum {
        amount: shown::amount(total.amount, Some(&total.currency)),
        currency: total.currency,
    });
    let (items, next_cursor, totals) = (page.items, page.next_cursor, totals.collect());
    Ok(Json(WishPage { items, next_cursor, totals, total, as_of: scene.view() }))
}

/// One's wish for a figure.
///
/// For whoever is signed in. The id of a figure that was merged into another will do. Of an NSFW figure those who hide
/// them get no more than `nsfw_gate` until they ask with `confirm_nsfw=true`. With `as_of`, the wish as it was then,
/// without an `ETag`.
#[utoipa::path(
    get,
    path = "/api/me/wishlist/{figure_id}",
    tag = "wishlist",
    operation_id = "read_wish",
    security(("session" = [])),
    params(("figure_id" = Uuid, Path, description = "The figure"), OpenAt),
    responses((status = 200, description = "The wish", body = ThingAsOf<Gated<WishView>>), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(figure_id): Path<Uuid>,
    Query(query): Query<OpenAt>,
) -> Result<Written<ThingAsOf<Gated<WishView>>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let figure = collection::figure_now(&state.pool, FigureId(figure_id)).await?;
    let from = scene.reading(&state.pool);
    let wish = collection::wish(from, user.id, figure).await?.ok_or(WISH_NOT_FOUND)?;
    let version = wish.version();
    let market = Market::of(&state, std::slice::from_ref(&wish)).await?;
    let nsfw = wish.figure.as_ref().filter(|figure| figure.is_nsfw).map(|figure| (wish.row.id, figure.id));
    let view = WishView::of(wish, &user, scene.today(), &market);
    Ok(ThingAsOf::written(Gated::of(view, nsfw, &user, query.confirm_nsfw), version, &scene))
}

/// Wishes a figure, or restates the wish.
///
/// For whoever is signed in. There is at most one wish for a figure, and none for a figure that is owned or
/// pre-ordered. 201 when the wish is new, else 200.
#[utoipa::path(
    put,
    path = "/api/me/wishlist/{figure_id}",
    tag = "wishlist",
    operation_id = "set_wish",
    security(("session" = [])),
    params(("figure_id" = Uuid, Path, description = "The figure")),
    request_body = SetWishBody,
    responses(
        (status = 201, description = "The wish, which is new", body = WishView),
        (status = 200, description = "The wish as it now is", body = WishView),
        SetProblems
    )
)]
async fn set(
    State(state): State<AppState>,
    caller: Caller,
    Path(figure_id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    Command { body, idempotency }: Command<SetWishBody>,
) -> Result<Written<WishView>, Problem> {
    let fields = ("max_price_amount", "max_price_currency");
    let target = given::money(body.max_price_amount.as_ref(), body.max_price_currency.as_ref(), fields)?;
    let command = SetWish {
        user_id: caller.user.id,
        figure_id: FigureId(figure_id),
        expected,
        target,
        note: body.note,
    };
    let done = state.perform(&caller, idempotency, &command).await?;
    let figure = done.answer.figure_id;
    let wish = written(&state, &caller.user, figure, done.position).await?;
    Ok(if done.answer.made { wish.made_at(place(figure)) } else { wish })
}

/// Takes a figure off the wishlist.
///
/// For whoever is signed in.
#[utoipa::path(
    delete,
    path = "/api/me/wishlist/{figure_id}",
    tag = "wishlist",
    operation_id = "remove_wish",
    security(("session" = [])),
    params(("figure_id" = Uuid, Path, description = "The figure")),
    responses((status = 200, description = "It is gone", body = Deleted), RemoveProblems)
)]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(figure_id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<Deleted>, Problem> {
    let command = Unwish { user_id: caller.user.id, figure_id: FigureId(figure_id), expected };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, PLACE).await?;
    Ok(Written::done(Deleted { id: figure_id, deleted: true }).at(done.position))
}
