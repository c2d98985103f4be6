//! The chart of pieces and spend.

use axum::extract::State;
use chrono::{Months, NaiveDate};
use domain::money::rounded;
use projections::statistics;
use rust_decimal::Decimal;

use super::views::months;
use crate::{
    charts::{Chart, Joined, Panel, Unit},
    exchange::{Exchange, sum},
    extract::CurrentUser,
    problem::{self, Problem},
    problems,
    state::AppState,
};

problems!(ChartProblems = problem::SIGNED_IN);

/// The chart of pieces and spend.
///
/// For whoever is signed in. Pieces acquired and money spent up to each month, in the currency one prefers.
#[utoipa::path(
    get,
    path = "/api/me/stats.svg",
    tag = "statistics",
    security(("session" = [])),
    responses((status = 200, description = "The chart", body = String, content_type = "image/svg+xml"), ChartProblems)
)]
pub(super) async fn chart(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Chart, Problem> {
    drawn(&state, &user, &Exchange::of(&state, &user)).await
}

pub(super) async fn drawn(
    state: &AppState,
    user: &operational::users::User,
    exchange: &Exchange,
) -> Result<Chart, Problem> {
    let all = statistics::months(&state.pool, user.id).await?;
    let partial = all.costs.eur(exchange.today()).partial;
    let currency = exchange.chart_currency();
    let months = months(&all.by_month, exchange);
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
