//! `/api/figures/{id}/prices`: what stores ask for a figure, how that moved, and whether they have it.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use projections::{
    figures::queries,
    prices::queries::{self as market, Latest, Original, Point, StoreStock},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{super::entities::eyes, super::price_chart, FIGURE_NOT_FOUND, ReadProblems, views::GateView};
use crate::{
    charts,
    extract::{CurrentUser, Path, Query},
    guard::fresh,
    problem::Problem,
    shown::{self, EntityRef, hides_nsfw},
    state::AppState,
};

/// The read models that this route is answered from.
const READS: &[&str] = &["figures", "entities", "prices"];
/// How many points of a history are told.
const MOST_POINTS: u32 = 5_000;

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(prices))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// How far back to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadPrices {
    /// The first day of the history, `YYYY-MM-DD`, UTC. Without it all of it is told.
    since: Option<NaiveDate>,
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// What a store asked, before it was converted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OriginalPrice)]
pub struct OriginalView {
    /// A decimal string.
    amount: String,
    /// An ISO 4217 code, of any currency.
    currency: String,
    /// How much of the price's currency one unit was worth: a decimal string.
    rate: String,
    /// The day of that rate.
    rate_date: NaiveDate,
}

/// The market price that stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MarketPrice)]
pub struct PriceView {
    /// A decimal string.
    amount: String,
    currency: String,
    /// What the price provider calls the store.
    source: String,
    store: Option<EntityRef>,
    /// The figure's page there.
    url: String,
    /// The version that the price is for, as the store labels it.
    matched_version: Option<String>,
    /// What the store asked, when it asked in another currency.
    original: Option<OriginalView>,
    /// When it was first seen.
    fetched_at: DateTime<Utc>,
    /// When it was last seen.
    confirmed_at: DateTime<Utc>,
}

/// A point at which the price moved. It held until the next one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PricePoint)]
pub struct PointView {
    /// A decimal string.
    amount: String,
    currency: String,
    /// What the price provider calls the store.
    source: String,
    matched_version: Option<String>,
    /// What the store asked, when it asked in another currency.
    original: Option<OriginalView>,
    /// When it was first seen.
    recorded_at: DateTime<Utc>,
}

/// What a store said of its stock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoreStock)]
pub struct StockView {
    store: Option<EntityRef>,
    /// The figure's page there.
    url: String,
    /// `in_stock`, `preorder`, `out_of_stock`, or `unknown` when it was last said more than seven days ago.
    stock: &'static str,
    /// Since when it says so.
    since: DateTime<Utc>,
    /// When it last said so.
    confirmed_at: DateTime<Utc>,
}

/// The market of a figure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigurePrices, example = example_prices)]
pub struct PricesView {
    figure_id: Uuid,
    /// Null until a store names one.
    price: Option<PriceView>,
    /// Oldest first; the newest 5,000.
    history: Vec<PointView>,
    /// The stores that ever said whether they have it.
    stores: Vec<StockView>,
}

/// The market of a figure that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FigurePricesOpened)]
pub enum OpenedPrices {
    /// All of it.
    Whole(Box<PricesView>),
    /// NSFW, and whoever asks hides such figures.
    Gate(GateView),
}

fn example_prices() -> Value {
    json!({
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "price": {
            "amount": "164.25", "currency": "USD", "source": "harbour",
            "store": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b05", "name": "Harbour Hobby", "slug": "harbour-hobby"},
            "url": "https://harbour.example/item/88121", "matched_version": "Dusk Ver.",
            "original": {"amount": "1280", "currency": "HKD", "rate": "0.128320871093346", "rate_date": "2026-10-30"},
            "fetched_at": "2026-11-02T04:00:07Z", "confirmed_at": "2026-11-09T04:00:05Z"
        },
        "history": [
            {"amount": "171.90", "currency": "USD", "source": "harbour", "matched_version": "Dusk Ver.",
             "original": null, "recorded_at": "2026-10-12T04:00:06Z"},
            {"amount": "164.25", "currency": "USD", "source": "harbour", "matched_version": "Dusk Ver.",
             "original": {"amount": "1280", "currency": "HKD", "rate": "0.128320871093346", "rate_date": "2026-10-30"},
             "recorded_at": "2026-11-02T04:00:07Z"}
        ],
        "stores": [{
            "store": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b05", "name": "Harbour Hobby", "slug": "harbour-hobby"},
            "url": "https://harbour.example/item/88121", "stock": "in_stock",
            "since": "2026-11-02T04:00:07Z", "confirmed_at": "2026-11-09T04:00:05Z"
        }]
    })
}

impl From<Original> for OriginalView {
    fn from(original: Original) -> Self {
        Self {
            amount: original.amount.normalize().to_string(),
            currency: original.currency,
            rate: original.rate.normalize().to_string(),
            rate_date: original.rate_date,
        }
    }
}

impl From<Latest> for PriceView {
    fn from(price: Latest) -> Self {
        Self {
            amount: shown::amount(price.amount, Some(&price.currency)),
            currency: price.currency,
            source: price.source,
            store: price.store.map(Into::into),
            url: price.url,
            matched_version: price.matched_version,
            original: price.original.map(Into::into),
            fetched_at: price.fetched_at,
            confirmed_at: price.confirmed_at,
        }
    }
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        Self {
            amount: shown::amount(point.amount, Some(&point.currency)),
            currency: point.currency,
            source: point.source,
            matched_version: point.matched_version,
            original: point.original.map(Into::into),
            recorded_at: point.recorded_at,
        }
    }
}

impl StockView {
    fn of(stock: StoreStock, now: DateTime<Utc>) -> Self {
        Self {
            stock: stock.known(now).map_or("unknown", |stock| stock.as_str()),
            store: stock.store.map(Into::into),
            url: stock.url,
            since: stock.since,
            confirmed_at: stock.confirmed_at,
        }
    }
}

/// What stores ask for a figure, how that moved, and whether they have it.
///
/// For whoever is signed in. The price that stands, every point at which it moved, and the stock of each store. NSFW
/// figures as in `GET /api/figures/{id}`. With `Accept: image/svg+xml`,
/// or at `/api/figures/{id}/prices.svg`, the same history as a chart.
#[utoipa::path(
    get,
    path = "/api/figures/{id}/prices",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or the slug"), ReadPrices),
    responses(
        (status = 200, description = "The market", content(
            (OpenedPrices = "application/json"),
            (String = "image/svg+xml"),
        )),
        ReadProblems
    )
)]
async fn prices(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Path(id): Path<String>,
    Query(query): Query<ReadPrices>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if charts::wanted(&headers) {
        return Ok(price_chart::drawn(&state, &viewer, &id, query.confirm_nsfw).await?.into_response());
    }
    let figure = queries::find(&state.pool, &id, eyes(&viewer)).await?.ok_or(FIGURE_NOT_FOUND)?;
    if figure.card.is_nsfw && !query.confirm_nsfw && hides_nsfw(&viewer) {
        return Ok(Json(OpenedPrices::Gate(GateView::of(&figure))).into_response());
    }
    let figure_id = figure.card.id;
    let since = query.since.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let price = market::latest(&state.pool, figure_id).await?;
    let history = market::history(&state.pool, figure_id, since, MOST_POINTS).await?;
    let stock = market::stock(&state.pool, figure_id).await?;
    let now = Utc::now();
    Ok(Json(OpenedPrices::Whole(Box::new(PricesView {
        figure_id,
        price: price.map(Into::into),
        history: history.into_iter().map(Into::into).collect(),
        stores: stock.into_iter().map(|stock| StockView::of(stock, now)).collect(),
    })))
    .into_response())
}
