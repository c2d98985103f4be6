//! The whole API as one service: the resources, and what every request passes.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    guard::{correlation, cross_site, keys, security_headers},
    http, identity,
    problem::{self, METHOD_NOT_ALLOWED, NOT_FOUND},
    state::AppState,
};

/// Every resource. A new one is a file under `http/` with `pub fn routes() -> OpenApiRouter<AppState>`,
/// merged here.
fn resources(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(http::docs::description())
        .merge(http::health::routes())
        .merge(http::metrics::routes())
        .merge(http::auth::routes(state))
        .merge(http::auth_reset::routes(state))
        .merge(http::auth_oidc::routes())
        .merge(http::me::routes())
        .merge(http::sessions::routes())
        .merge(http::api_keys::routes())
        .merge(http::identities::routes())
        .merge(http::figure_types::routes())
        .merge(http::currencies::routes())
        .merge(http::fx::routes())
        .merge(http::figures::routes(state))
        .merge(http::figures::prices::routes(state))
        .merge(http::figure_import::routes())
        .merge(http::external::routes())
        .merge(http::entities::routes(state))
        .merge(http::mal_lookup::routes(state))
        .merge(http::owned::routes(state))
        .merge(http::photos::routes(state))
        .merge(http::documents::routes(state))
        .merge(http::locations::routes(state))
        .merge(http::cabinet_share::routes(state))
        .merge(http::wishlist_import::routes())
        .merge(http::wishlist::routes(state))
        .merge(http::gift_list::routes(state))
        .merge(http::preorders::routes(state))
        .merge(http::calendar::routes(state))
        .merge(http::forecast::routes(state))
        .merge(http::cote::routes(state))
        .merge(http::stats::routes(state))
        .merge(http::price_chart::routes(state))
        .merge(http::year_in_review::routes(state))
        .merge(http::scans::routes(state))
        .merge(http::render_worker::routes())
        .merge(http::exports::routes(state))
        .merge(http::restore::routes())
        .merge(http::imports::routes())
        .merge(http::activity::routes(state))
        .merge(http::timeline::routes(state))
        .merge(http::achievements::routes(state))
        .merge(http::profiles::routes(state))
        .merge(http::following::routes(state))
        .merge(http::compare::routes(state))
        .merge(http::manga::routes(state))
        .merge(http::notifications::routes())
        .merge(http::own_deliveries::routes())
        .merge(http::notification_routing::routes())
        .merge(http::notification_channels::routes())
        .merge(http::web_push::routes())
        .merge(http::live::routes())
        .merge(http::admin::users::routes())
        .merge(http::admin::events::routes())
        .merge(http::admin::streams::routes())
        .merge(http::admin::projections::routes())
        .merge(http::admin::policies::routes())
        .merge(http::admin::stats::routes())
        .merge(http::admin::jobs::routes())
        .merge(http::admin::settings::routes())
        .merge(http::admin::manga_servers::routes())
        .merge(http::admin::notifications::routes())
        .merge(http::admin::deliveries::routes())
        .merge(http::admin::renders::routes())
}

/// Puts the routes and the layers together.
///
/// # Errors
/// When the OpenAPI document cannot be written or the session layer cannot be made: both are mistakes in
/// this program.
pub fn build(state: AppState) -> anyhow::Result<Router> {
    let (router, openapi) = resources(&state).split_for_parts();
    guard(router.merge(http::docs::routes(&openapi)?), state)
}

/// Puts what every request passes around some routes.
///
/// # Errors
/// When the session layer cannot be made.
pub fn guard(routes: Router<AppState>, state: AppState) -> anyhow::Result<Router> {
    let sessions = identity::layer(&state).map_err(anyhow::Error::msg)?;
    // Each layer wraps the ones above it: the last is the first a request meets.
    Ok(routes
        .fallback(async || NOT_FOUND)
        .method_not_allowed_fallback(async || METHOD_NOT_ALLOWED)
        .layer(from_fn_with_state(state.clone(), keys::admit))
        .layer(sessions)
        .layer(from_fn_with_state(state.clone(), cross_site::refuse))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(from_fn(problem::reword))
        .layer(from_fn(security_headers::add))
        .layer(from_fn(correlation::follow))
        .with_state(state))
}
