//! Reading pre-orders: the list, one of them, how its date changed, and its price taken apart.

use axum::{Json, extract::State};
use domain::ids::{FigureId, PreorderId};
use projections::{
    collection::figure_now,
    preorders::{self, PreorderFilter, breakdown},
};
use uuid::Uuid;

use super::{
    super::as_of::{self, AtTime, OpenAt, PageAsOf, ThingAsOf},
    BreakdownProblems, HistoryProblems, ListProblems, PREORDER_NOT_FOUND, ReadProblems,
    bodies::{ListHistory, ListPreorders},
    detail,
    views::{BreakdownView, DateChangeView, PreorderDetail, PreorderView},
};
use crate::{
    answer::Written,
    extract::{CurrentUser, Path, Query},
    gated::Gated,
    pages::Page,
    problem::{INVALID_FIELD, Problem},
    shown::{self, hides_nsfw},
    state::AppState,
};

/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

/// The pre-orders of one's collection.
///
/// For whoever is signed in. Of a piece whose pre-order was cancelled and replaced, only the one that holds
/// now is listed. NSFW figures are left out for those who hide them. With `as_of`, the pre-orders as they were
/// then, under the names that the catalogue has today; `countdown` counts from that day.
#[utoipa::path(
    get,
    path = "/api/me/preorders",
    tag = "pre-orders",
    operation_id = "list_preorders",
    security(("session" = [])),
    params(ListPreorders),
    responses((status = 200, description = "A page of pre-orders", body = PageAsOf<PreorderView>), ListProblems)
)]
pub(super) async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListPreorders>,
) -> Result<Json<PageAsOf<PreorderView>>, Problem> {
    if query.q.as_ref().is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        return Err(Problem::from(INVALID_FIELD).detail("q has at most 200 characters").field("q"));
    }
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let figure_id = match query.figure_id {
        Some(id) => Some(figure_now(&state.pool, FigureId(id)).await?),
        None => None,
    };
    let filter = PreorderFilter {
        status: query.status,
        live: query.live,
        offered: query.offered,
        store: query.store,
        figure_id,
        search: query.q,
        hide_nsfw: hides_nsfw(&user),
    };
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let from = scene.reading(&state.pool);
    let rows = preorders::list(from, user.id, &filter, order, after, query.limit.one_more()).await?;
    let today = scene.today();
    let view = |row: preorders::Listing| PreorderView::of(row.found, &user, today);
    Ok(Json(PageAsOf::new(Page::cut(rows, query.limit, |row| row.key(order), view), &scene)))
}

/// One pre-order.
///
/// For whoever is signed in; other people's pre-orders are not found. Also answers those that were cancelled
/// and replaced. Of one of an NSFW figure those who hide them get no more than `nsfw_gate` until they ask with
/// `confirm_nsfw=true`. With `as_of`, the pre-order as it was then, without an `ETag`.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}",
    tag = "pre-orders",
    operation_id = "read_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), OpenAt),
    responses((status = 200, description = "The pre-order", body = ThingAsOf<Gated<PreorderDetail>>), ReadProblems)
)]
pub(super) async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<OpenAt>,
) -> Result<Written<ThingAsOf<Gated<PreorderDetail>>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let found = detail(&scene, &state, &user, PreorderId(id)).await?;
    let (detail, version) = found.ok_or(PREORDER_NOT_FOUND)?;
    let nsfw = detail.preorder.nsfw();
    let opened = Gated::of(detail, nsfw, &user, query.confirm_nsfw);
    Ok(ThingAsOf::written(opened, version, &scene))
}

/// How a pre-order's release date changed.
///
/// For whoever is signed in; other people's pre-orders are not found. Oldest first, with the changes of the
/// cancelled pre-orders that it replaced, each under its own `preorder_id`. With `as_of`, the changes up to then.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}/history",
    tag = "pre-orders",
    operation_id = "read_preorder_history",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), ListHistory),
    responses((status = 200, description = "A page of changes", body = PageAsOf<DateChangeView>), HistoryProblems)
)]
pub(super) async fn history(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<ListHistory>,
) -> Result<Json<PageAsOf<DateChangeView>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let found = preorders::find(from, user.id, PreorderId(id)).await?.ok_or(PREORDER_NOT_FOUND)?;
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = preorders::history(from, &found.preorder, after, query.limit.one_more()).await?;
    let page = Page::cut(rows, query.limit, |row| row.position, Into::into);
    Ok(Json(PageAsOf::new(page, &scene)))
}

/// A pre-order's price, taken apart.
///
/// For whoever is signed in; other people's pre-orders are not found. Of a cancelled one it says what was paid,
/// what came back and what was lost. With `as_of`, as it was then; the MSRP is the catalogue's of today.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}/breakdown",
    tag = "pre-orders",
    operation_id = "read_preorder_breakdown",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), AtTime),
    responses((status = 200, description = "The parts of the price", body = ThingAsOf<BreakdownView>), BreakdownProblems)
)]
pub(super) async fn take_apart(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<AtTime>,
) -> Result<Json<ThingAsOf<BreakdownView>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let found = preorders::find(from, user.id, PreorderId(id)).await?.ok_or(PREORDER_NOT_FOUND)?;
    let msrp = found.figure.and_then(|figure| Some((figure.msrp_amount?, figure.msrp_currency?)));
    let parts = breakdown(&found.preorder, msrp, state.fx.today().as_ref());
    let currency = parts.currency.as_deref();
    let amount = |part: Option<_>| part.map(|part| shown::amount(part, currency));
    let (msrp, msrp_currency) = parts.msrp.unzip();
    let parts = BreakdownView {
        deposit: amount(parts.deposit),
        figure: amount(parts.figure),
        shipping: amount(parts.shipping),
        total: amount(parts.total),
        paid: shown::amount(parts.paid, currency),
        msrp: msrp.map(|msrp| shown::amount(msrp, msrp_currency.as_deref())),
        msrp_currency,
        delta: amount(parts.delta),
        delta_fx_date: parts.delta_rates_of,
        refunded: amount(parts.refunded),
        lost: amount(parts.lost),
        currency: parts.currency.clone(),
    };
    Ok(Json(ThingAsOf::new(parts, &scene)))
}
