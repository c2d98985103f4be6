//! How the worth of a collection went: the numbers, and the chart.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{NaiveDate, Utc};
use domain::money::{Currency, rates::Sum, rounded};
use operational::users::User;
use projections::cote::{self, Range};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{owned::parsed, stats::QUERY};
use crate::{
    charts::{self, Chart, Joined, Panel, Unit},
    exchange::{Exchange, money, sum},
    extract::{CurrentUser, Query},
    problem::{self, Problem},
    problems,
    state::AppState,
};

problems!(EvolutionProblems = problem::SIGNED_IN, QUERY);

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EvolutionQuery {
    /// `3m`, `6m`, `1y` or `all`.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^(3m|6m|1y|all)$", default = "1y")]
    range: Option<Range>,
}

/// How the worth of a collection went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CoteEvolution, example = json!({
    "range": "1y",
    "from": "2025-11-23",
    "to": "2026-11-23",
    "step_days": 1,
    "rates": "today",
    "fx_date": "2026-11-20",
    "currency": "CHF",
    "partial": false,
    "points": [
        {"day": "2025-11-23", "value_eur": "1980.00", "value": "1843.69"},
        {"day": "2026-11-23", "value_eur": "2411.80", "value": "2245.78"}
    ]
}))]
pub(in crate::http) struct EvolutionView {
    /// `3m`, `6m`, `1y` or `all`.
    range: String,
    from: NaiveDate,
    to: NaiveDate,
    /// Days from one point to the next.
    step_days: i64,
    /// Always `today`: every point is converted at today's rates, so that the curve shows prices and pieces, not rates.
    rates: &'static str,
    /// The day of those rates; null without any.
    fx_date: Option<NaiveDate>,
    /// Of `value`; null without a preference.
    currency: Option<String>,
    /// Whether something could not be converted, and is missing.
    partial: bool,
    /// Oldest first; the last is what the collection is worth now.
    points: Vec<PointView>,
}

/// The worth at the end of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PointView {
    /// In UTC.
    day: NaiveDate,
    value_eur: String,
    /// In the currency that one prefers.
    value: Option<String>,
}

/// The curve in exact euro.
struct Curve {
    evolution: cote::Evolution,
    points: Vec<(NaiveDate, Decimal)>,
    partial: bool,
}

async fn curve(state: &AppState, user: &User, range: Range, exchange: &Exchange) -> Result<Curve, Problem> {
    let evolution = cote::evolution(&state.pool, user.id, range, Utc::now().date_naive()).await?;
    let (mut worth, mut partial) = (Sum::default(), false);
    let mut points = Vec::with_capacity(evolution.changes.len());
    for change in &evolution.changes {
        for (currency, by) in &change.by {
            worth.add(*by, *currency);
        }
        let total = worth.total(exchange.today(), Currency::Eur);
        partial |= total.partial;
        points.push((change.day, total.exact));
    }
    Ok(Curve { evolution, points, partial })
}

/// How the worth of one's collection went.
///
/// For whoever is signed in. Each piece from the day it was acquired until it was archived. Own valuations and list
/// prices count as constants, market prices as they moved; today's rates throughout. With `Accept: image/svg+xml`, the
/// chart.
#[utoipa::path(
    get,
    path = "/api/me/cote/evolution",
    tag = "statistics",
    security(("session" = [])),
    params(EvolutionQuery),
    responses(
        (status = 200, description = "The curve", content(
            (EvolutionView = "application/json"),
            (String = "image/svg+xml"),
        )),
        EvolutionProblems
    )
)]
pub(super) async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<EvolutionQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = query.range.unwrap_or_default();
    let exchange = Exchange::of(&state, &user);
    let curve = curve(&state, &user, range, &exchange).await?;
    if charts::wanted(&headers) {
        return Ok(drawn(&curve, &exchange).into_response());
    }
    let shown = |eur: Decimal| exchange.shown(eur).map(|sum| sum.amount);
    let point =
        |(day, eur): (NaiveDate, Decimal)| PointView { day, value_eur: money(eur), value: shown(eur) };
    Ok(Json(EvolutionView {
        range: range.to_string(),
        from: curve.evolution.from,
        to: curve.evolution.to,
        step_days: curve.evolution.step_days,
        rates: "today",
        fx_date: exchange.fx_date(),
        currency: exchange.display().map(|currency| currency.to_string()),
        partial: curve.partial,
        points: curve.points.into_iter().map(point).collect(),
    })
    .into_response())
}

/// The chart of it.
///
/// For whoever is signed in. In the currency one prefers, else in euro.
#[utoipa::path(
    get,
    path = "/api/me/cote/evolution.svg",
    tag = "statistics",
    security(("session" = [])),
    params(EvolutionQuery),
    responses((status = 200, description = "The chart", body = String, content_type = "image/svg+xml"), EvolutionProblems)
)]
pub(super) async fn chart(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<EvolutionQuery>,
) -> Result<Chart, Problem> {
    let exchange = Exchange::of(&state, &user);
    let curve = curve(&state, &user, query.range.unwrap_or_default(), &exchange).await?;
    Ok(drawn(&curve, &exchange))
}

fn drawn(curve: &Curve, exchange: &Exchange) -> Chart {
    let currency = exchange.chart_currency();
    let points: Vec<(NaiveDate, Decimal)> = curve
        .points
        .iter()
        .filter_map(|(day, eur)| Some((*day, exchange.convert(*eur, currency)?)))
        .collect();
    let said = |at: Option<&(NaiveDate, Decimal)>| {
        at.map_or_else(String::new, |(day, amount)| {
            format!("{} {currency} on {day}", sum(currency, rounded(*amount, currency)).amount)
        })
    };
    let rates = exchange.fx_date().map_or_else(
        || " No rates are known.".to_owned(),
        |day| format!(" Converted at the rates of {day} throughout."),
    );
    let missing = if curve.partial { " What has no rate is missing." } else { "" };
    Chart {
        title: "What the collection is worth".to_owned(),
        description: format!("From {} to {}.{rates}{missing}", said(points.first()), said(points.last())),
        panels: vec![Panel::Curve {
            label: "Value".to_owned(),
            unit: Unit::Money(currency),
            points,
            joined: Joined::Steps,
            until: None,
        }],
    }
}
