//! So many requests in a row, then so many a while.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::http::{HeaderValue, header};
use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, QuantaInstant},
};

use crate::problem::{Kind, Problem};

/// Those who have all of theirs back are forgotten each time this many were taken.
const FORGET_EVERY: u32 = 1_024;

/// Counts requests per key of some kind: an address, an API key.
pub struct Limiter<K: Hash + Eq + Clone> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    clock: DefaultClock,
    taken: AtomicU32,
    burst: NonZeroU32,
    refusal: Kind,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Lets `burst` pass at once, and one more each time a period is over; or everything, when it is off. Whoever
    /// wants more is refused so.
    #[must_use]
    pub fn new(enabled: bool, burst: NonZeroU32, period: Duration, refusal: Kind) -> Self {
        let quota = || Some(Quota::with_period(period)?.allow_burst(burst));
        let limiter = if enabled { quota().map(RateLimiter::keyed) } else { None };
        Self { limiter, clock: DefaultClock::default(), taken: AtomicU32::new(0), burst, refusal }
    }

    /// Takes one of this key's.
    ///
    /// # Errors
    /// 429 with `Retry-After` in whole seconds when none is left.
    pub fn take(&self, key: &K) -> Result<(), Problem> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.taken.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|not_until| self.refused(&not_until))
    }

    /// Takes several of this key's, or none of them. More than pass at once are as many as pass at once.
    ///
    /// # Errors
    /// 429 with `Retry-After` in whole seconds when not so many are left.
    pub fn take_many(&self, key: &K, wanted: usize) -> Result<(), Problem> {
        let (Some(limiter), Some(wanted)) =
            (&self.limiter, u32::try_from(wanted).ok().and_then(NonZeroU32::new))
        else {
            return Ok(());
        };
        match limiter.check_key_n(key, wanted.min(self.burst)) {
            Ok(Err(not_until)) => Err(self.refused(&not_until)),
            _ => Ok(()),
        }
    }

    fn refused(&self, not_until: &NotUntil<QuantaInstant>) -> Problem {
        let wait = not_until.wait_time_from(self.clock.now());
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        Problem::from(self.refusal).header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }
}
