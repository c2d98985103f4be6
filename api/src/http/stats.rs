//! `/api/me/stats`: what one's collection comes to when it is counted.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::{Datelike, Months, NaiveDate};
use domain::money::{Currency, rounded};
use projections::{
    collection,
    statistics::{self, Completion, Costs, Month, Named, Spend, Statistics, Whole},
};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{owned::PieceView, owned::hides_nsfw};
use crate::{
    charts::{self, Chart, Joined, Panel, Unit},
    exchange::{Exchange, Explanation, TotalView, example_total, money, sum},
    extract::{CurrentUser, Query},
    guard::fresh,
    problem::{self, INVALID_FIELD, MALFORMED_QUERY, Problem, UNKNOWN_PARAMETER},
    problems,
    shown::EntityRef,
    state::AppState,
};

/// The read models that statistics are answered from.
pub(super) const READS: &[&str] = &["collection", "preorders", "figures", "entities", "prices"];
/// Bounds of the price distribution, for currencies whose unit is worth about a euro. Yen count a hundredfold.
const BOUNDS: [i64; 7] = [25, 50, 100, 150, 200, 300, 500];
/// What a route that takes `explain` may refuse because of its query.
pub(super) const QUERY: &[problem::Kind] = &[MALFORMED_QUERY, INVALID_FIELD, UNKNOWN_PARAMETER];

problems!(StatsProblems = problem::SIGNED_IN, QUERY);
problems!(InsightsProblems = problem::SIGNED_IN);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(stats))
        .routes(routes!(chart))
        .routes(routes!(insights))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Whether totals are to explain themselves.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Explain {
    /// `1` lists what each total is made of.
    #[serde(default, deserialize_with = "yes_or_no")]
    #[param(value_type = Option<String>, pattern = "^(0|1|false|true)$", example = "1")]
    pub explain: bool,
}

fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(serde::de::Error::custom("explain is 1 or 0")),
    }
}

/// What one's collection comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics, example = example_stats)]
pub struct StatsView {
    /// The day of the rates that amounts without a frozen rate were converted by; null without any.
    fx_date: Option<NaiveDate>,
    counters: CountersView,
    spend: SpendView,
    /// Every month from the first in which a piece came or money went to the last, oldest first.
    months: Vec<MonthView>,
    /// Every year in which a piece came or money went, oldest first.
    years: Vec<YearSpendView>,
    /// How complete the fullest series are; at most 20.
    series: Vec<CompletionView>,
    wishlist: WishlistStats,
    preorders: HealthView,
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountersView {
    /// Pieces that are here: not archived, and received if they were ever pre-ordered. NSFW ones count, too.
    pieces: i64,
    archived: i64,
    /// Different figures among the pieces.
    figures: i64,
    /// Different types among them.
    types: i64,
    /// Different makers among them.
    makers: i64,
    /// Different series among them.
    series: i64,
    /// Turntable scans.
    scans: i64,
    /// Pieces ever acquired that have no price.
    unpriced: i64,
    wishes: i64,
    /// Pre-orders by status; every status is there.
    preorders: BTreeMap<&'static str, i64>,
}

/// What was spent on every piece ever acquired, archived ones included.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpendView {
    /// Prices, shipping and fees.
    total: TotalView,
    /// The same taken apart, per currency.
    by_currency: Vec<CurrencySpendView>,
}

/// What was spent in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrencySpendView {
    currency: String,
    pieces: i64,
    price: String,
    shipping: String,
    fees: String,
    total: String,
    /// Prices of the pieces whose figure has a list price.
    compared_price: String,
    /// List prices of those, at today's rates where they stand in another currency.
    msrp: String,
    /// The one without the other: negative is less than the catalogue asks.
    against_msrp: String,
    /// Whether list prices that could not be converted are missing from the comparison.
    partial: bool,
}

/// One month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthView {
    /// `YYYY-MM`, in UTC.
    month: String,
    /// Pieces acquired in it.
    pieces: i64,
    /// Pieces acquired up to its end.
    pieces_total: i64,
    /// What was spent in it, in euro.
    spent_eur: String,
    /// What was spent up to its end, in euro.
    spent_total_eur: String,
}

/// One year.
#[derive(Debug, Serialize, ToSchema)]
pub struct YearSpendView {
    year: i32,
    /// Pieces acquired in it.
    pieces: i64,
    spent: TotalView,
}

/// How much of a series is owned.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionView {
    id: Uuid,
    name: String,
    slug: String,
    /// Different figures owned.
    owned: i64,
    /// Figures in the catalogue.
    figures: i64,
    /// Owned per cent of those, one place.
    percent: String,
}

/// What the wishes would cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishlistStats {
    wishes: i64,
    /// Wishes with neither a market price nor a list price: not in the cost.
    without_price: i64,
    /// The market price of each, else its list price.
    cost: TotalView,
    /// The targets.
    targets: TotalView,
}

/// How the pre-orders do.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// Neither received nor cancelled, of pieces that are not archived.
    open: i64,
    /// Cancelled, replaced ones included.
    cancelled: i64,
    /// Pre-orders, cancelled ones left out, that slipped.
    slipped: i64,
    /// By how many days the release of those moved since it was first named, on average, one place; null when none
    /// slipped.
    mean_slip_days: Option<String>,
    /// Deposits paid on open ones whose balance is not.
    open_deposits: TotalView,
    /// What was not refunded of cancelled ones.
    lost: TotalView,
}

fn example_stats() -> Value {
    json!({
        "fx_date": "2026-11-20",
        "counters": {
            "pieces": 124, "archived": 6, "figures": 119, "types": 4, "makers": 17, "series": 38, "scans": 0,
            "unpriced": 3, "wishes": 9,
            "preorders": {"announced": 0, "preorder_open": 1, "preordered": 7, "in_production": 1, "released": 0,
                "shipped": 1, "received": 22, "cancelled": 2}
        },
        "spend": {
            "total": example_total(),
            "by_currency": [{"currency": "EUR", "pieces": 80, "price": "1201.00", "shipping": "71.00", "fees": "18.00",
                "total": "1290.00", "compared_price": "980.00", "msrp": "940.10", "against_msrp": "39.90",
                "partial": false}]
        },
        "months": [{"month": "2026-10", "pieces": 3, "pieces_total": 124, "spent_eur": "210.40",
            "spent_total_eur": "1834.20"}],
        "years": [{"year": 2026, "pieces": 31, "spent": example_total()}],
        "series": [{"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04", "name": "Tides of Cobalt", "slug": "tides-of-cobalt",
            "owned": 9, "figures": 14, "percent": "64.3"}],
        "wishlist": {"wishes": 9, "without_price": 1, "cost": example_total(), "targets": example_total()},
        "preorders": {"open": 10, "cancelled": 2, "slipped": 5, "mean_slip_days": "47.6",
            "open_deposits": example_total(), "lost": example_total()}
    })
}

const STATUSES: [&str; 8] = [
    "announced",
    "preorder_open",
    "preordered",
    "in_production",
    "released",
    "shipped",
    "received",
    "cancelled",
];

/// Rounds to one place, half away from zero.
fn one_place(number: Decimal) -> String {
    let mut shown = number.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
    shown.rescale(1);
    shown.to_string()
}

impl From<Completion> for CompletionView {
    fn from(series: Completion) -> Self {
        let share = Decimal::from(series.owned)
            .checked_mul(Decimal::ONE_HUNDRED)
            .and_then(|share| share.checked_div(Decimal::from(series.figures)));
        Self {
            percent: one_place(share.unwrap_or_default()),
            id: series.id,
            name: series.name,
            slug: series.slug,
            owned: series.owned,
            figures: series.figures,
        }
    }
}

/// The spend of each currency, its list prices converted at today's rates.
fn by_currency(spend: &[Spend], exchange: &Exchange) -> Vec<CurrencySpendView> {
    let views = spend.chunk_by(|a, b| a.currency == b.currency).filter_map(|rows| {
        let currency = rows.first()?.currency;
        let add = |part: fn(&Spend) -> Decimal| {
            rows.iter().fold(Decimal::ZERO, |sum, row| sum.saturating_add(part(row)))
        };
        let (mut compared, mut msrp, mut partial) = (Decimal::ZERO, Decimal::ZERO, false);
        for row in rows {
            let Some(other) = row.msrp_currency else { continue };
            let converted = match exchange.today() {
                _ if other == currency => Some(row.msrp),
                Some(table) => table.convert(row.msrp, other, currency),
                None => None,
            };
            match converted {
                Some(converted) => {
                    compared = compared.saturating_add(row.compared);
                    msrp = msrp.saturating_add(converted);
                }
                None => partial = true,
            }
        }
        let (price, shipping, fees) = (add(|row| row.price), add(|row| row.shipping), add(|row| row.fees));
        let msrp = rounded(msrp, currency);
        let show = |amount: Decimal| domain::money::display_amount(amount, currency);
        Some(CurrencySpendView {
            currency: currency.to_string(),
            pieces: rows.iter().map(|row| row.pieces).sum(),
            total: show(price.saturating_add(shipping).saturating_add(fees)),
            price: show(price),
            shipping: show(shipping),
            fees: show(fees),
            compared_price: show(compared),
            against_msrp: show(compared.saturating_sub(msrp)),
            msrp: show(msrp),
            partial,
        })
    });
    views.collect()
}

/// The first day of a month written `YYYY-MM`.
fn first_of(month: &str) -> Option<NaiveDate> {
    format!("{month}-01").parse().ok()
}

/// One month with the exact amounts that its view is rounded from.
struct Running {
    first: NaiveDate,
    view: MonthView,
    spent_total: Decimal,
}

/// Every month from the first to the last, those without anything included.
fn months(all: &BTreeMap<String, Month>, exchange: &Exchange) -> Vec<Running> {
    let ends = |(month, _): (&String, &Month)| first_of(month);
    let (Some(first), Some(last)) = (all.iter().next().and_then(ends), all.iter().next_back().and_then(ends))
    else {
        return Vec::new();
    };
    let (mut pieces_total, mut costs) = (0_i64, Costs::default());
    std::iter::successors(Some(first), |month| month.checked_add_months(Months::new(1)))
        .take_while(|month| *month <= last)
        .map(|first| {
            let month = first.format("%Y-%m").to_string();
            let of = all.get(&month).cloned().unwrap_or_default();
            pieces_total = pieces_total.saturating_add(of.pieces);
            costs.add_all(&of.costs);
            let spent_total = costs.eur(exchange.today()).exact;
            let view = MonthView {
                month,
                pieces: of.pieces,
                pieces_total,
                spent_eur: money(of.costs.eur(exchange.today()).exact),
                spent_total_eur: money(spent_total),
            };
            Running { first, view, spent_total }
        })
        .collect()
}

fn years(all: &BTreeMap<String, Month>, exchange: &Exchange) -> Vec<YearSpendView> {
    let mut years: BTreeMap<i32, Month> = BTreeMap::new();
    for (month, of) in all {
        let Some(first) = first_of(month) else { continue };
        let year = years.entry(first.year()).or_default();
        year.pieces = year.pieces.saturating_add(of.pieces);
        year.costs.add_all(&of.costs);
    }
    years
        .into_iter()
        .map(|(year, of)| YearSpendView { year, pieces: of.pieces, spent: exchange.total(&of.costs) })
        .collect()
}

impl StatsView {
    fn of(all: Statistics, exchange: &Exchange) -> Self {
        let Statistics { counters, spend, costs, months: by_month, series, wishes, targets, health } = all;
        let status = |word: &'static str| (word, counters.preorders.get(word).copied().unwrap_or_default());
        Self {
            fx_date: exchange.fx_date(),
            counters: CountersView {
                pieces: counters.pieces.owned,
                archived: counters.pieces.archived,
                figures: counters.pieces.figures,
                types: counters.pieces.types,
                makers: counters.pieces.makers,
                series: counters.pieces.series,
                scans: 0,
                unpriced: counters.pieces.unpriced,
                wishes: counters.wishes,
                preorders: STATUSES.into_iter().map(status).collect(),
            },
            spend: SpendView { total: exchange.total(&costs), by_currency: by_currency(&spend, exchange) },
            months: months(&by_month, exchange).into_iter().map(|month| month.view).collect(),
            years: years(&by_month, exchange),
            series: series.into_iter().map(Into::into).collect(),
            wishlist: WishlistStats {
                wishes: counters.wishes,
                without_price: counters.wishes_without_price,
                cost: exchange.total_of(wishes),
                targets: exchange.total_of(targets),
            },
            preorders: HealthView {
                open: health.open,
                cancelled: health.cancelled,
                slipped: health.slipped,
                mean_slip_days: health.mean_slip_days.map(one_place),
                open_deposits: exchange.total_of(health.deposits),
                lost: exchange.total(&health.lost),
            },
        }
    }
}

/// What a total of a person's is made of, if they ask.
pub(super) async fn explained(
    state: &AppState,
    user: &operational::users::User,
    exchange: &Exchange,
    whole: Whole,
    asked: bool,
) -> Result<Option<Explanation>, Problem> {
    if !asked {
        return Ok(None);
    }
    let parts = statistics::parts(&state.pool, user.id, whole, hides_nsfw(user)).await?;
    Ok(Some(exchange.explanation(parts)))
}

/// Counters, spend and how the pre-orders do.
///
/// For whoever is signed in. All of one's pieces count, NSFW ones too. Money is spent on the purchase date, else on
/// the day a piece was added; a pre-ordered piece counts from its receipt on. With `Accept: image/svg+xml`, the
/// chart of pieces and spend.
#[utoipa::path(
    get,
    path = "/api/me/stats",
    tag = "statistics",
    security(("session" = [])),
    params(Explain),
    responses(
        (status = 200, description = "The statistics", content(
            (StatsView = "application/json"),
            (String = "image/svg+xml"),
        )),
        StatsProblems
    )
)]
async fn stats(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<Explain>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let exchange = Exchange::of(&state, &user);
    if charts::wanted(&headers) {
        return Ok(drawn(&state, &user, &exchange).await?.into_response());
    }
    let all = statistics::statistics(&state.pool, user.id, hides_nsfw(&user)).await?;
    let mut view = StatsView::of(all, &exchange);
    for (total, whole) in [
        (&mut view.spend.total, Whole::Spent(None)),
        (&mut view.wishlist.cost, Whole::Wishes),
        (&mut view.wishlist.targets, Whole::Targets),
        (&mut view.preorders.open_deposits, Whole::Deposits),
        (&mut view.preorders.lost, Whole::Lost(None)),
    ] {
        total.explanation = explained(&state, &user, &exchange, whole, query.explain).await?;
    }
    Ok(Json(view).into_response())
}

/// The chart of pieces and spend.
///
/// For whoever is signed in. Pieces acquired and money spent up to each month, in the currency one prefers.
#[utoipa::path(
    get,
    path = "/api/me/stats.svg",
    tag = "statistics",
    security(("session" = [])),
    responses((status = 200, description = "The chart", body = String, content_type = "image/svg+xml"), InsightsProblems)
)]
async fn chart(State(state): State<AppState>, CurrentUser(user): CurrentUser) -> Result<Chart, Problem> {
    drawn(&state, &user, &Exchange::of(&state, &user)).await
}

async fn drawn(
    state: &AppState,
    user: &operational::users::User,
    exchange: &Exchange,
) -> Result<Chart, Problem> {
    let all = statistics::statistics(&state.pool, user.id, hides_nsfw(user)).await?;
    let partial = all.costs.eur(exchange.today()).partial;
    let currency = exchange.chart_currency();
    let months = months(&all.months, exchange);
    let last_day = |first: NaiveDate| {
        first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(first)
    };
    let pieces =
        months.iter().map(|month| (last_day(month.first), Decimal::from(month.view.pieces_total))).collect();
    let spend = months
        .iter()
        .filter_map(|month| Some((last_day(month.first), exchange.convert(month.spent_total, currency)?)))
        .collect();
    let curve = |label: &str, unit, points| Panel::Curve {
        label: label.to_owned(),
        unit,
        points,
        joined: Joined::Steps,
        until: None,
    };
    let description = match months.last() {
        Some(last) => {
            let spent = exchange.convert(last.spent_total, currency).unwrap_or_default();
            let spent = sum(currency, rounded(spent, currency));
            format!(
                "{} pieces were acquired and {} {} spent from {} to {}.{}",
                last.view.pieces_total,
                spent.amount,
                spent.currency,
                months.first().map_or("", |first| first.view.month.as_str()),
                last.view.month,
                if partial { " What has no rate is missing." } else { "" }
            )
        }
        None => "Nothing was acquired yet.".to_owned(),
    };
    Ok(Chart {
        title: "Pieces and spend".to_owned(),
        description,
        panels: vec![
            curve("Pieces acquired", Unit::Pieces, pieces),
            curve("Spent", Unit::Money(currency), spend),
        ],
    })
}

/// Of what one's collection consists.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Insights, example = example_insights)]
pub struct InsightsView {
    /// The day of the rates; null without any.
    fx_date: Option<NaiveDate>,
    pieces: i64,
    /// By type, the commonest first.
    types: Vec<CountView>,
    /// By condition; a null name for those of which it is not known.
    conditions: Vec<CountView>,
    /// By maker; at most 50. A null maker for those that have none.
    makers: Vec<NamedCount>,
    /// By series; at most 50.
    series: Vec<NamedCount>,
    /// By sculptor; at most 50. A null sculptor for those that have none.
    sculptors: Vec<NamedCount>,
    prices: PricesView,
    /// The piece with the greatest price; hidden ones are passed over.
    dearest: Option<PieceView>,
}

/// Pieces of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountView {
    name: Option<String>,
    pieces: i64,
}

/// Pieces of one maker, series or sculptor.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedCount {
    of: Option<EntityRef>,
    pieces: i64,
}

/// How prices are distributed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PricesView {
    /// Of the bounds: the one preferred where there are rates, else the euro.
    currency: String,
    /// From the cheapest on.
    buckets: Vec<BucketView>,
    /// Pieces with a price that cannot be compared, for want of a rate.
    incomparable: i64,
}

/// Pieces whose price lies between two bounds.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketView {
    /// At least so much.
    from: String,
    /// Less than so much; null for the last.
    below: Option<String>,
    pieces: i64,
}

fn example_insights() -> Value {
    let entity = json!({"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b01", "name": "Good Smile Company", "slug": "good-smile-company"});
    json!({
        "fx_date": "2026-11-20",
        "pieces": 124,
        "types": [{"name": "nendoroid", "pieces": 70}, {"name": "scale", "pieces": 54}],
        "conditions": [{"name": "displayed", "pieces": 101}, {"name": null, "pieces": 23}],
        "makers": [{"of": entity, "pieces": 81}],
        "series": [{"of": entity, "pieces": 9}],
        "sculptors": [{"of": null, "pieces": 40}],
        "prices": {"currency": "EUR", "buckets": [{"from": "0.00", "below": "25.00", "pieces": 4},
            {"from": "500.00", "below": null, "pieces": 1}], "incomparable": 0},
        "dearest": super::owned::example_piece()
    })
}

impl From<Named> for NamedCount {
    fn from(named: Named) -> Self {
        let of = match (named.id, named.name, named.slug) {
            (Some(id), Some(name), Some(slug)) => {
                Some(projections::figures::summary::EntityName { id, name, slug }.into())
            }
            _ => None,
        };
        Self { of, pieces: named.pieces }
    }
}

/// The bounds as they are shown, and in euro.
fn bounds(exchange: &Exchange) -> (Currency, Vec<Decimal>, Vec<Decimal>) {
    let currency = exchange.chart_currency();
    let unit = if currency == Currency::Jpy { 100 } else { 1 };
    let shown: Vec<Decimal> = BOUNDS.iter().map(|bound| Decimal::from(bound * unit)).collect();
    let eur = shown.iter().filter_map(|bound| exchange.eur(*bound, currency)).collect();
    (currency, shown, eur)
}

/// Of what one's collection consists.
///
/// For whoever is signed in. Pieces that are here, by type, condition, maker, series, sculptor and price. Prices are
/// compared at their frozen rates, else at today's.
#[utoipa::path(
    get,
    path = "/api/me/stats/insights",
    tag = "statistics",
    security(("session" = [])),
    responses((status = 200, description = "The breakdowns", body = InsightsView), InsightsProblems)
)]
async fn insights(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<InsightsView>, Problem> {
    let exchange = Exchange::of(&state, &user);
    let (currency, shown, eur) = bounds(&exchange);
    let all = statistics::insights(&state.pool, user.id, exchange.today(), &eur, hides_nsfw(&user)).await?;
    let dearest = match all.dearest {
        Some(id) => collection::piece(&state.pool, user.id, domain::ids::PieceId(id)).await?,
        None => None,
    };
    let amount = |bound: Option<&Decimal>| bound.map(|bound| sum(currency, *bound).amount);
    let buckets = all.prices.iter().enumerate().map(|(at, pieces)| BucketView {
        from: amount(at.checked_sub(1).and_then(|at| shown.get(at)))
            .unwrap_or_else(|| sum(currency, Decimal::ZERO).amount),
        below: amount(shown.get(at)),
        pieces: *pieces,
    });
    let counts = |kinds: Vec<statistics::Breakdown>| {
        kinds.into_iter().map(|kind| CountView { name: kind.word, pieces: kind.pieces }).collect()
    };
    Ok(Json(InsightsView {
        fx_date: exchange.fx_date(),
        pieces: all.pieces,
        prices: PricesView {
            currency: currency.to_string(),
            buckets: buckets.collect(),
            incomparable: all.incomparable,
        },
        types: counts(all.types),
        conditions: counts(all.conditions),
        makers: all.makers.into_iter().map(Into::into).collect(),
        series: all.series.into_iter().map(Into::into).collect(),
        sculptors: all.sculptors.into_iter().map(Into::into).collect(),
        dearest: dearest.map(|piece| PieceView::of(piece, &user)),
    }))
}
