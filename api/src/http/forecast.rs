//! `/api/me/preorders/forecast`: what balances fall due.

use std::collections::BTreeMap;

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{NaiveDate, Utc};
use domain::money::Currency;
use projections::statistics::{self, Due, Part};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::stats::{Explain, QUERY};
use crate::shown::hides_nsfw;
use crate::{
    exchange::{Exchange, TotalView, example_total},
    extract::{CurrentUser, Query},
    guard::fresh,
    problem::{self, Problem},
    problems,
    state::AppState,
};

/// The read models that the forecast is answered from.
const READS: &[&str] = &["collection", "preorders", "figures"];

problems!(ForecastProblems = problem::SIGNED_IN, QUERY);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// What balances fall due.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forecast, example = example_forecast)]
pub struct ForecastView {
    /// The day of the rates; null without any.
    fx_date: Option<NaiveDate>,
    /// All of it.
    total: TotalView,
    /// Per period: what is late first, then by release, and at the end what has no date.
    items: Vec<PeriodView>,
}

/// What falls due in one period.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// `overdue` (its period is over, and it is not paid), `month`, `year` (no month is known) or `undated`.
    kind: &'static str,
    /// `YYYY-MM` or `YYYY`; null for what is overdue or undated.
    period: Option<String>,
    preorders: usize,
    /// Price and shipping without the deposit, at today's rates.
    balance: TotalView,
}

fn example_forecast() -> Value {
    json!({
        "fx_date": "2026-11-20",
        "total": example_total(),
        "items": [
            {"kind": "month", "period": "2027-05", "preorders": 3, "balance": example_total()},
            {"kind": "undated", "period": null, "preorders": 1, "balance": example_total()}
        ]
    })
}

/// In the order in which they are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Period {
    Overdue,
    /// By its first day; a month before the year that begins with it.
    Of(NaiveDate, Exact),
    Undated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exact {
    Month,
    Year,
}

impl Period {
    fn of(due: &Due, today: NaiveDate) -> Self {
        let Some(date) = due.release_date else { return Self::Undated };
        let is_year = due.precision.as_deref() == Some("year");
        let (format, exact) = if is_year { ("%Y", Exact::Year) } else { ("%Y-%m", Exact::Month) };
        // What is released later this very month or year is not late yet.
        if date.format(format).to_string() < today.format(format).to_string() {
            return Self::Overdue;
        }
        let first = if is_year {
            format!("{}-01-01", date.format("%Y"))
        } else {
            format!("{}-01", date.format("%Y-%m"))
        };
        Self::Of(first.parse().unwrap_or(date), exact)
    }

    fn words(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Overdue => ("overdue", None),
            Self::Of(first, Exact::Month) => ("month", Some(first.format("%Y-%m").to_string())),
            Self::Of(first, Exact::Year) => ("year", Some(first.format("%Y").to_string())),
            Self::Undated => ("undated", None),
        }
    }
}

fn total(due: &[Due], exchange: &Exchange, today: NaiveDate, explain: bool) -> TotalView {
    let mut sums: BTreeMap<Currency, Decimal> = BTreeMap::new();
    for one in due {
        let sum = sums.entry(one.currency).or_default();
        *sum = sum.saturating_add(one.balance);
    }
    let part = |one: &Due| Part {
        id: Some(one.preorder_id),
        figure_name: one.figure_name.clone(),
        is_nsfw: one.is_nsfw,
        on: one.release_date.unwrap_or(today),
        amount: one.balance,
        currency: one.currency,
        rate: None,
    };
    let explanation = explain.then(|| exchange.explanation(due.iter().map(part).collect()));
    exchange.total_of(sums).explained(explanation)
}

/// What balances fall due.
///
/// For whoever is signed in. The balances of live pre-orders that are not paid, by the month of release and currency.
/// A balance is price and shipping without the deposit; without a price there is none.
#[utoipa::path(
    get,
    path = "/api/me/preorders/forecast",
    tag = "statistics",
    security(("session" = [])),
    params(Explain),
    responses((status = 200, description = "The forecast", body = ForecastView), ForecastProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<Explain>,
) -> Result<Json<ForecastView>, Problem> {
    let exchange = Exchange::of(&state, &user);
    let today = Utc::now().date_naive();
    let due = statistics::due(&state.pool, user.id, hides_nsfw(&user)).await?;
    let all = total(&due, &exchange, today, query.explain);
    let mut periods: BTreeMap<Period, Vec<Due>> = BTreeMap::new();
    for one in due {
        periods.entry(Period::of(&one, today)).or_default().push(one);
    }
    let items = periods.into_iter().map(|(period, due)| {
        let (kind, period) = period.words();
        PeriodView {
            kind,
            period,
            preorders: due.len(),
            balance: total(&due, &exchange, today, query.explain),
        }
    });
    Ok(Json(ForecastView { fx_date: exchange.fx_date(), total: all, items: items.collect() }))
}
