//! When something is to happen: five fields (minute, hour, day, month, day of the week), in UTC.

use chrono::{DateTime, SubsecRound, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use std::str::FromStr;

/// A schedule of five fields. Where both the day and the day of the week are restricted, either will do, as cron
/// has it.
#[derive(Debug, Clone)]
pub struct CronExpression {
    text: String,
    cron: Cron,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCron {
    /// More or fewer than five fields.
    #[error(
        "a schedule has five fields, such as `0 4 * * *` for every day at 04:00 UTC; this has {0}. \
         There is no field for seconds"
    )]
    Fields(usize),
    /// A field makes no sense.
    #[error("this is no schedule: {0}; `0 4 * * *` is every day at 04:00 UTC")]
    Wrong(String),
    /// No date fits.
    #[error("no day fits this schedule, so it would never come")]
    Never,
}

impl FromStr for CronExpression {
    type Err = NoCron;

    fn from_str(text: &str) -> Result<Self, NoCron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(NoCron::Fields(fields.len()));
        }
        let text = fields.join(" ");
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&text)
            .map_err(|error| NoCron::Wrong(error.to_string()))?;
        cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false).map_err(|_none| NoCron::Never)?;
        Ok(Self { text, cron })
    }
}

impl CronExpression {
    /// The five fields, one blank between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The next time after this one.
    #[must_use]
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&time.trunc_subsecs(0), false).ok()
    }

    /// The last time after the first of these and up to the second.
    #[must_use]
    pub fn last_within(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let last = self.cron.find_previous_occurrence(&until.trunc_subsecs(0), true).ok()?;
        (last > after).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }
    fn cron(text: &str) -> CronExpression {
        text.parse().unwrap()
    }

    #[test]
    fn what_fires_every_second_or_never_or_makes_no_sense_is_no_schedule() {
        assert_eq!("* * * * * *".parse::<CronExpression>().unwrap_err(), NoCron::Fields(6));
        assert_eq!("@hourly".parse::<CronExpression>().unwrap_err(), NoCron::Fields(1));
        assert_eq!("".parse::<CronExpression>().unwrap_err(), NoCron::Fields(0));
        assert_eq!("0 4 30 2 *".parse::<CronExpression>().unwrap_err(), NoCron::Never);
        for wrong in ["60 * * * *", "* 24 * * *", "a b c d e", "*/0 * * * *", "0 4 * * 9"] {
            let error = wrong.parse::<CronExpression>();
            assert!(matches!(error, Err(NoCron::Wrong(_))), "{wrong}: {error:?}");
        }
    }

    #[test]
    fn times_are_utc_and_follow_each_other() {
        let daily = cron("  30 4  * * * ");
        assert_eq!(daily.as_str(), "30 4 * * *");
        assert_eq!(daily.next_after(time("2026-11-02T04:30:00Z")), Some(time("2026-11-03T04:30:00Z")));
        assert_eq!(daily.next_after(time("2026-11-02T04:29:59.5Z")), Some(time("2026-11-02T04:30:00Z")));
        let within = |after, until| daily.last_within(time(after), time(until));
        assert_eq!(
            within("2026-11-02T04:29:00Z", "2026-11-02T04:30:00Z"),
            Some(time("2026-11-02T04:30:00Z"))
        );
        assert_eq!(within("2026-11-02T04:30:00Z", "2026-11-02T04:31:00Z"), None);
        let at = Some(time("2026-11-02T04:30:00Z"));
        assert_eq!(
            within("2026-11-02T04:29:59.9Z", "2026-11-02T04:30:00.4Z"),
            at,
            "no part of a second stays"
        );
        assert_eq!(
            within("2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z"),
            Some(time("2026-11-03T04:30:00Z"))
        );
    }

    #[test]
    fn a_day_or_a_day_of_the_week_will_do() {
        // The 1st was a Sunday.
        let either = cron("0 0 1 * 1");
        assert_eq!(either.next_after(time("2026-10-30T00:00:00Z")), Some(time("2026-11-01T00:00:00Z")));
        assert_eq!(either.next_after(time("2026-11-01T00:00:00Z")), Some(time("2026-11-02T00:00:00Z")));
    }
}
