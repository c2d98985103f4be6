//! What holds for everything behind a link that somebody shared: guessing is slow, nothing is kept, nobody's search
//! engine lists it.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Request, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{attempts::household, client_address::ClientAddress, limiter::Limiter, noindex};
use crate::{problem::TOO_MANY_ATTEMPTS, state::AppState};

/// How many requests an address has at once.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_secs(1);

/// Counts requests by links, per address; per /64 for IPv6.
pub struct LinkUses(Limiter<IpAddr>);

impl LinkUses {
    /// Counts requests, or lets everything pass when limiting is off.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self(Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_ATTEMPTS))
    }
}

/// Middleware for routes with a link's token in their address. Requests are counted whether the token is good or
/// not: else the limit would not slow those who guess, only tell them.
pub async fn guard(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    request: Request<Body>,
    next: Next,
) -> Response {
    let mut response = match state.link_uses.0.take(&household(address)) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    noindex::mark(&mut response);
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
