//! What anybody may read is read at a measured pace.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{attempts::household, client_address::ClientAddress, limiter::Limiter};
use crate::{problem::TOO_MANY_ATTEMPTS, state::AppState};

/// How many requests an address has at once: a page with a shelf on it asks for each of its series.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_millis(500);

/// Counts requests per address; per /64 for IPv6.
pub struct OpenReads(Limiter<IpAddr>);

impl OpenReads {
    /// Counts requests, or lets everything pass when limiting is off.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self(Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_ATTEMPTS))
    }
}

/// Middleware: every request of the routes it is put on takes one.
pub async fn limit(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    request: Request<Body>,
    next: Next,
) -> Response {
    match state.neighbours.open_reads.0.take(&household(address)) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
