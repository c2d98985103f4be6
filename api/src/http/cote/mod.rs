//! `/api/me/cote`: what one's collection is worth, what it cost, and how its worth went.

mod evolution;
mod explained;
mod pieces;

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::NaiveDate;
use domain::money::{Currency, rounded};
use projections::cote::{self, Reckoning};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    locations::Sum,
    stats::{Explain, QUERY},
};
use crate::shown::hides_nsfw;
use crate::{
    exchange::{Exchange, money, sum, sums},
    extract::{CurrentUser, Query},
    guard::fresh,
    problem::{self, Problem},
    problems,
    state::AppState,
};
use explained::CoteExplanation;

/// The read models that worth is answered from.
const READS: &[&str] = &["cote", "figures", "entities"];

problems!(CoteProblems = problem::SIGNED_IN, QUERY);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(pieces::list))
        .routes(routes!(evolution::read))
        .routes(routes!(evolution::chart))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// What one's collection is worth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cote, example = example_cote)]
pub struct CoteView {
    /// Every piece with a worth, at today's rates.
    value_eur: String,
    /// Those of them whose cost is known: the ones in the gain.
    value_compared_eur: String,
    /// What these cost, at the rates frozen then: the price, deposit in, shipping and fees out.
    cost_eur: String,
    /// `value_compared_eur` − `cost_eur`.
    gain_eur: String,
    /// What sold pieces brought above what they had cost.
    realised_gain_eur: String,
    /// `gain_eur` per cent of `cost_eur`, two places; null when nothing was paid.
    gain_percent: Option<String>,
    /// The day of today's rates; null without any.
    fx_date: Option<NaiveDate>,
    /// Whether something could not be converted, and is missing from the totals.
    partial: bool,
    /// What backs most pieces: `manual`, `market` or `msrp`; null when nothing has a worth.
    basis: Option<&'static str>,
    /// The share of the pieces that were valued by hand, 0 to 1, four places.
    manual_coverage: String,
    /// Pieces that count: not archived, and received if they were ever pre-ordered.
    pieces_total: i64,
    /// Those with a worth.
    pieces_valued: i64,
    /// Those worth what their owner says.
    pieces_manual: i64,
    /// Those worth the latest market price.
    pieces_market: i64,
    /// Those worth the list price.
    pieces_msrp: i64,
    /// Those in the gain.
    pieces_compared: i64,
    /// Archived ones in the realised gain.
    pieces_sold: i64,
    /// The amounts as they were recorded.
    originals: Originals,
    /// The totals in the currency that one prefers; null without a preference or without rates.
    display: Option<DisplayView>,
    /// What the totals are made of; only with `explain=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<CoteExplanation>,
}

/// Amounts as they were recorded, per currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Originals {
    /// What every piece with a worth is worth.
    value: Vec<Sum>,
    /// What every piece with a price cost.
    cost: Vec<Sum>,
}

/// The totals in the currency that one prefers.
#[derive(Debug, Serialize, ToSchema)]
pub struct DisplayView {
    currency: String,
    value: String,
    value_compared: String,
    cost: String,
    /// `value_compared` − `cost`.
    gain: String,
    realised_gain: String,
}

fn example_cote() -> Value {
    json!({
        "value_eur": "2411.80",
        "value_compared_eur": "2290.10",
        "cost_eur": "1834.20",
        "gain_eur": "455.90",
        "realised_gain_eur": "31.50",
        "gain_percent": "24.86",
        "fx_date": "2026-11-20",
        "partial": false,
        "basis": "market",
        "manual_coverage": "0.0968",
        "pieces_total": 124,
        "pieces_valued": 121,
        "pieces_manual": 12,
        "pieces_market": 80,
        "pieces_msrp": 29,
        "pieces_compared": 118,
        "pieces_sold": 2,
        "originals": {
            "value": [{"currency": "EUR", "amount": "1290.00"}, {"currency": "JPY", "amount": "203200"}],
            "cost": [{"currency": "EUR", "amount": "1201.00"}, {"currency": "JPY", "amount": "98500"}]
        },
        "display": {"currency": "CHF", "value": "2245.78", "value_compared": "2132.46", "cost": "1707.95",
            "gain": "424.51", "realised_gain": "29.33"}
    })
}

/// Rounds to so many places, half away from zero, and shows them all.
fn places(number: Decimal, places: u32) -> String {
    let mut shown = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    shown.rescale(places);
    shown.to_string()
}

impl CoteView {
    fn of(all: &Reckoning, exchange: &Exchange, explanation: Option<CoteExplanation>) -> Self {
        let shown = |eur: Decimal| rounded(eur, Currency::Eur);
        // The gain is that of the numbers beside it, so that they add up for whoever reads them.
        let gain = shown(all.compared).saturating_sub(shown(all.cost));
        let realised = all.brought.saturating_sub(all.brought_cost);
        let share = |part: Decimal, whole: Decimal| part.checked_div(whole);
        let percent = share(gain, shown(all.cost)).and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
        let coverage = share(all.tiers[0].into(), all.pieces.into()).unwrap_or_default();
        Self {
            value_eur: money(all.value),
            value_compared_eur: money(all.compared),
            cost_eur: money(all.cost),
            gain_eur: money(gain),
            realised_gain_eur: money(realised),
            gain_percent: percent.map(|percent| places(percent, 2)),
            fx_date: exchange.fx_date(),
            partial: all.partial,
            basis: all.basis().map(cote::Tier::as_str),
            manual_coverage: places(coverage, 4),
            pieces_total: all.pieces,
            pieces_valued: all.valued(),
            pieces_manual: all.tiers[0],
            pieces_market: all.tiers[1],
            pieces_msrp: all.tiers[2],
            pieces_compared: all.pieces_compared,
            pieces_sold: all.pieces_sold,
            originals: Originals { value: sums(&all.values), cost: sums(&all.costs) },
            display: DisplayView::of(all, realised, exchange),
            explanation,
        }
    }
}

impl DisplayView {
    fn of(all: &Reckoning, realised: Decimal, exchange: &Exchange) -> Option<Self> {
        let currency = exchange.display()?;
        let shown = |eur: Decimal| Some(rounded(exchange.convert(eur, currency)?, currency));
        let text = |amount: Decimal| sum(currency, amount).amount;
        let (compared, cost) = (shown(all.compared)?, shown(all.cost)?);
        Some(Self {
            currency: currency.to_string(),
            value: text(shown(all.value)?),
            value_compared: text(compared),
            cost: text(cost),
            gain: text(compared.saturating_sub(cost)),
            realised_gain: text(shown(realised)?),
        })
    }
}

/// What one's collection is worth.
///
/// For whoever is signed in. A piece is worth its owner's valuation, else the latest market price of its figure, else
/// the list price; archived ones do not count, NSFW ones do. Cost is taken at the rate frozen when it was recorded,
/// value at today's. A gift without a price cost nothing.
#[utoipa::path(
    get,
    path = "/api/me/cote",
    tag = "statistics",
    security(("session" = [])),
    params(Explain),
    responses((status = 200, description = "The totals", body = CoteView), CoteProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<Explain>,
) -> Result<Json<CoteView>, Problem> {
    let exchange = Exchange::of(&state, &user);
    let (groups, sold) =
        tokio::try_join!(cote::worth(&state.pool, user.id, false), cote::sold(&state.pool, user.id))?;
    let all = Reckoning::of(&groups, &sold, exchange.rates());
    let explanation = if query.explain {
        let hide = hides_nsfw(&user);
        let parts = cote::parts(&state.pool, user.id, hide).await?;
        let sold = cote::sold_parts(&state.pool, user.id, hide).await?;
        Some(CoteExplanation::of(parts, sold, &exchange))
    } else {
        None
    };
    Ok(Json(CoteView::of(&all, &exchange, explanation)))
}
