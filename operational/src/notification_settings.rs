//! `notification_settings`: when somebody does not want to be disturbed, and whether they want it all at once.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use domain::ids::UserId;
use sqlx::PgExecutor;
use std::collections::HashMap;
use uuid::Uuid;

/// What somebody chose. Times of day are in their own zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Settings {
    /// From when on nothing is sent; together with `quiet_until`.
    pub quiet_from: Option<NaiveTime>,
    /// From when on it is sent again. Earlier than `quiet_from`: on the next morning.
    pub quiet_until: Option<NaiveTime>,
    /// Everything of a day is sent at once, then.
    pub digest_at: Option<NaiveTime>,
}

/// What somebody chose; nothing by default.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(db: impl PgExecutor<'_>, user_id: UserId) -> sqlx::Result<Settings> {
    let found = sqlx::query_as(
        "SELECT quiet_from, quiet_until, digest_at FROM notification_settings WHERE user_id = $1",
    )
    .bind(user_id.uuid())
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or_default())
}

/// Notes what somebody chose. What waits already keeps its time.
///
/// # Errors
/// Whatever the database reports.
pub async fn set(db: impl PgExecutor<'_>, user_id: UserId, settings: Settings) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO notification_settings (user_id, quiet_from, quiet_until, digest_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id) DO UPDATE SET quiet_from = excluded.quiet_from, \
             quiet_until = excluded.quiet_until, digest_at = excluded.digest_at, updated_at = now()",
    )
    .bind(user_id.uuid())
    .bind(settings.quiet_from)
    .bind(settings.quiet_until)
    .bind(settings.digest_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The time zones of these people; whoever is gone is left out.
///
/// # Errors
/// Whatever the database reports.
pub async fn time_zones(db: impl PgExecutor<'_>, people: &[Uuid]) -> sqlx::Result<HashMap<UserId, Tz>> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as("SELECT id, time_zone FROM users WHERE id = ANY ($1)")
        .bind(people)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|(id, text)| (UserId(id), text.parse().unwrap_or(Tz::UTC))).collect())
}

/// When somebody's quiet hours end, if they are in them at this time.
///
/// # Errors
/// Whatever the database reports.
pub async fn quiet_until(
    db: impl PgExecutor<'_>,
    user_id: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let found: Option<(String, NaiveTime, NaiveTime)> = sqlx::query_as(
        "SELECT u.time_zone, n.quiet_from, n.quiet_until \
         FROM notification_settings AS n JOIN users AS u ON u.id = n.user_id \
         WHERE n.user_id = $1 AND n.quiet_from IS NOT NULL",
    )
    .bind(user_id.uuid())
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(|(zone, from, until)| {
        let settings = Settings { quiet_from: Some(from), quiet_until: Some(until), digest_at: None };
        settings.quiet_end(zone.parse().unwrap_or(Tz::UTC), now)
    }))
}

/// The moment of a time of day. One that the clocks skip is the first after the gap, one they show twice the earlier.
fn moment(zone: Tz, day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let mut local = day.and_time(time);
    // Gaps are whole quarters of an hour and at most a day long: an island may skip one.
    for _ in 0..=96 {
        if let Some(found) = zone.from_local_datetime(&local).earliest() {
            return found.with_timezone(&Utc);
        }
        local += chrono::TimeDelta::minutes(15);
    }
    Utc.from_utc_datetime(&local)
}

/// The first moment from `from` on with this time of day.
fn next(zone: Tz, from: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
    let today = from.with_timezone(&zone).date_naive();
    let days = [today, today + Days::new(1), today + Days::new(2)];
    days.into_iter().map(|day| moment(zone, day, time)).find(|moment| *moment >= from).unwrap_or(from)
}

impl Settings {
    /// When something that comes up at `now` is to be sent: at once, when the quiet hours end, or with the digest. A
    /// digest is never held back: its time was chosen.
    #[must_use]
    pub fn due(&self, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.digest_at {
            Some(at) => next(zone, now, at),
            None => self.quiet_end(zone, now).unwrap_or(now),
        }
    }

    /// When the quiet hours end, if `now` is within them.
    #[must_use]
    pub fn quiet_end(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (from, until) = (self.quiet_from?, self.quiet_until?);
        let time = now.with_timezone(&zone).time();
        let quiet = if from <= until { from <= time && time < until } else { time >= from || time < until };
        quiet.then(|| next(zone, now, until))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn quiet(from: &str, until: &str) -> Settings {
        let time = |text: &str| Some(text.parse().unwrap());
        Settings { quiet_from: time(from), quiet_until: time(until), digest_at: None }
    }

    #[test]
    fn what_comes_up_in_quiet_hours_waits_for_their_end_in_the_persons_own_zone() {
        let (night, paris) = (quiet("22:00:00", "07:30:00"), chrono_tz::Europe::Paris);
        for (now, due) in [
            ("2026-07-01T20:00:00Z", "2026-07-02T05:30:00Z"),
            ("2026-07-01T19:59:59Z", "2026-07-01T19:59:59Z"),
            ("2026-07-02T05:29:59Z", "2026-07-02T05:30:00Z"),
            ("2026-07-02T05:30:00Z", "2026-07-02T05:30:00Z"),
            ("2026-01-01T21:00:00Z", "2026-01-02T06:30:00Z"),
        ] {
            assert_eq!(night.due(paris, at(now)), at(due), "{now}");
        }
        let siesta = quiet("13:00:00", "15:00:00");
        assert_eq!(siesta.due(paris, at("2026-07-01T11:30:00Z")), at("2026-07-01T13:00:00Z"));
        assert_eq!(siesta.due(paris, at("2026-07-01T22:30:00Z")), at("2026-07-01T22:30:00Z"));
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_the_first_after_the_gap() {
        let settings = quiet("01:00:00", "02:30:00");
        let paris = chrono_tz::Europe::Paris;
        assert_eq!(settings.due(paris, at("2026-03-29T00:30:00Z")), at("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_digest_is_due_at_its_time_today_or_tomorrow() {
        let daily = Settings { digest_at: Some("08:00:00".parse().unwrap()), ..Settings::default() };
        let tokyo = chrono_tz::Asia::Tokyo;
        assert_eq!(daily.due(tokyo, at("2026-07-01T22:00:00Z")), at("2026-07-01T23:00:00Z"));
        assert_eq!(daily.due(tokyo, at("2026-07-01T23:00:01Z")), at("2026-07-02T23:00:00Z"));
    }
}
