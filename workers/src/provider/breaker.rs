//! Letting a source rest after it failed several times in a row.

use failsafe::backoff::Constant;
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use failsafe::{Config, StateMachine, backoff};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Breaker = StateMachine<ConsecutiveFailures<Constant>, ()>;

/// One circuit breaker for each source, in memory: a server that starts anew asks anew.
pub(crate) struct Breakers {
    failures: u32,
    rest: Duration,
    all: Mutex<HashMap<String, Breaker>>,
}

impl Breakers {
    pub fn new(failures: u32, rest: Duration) -> Self {
        Self { failures, rest, all: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Breaker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, source: &str) -> Breaker {
        let new = || {
            let policy = consecutive_failures(self.failures, backoff::constant(self.rest));
            Config::new().failure_policy(policy).build()
        };
        self.all().entry(source.to_owned()).or_insert_with(new).clone()
    }

    /// Whether it may be asked; after its rest, once to see.
    pub fn permits(&self, source: &str) -> bool {
        self.of(source).is_call_permitted()
    }

    pub fn succeeded(&self, source: &str) {
        self.of(source).on_success();
    }

    pub fn failed(&self, source: &str) {
        self.of(source).on_error();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_failures(breakers: &Breakers, times: u32) -> bool {
        (0..times).for_each(|_| breakers.failed("harbour"));
        breakers.permits("harbour")
    }

    #[test]
    fn a_source_rests_after_five_failures_in_a_row_and_no_other_does() {
        let breakers = Breakers::new(5, Duration::from_secs(300));
        assert!(after_failures(&breakers, 4));
        breakers.succeeded("harbour");
        assert!(after_failures(&breakers, 4));
        assert!(!after_failures(&breakers, 1));
        assert!(breakers.permits("crane"));
    }

    #[test]
    fn after_its_rest_it_is_asked_again_and_one_more_failure_sends_it_back() {
        let breakers = Breakers::new(5, Duration::ZERO);
        assert!(after_failures(&breakers, 5), "a rest of no time is over at once");
        let breakers = Breakers::new(1, Duration::from_secs(300));
        assert!(!after_failures(&breakers, 1));
    }
}
