//! `/api/me/stats`: what one's collection comes to when it is counted.

mod chart;
mod insights;
mod views;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use projections::statistics::{self, Whole};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::shown::hides_nsfw;
use crate::{
    charts,
    exchange::{Exchange, Explanation},
    extract::{CurrentUser, Query},
    guard::fresh,
    problem::{self, INVALID_FIELD, MALFORMED_QUERY, Problem, UNKNOWN_PARAMETER},
    problems,
    state::AppState,
};
use views::StatsView;

/// The read models that statistics are answered from.
pub(super) const READS: &[&str] = &["collection", "preorders", "figures", "entities", "prices", "cote"];
/// What a route that takes `explain` may refuse because of its query.
pub(super) const QUERY: &[problem::Kind] = &[MALFORMED_QUERY, INVALID_FIELD, UNKNOWN_PARAMETER];

problems!(StatsProblems = problem::SIGNED_IN, QUERY);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(stats))
        .routes(routes!(chart::chart))
        .routes(routes!(insights::insights))
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

/// Reads a switch of a query: `1` or `0`.
pub(super) fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(serde::de::Error::custom("explain is 1 or 0")),
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
        return Ok(chart::drawn(&state, &user, &exchange).await?.into_response());
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
