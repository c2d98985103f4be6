//! Attempts to sign in or up are limited per address.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use axum::{
    body::Body,
    extract::State,
    http::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{client_address::ClientAddress, limiter::Limiter};
use crate::{
    problem::{Problem, TOO_MANY_ATTEMPTS},
    state::AppState,
};

/// How many attempts an address has at once.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_secs(6);

/// Counts attempts per address; per /64 for IPv6, which is what one household has.
pub struct Attempts(Limiter<IpAddr>);

impl Attempts {
    /// Counts attempts, or lets everything pass when limiting is off.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self(Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_ATTEMPTS))
    }

    /// Takes one attempt of this address.
    ///
    /// # Errors
    /// 429 `too_many_attempts` with `Retry-After` in whole seconds when none is left.
    pub fn take(&self, address: IpAddr) -> Result<(), Problem> {
        self.0.take(&household(address))
    }
}

pub(super) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Middleware: every write of the routes it is put on takes one attempt.
pub async fn limit(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    request: Request<Body>,
    next: Next,
) -> Response {
    if !request.method().is_safe()
        && let Err(problem) = state.attempts.take(address)
    {
        return problem.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_burst_and_another_has_its_own() {
        let attempts = Attempts::new(true);
        let [one, other]: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
        for _ in 0..BURST.get() {
            assert!(attempts.take(one).is_ok());
        }
        assert_eq!(attempts.take(one).unwrap_err().code(), "too_many_attempts");
        assert!(attempts.take(other).is_ok());
    }

    #[test]
    fn an_ipv6_household_is_one_address() {
        let attempts = Attempts::new(true);
        for host in 0..BURST.get() {
            assert!(attempts.take(format!("2001:db8:1:2::{host:x}").parse().unwrap()).is_ok());
        }
        assert!(attempts.take("2001:db8:1:2:ffff::1".parse().unwrap()).is_err());
        assert!(attempts.take("2001:db8:1:3::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn nothing_is_limited_when_limiting_is_off() {
        let attempts = Attempts::new(false);
        assert!((0..1_000).all(|_| attempts.take("192.0.2.1".parse().unwrap()).is_ok()));
    }
}
