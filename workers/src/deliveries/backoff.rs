//! How long to wait before trying again.

use std::time::Duration;

/// How often something is tried before an admin has to look at it: within about two hours and a half.
pub const MOST_TRIES: u32 = 10;
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How long to rest after the try of this number, from 1: ten seconds, then twice as long each time, up to an hour; a
/// little more or less of it, `spread` of 0 to 255 says how much, so that what failed together does not come back
/// together. Never shorter than the other side asked for, within a day.
#[must_use]
pub fn rest(tries: u32, asked: Option<Duration>, spread: u8) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32 << tries.saturating_sub(1).min(16)).min(LONGEST);
    // Between three quarters and five quarters.
    let rest = doubled.saturating_mul(384 + u32::from(spread)) / 512;
    let day = Duration::from_secs(24 * 60 * 60);
    asked.map_or(rest, |asked| rest.max(asked.min(day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_an_hour_and_are_spread_by_a_quarter() {
        let seconds = |tries, spread| rest(tries, None, spread).as_secs_f64();
        for (tries, plain) in [(1, 10.0), (2, 20.0), (3, 40.0), (9, 2560.0), (10, 3600.0), (200, 3600.0)] {
            assert!((seconds(tries, 0) - plain * 0.75).abs() < 0.01, "{tries}");
            assert!((seconds(tries, 255) - plain * 1.248).abs() < plain * 0.001, "{tries}");
        }
    }

    #[test]
    fn the_other_side_may_ask_for_longer_but_not_for_ever() {
        let minute = Duration::from_secs(60);
        assert_eq!(rest(1, Some(minute), 0), minute);
        assert!(rest(8, Some(minute), 0) > minute);
        assert_eq!(rest(1, Some(Duration::MAX), 0), Duration::from_secs(86_400));
    }
}
