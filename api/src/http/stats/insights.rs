//! Of what one's collection consists.

use axum::{Json, extract::State};
use chrono::NaiveDate;
use domain::money::Currency;
use projections::{
    collection,
    statistics::{self, Named},
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::owned::PieceView;
use crate::shown::hides_nsfw;
use crate::{
    exchange::{Exchange, sum},
    extract::CurrentUser,
    problem::{self, Problem},
    problems,
    shown::EntityRef,
    state::AppState,
};

/// Bounds of the price distribution, for currencies whose unit is worth about a euro. Yen count a hundredfold.
const BOUNDS: [i64; 7] = [25, 50, 100, 150, 200, 300, 500];

problems!(InsightsProblems = problem::SIGNED_IN);

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
        "dearest": super::super::owned::example_piece()
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
pub(super) async fn insights(
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
