//! `/api/figures/{id}/prices.svg`: how the market price of a figure moved, as a chart.

use axum::{extract::State, middleware::from_fn_with_state};
use chrono::{NaiveDate, Utc};
use domain::{money::Currency, refusal::Code};
use operational::users::User;
use projections::{figures::queries, prices::queries as prices, views::Viewer};
use rust_decimal::Decimal;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::figures::OpenFigure;
use crate::{
    charts::{Chart, Joined, Panel, Unit},
    exchange::{Exchange, sum},
    extract::{CurrentUser, Path, Query},
    guard::fresh,
    problem::{self, INVALID_FIELD, Kind, MALFORMED_QUERY, Problem, UNKNOWN_PARAMETER},
    problems, shown,
    state::AppState,
};

/// The read models that the chart is drawn from.
const READS: &[&str] = &["prices", "figures"];
/// The most points that are drawn, the latest ones.
const MOST_POINTS: u32 = 2_000;

const FIGURE_NOT_FOUND: Kind =
    Kind::refusal(Code::FigureNotFound, "there is no such figure in the catalogue");

problems!(
    ChartProblems = problem::SIGNED_IN,
    &[FIGURE_NOT_FOUND, MALFORMED_QUERY, INVALID_FIELD, UNKNOWN_PARAMETER]
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(chart))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// How the market price of a figure moved, as a chart.
///
/// For whoever is signed in. In the currency of the prices; where there are several, in the one preferred, else in euro,
/// at today's rates. Of an NSFW figure those who hide them see neither name nor prices until they ask with
/// `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/figures/{id}/prices.svg",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or the slug"), OpenFigure),
    responses((status = 200, description = "The chart", body = String, content_type = "image/svg+xml"), ChartProblems)
)]
async fn chart(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<String>,
    Query(query): Query<OpenFigure>,
) -> Result<Chart, Problem> {
    drawn(&state, &user, &id, query.confirm_nsfw).await
}

/// The chart of a figure's market price, by its id or slug; `confirmed` when they asked for it knowing that it is
/// NSFW.
///
/// # Errors
/// 404 for an unknown figure, 503 when the database is away.
pub async fn drawn(state: &AppState, user: &User, id: &str, confirmed: bool) -> Result<Chart, Problem> {
    let viewer = Viewer { user_id: Some(user.id.uuid()), hides_nsfw: false };
    let figure = queries::find(&state.pool, id, viewer).await?.ok_or(FIGURE_NOT_FOUND)?;
    let hidden = figure.card.is_nsfw && !confirmed && shown::hides_nsfw(user);
    let points = match hidden {
        true => Vec::new(),
        false => prices::history(&state.pool, figure.card.id, None, MOST_POINTS).await?,
    };
    let exchange = Exchange::of(state, user);
    let moves: Vec<(NaiveDate, Decimal, Currency)> = points
        .iter()
        .filter_map(|point| {
            Some((point.recorded_at.date_naive(), point.amount, point.currency.parse().ok()?))
        })
        .collect();
    let first = moves.first().map(|(.., currency)| *currency);
    let single = first.filter(|first| moves.iter().all(|(.., currency)| currency == first));
    let currency = single.unwrap_or_else(|| exchange.chart_currency());
    let mut converted: Vec<(NaiveDate, Decimal)> = moves
        .iter()
        .filter_map(|(day, amount, from)| {
            let amount = match single {
                Some(_) => *amount,
                None => exchange.convert(exchange.eur(*amount, *from)?, currency)?,
            };
            Some((*day, amount))
        })
        .collect();
    // Of several moves on one day the last stands.
    converted.reverse();
    converted.dedup_by_key(|(day, _)| *day);
    converted.reverse();
    let name = if hidden { "this figure" } else { figure.card.name.as_str() };
    let missing = converted.len() < moves.len() && converted.is_empty();
    let said = |(day, amount): &(NaiveDate, Decimal)| {
        format!("{} {currency} on {day}", sum(currency, domain::money::rounded(*amount, currency)).amount)
    };
    let description = match (converted.first(), converted.last()) {
        (Some(first), Some(last)) => {
            format!("From {} to {}, in {} moves.", said(first), said(last), converted.len())
        }
        _ if hidden => "It is NSFW, and you hide such figures.".to_owned(),
        _ if missing => "Its prices cannot be converted for want of rates.".to_owned(),
        _ => "No market price is known yet.".to_owned(),
    };
    Ok(Chart {
        title: format!("Market price of {name}"),
        description,
        panels: vec![Panel::Curve {
            label: "Price".to_owned(),
            unit: Unit::Money(currency),
            points: converted,
            joined: Joined::Steps,
            until: Some(Utc::now().date_naive()),
        }],
    })
}
