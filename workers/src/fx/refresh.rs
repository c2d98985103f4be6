//! Fetching today's rates when those at hand are too old, and the days that were missed.

use super::fetch::{FetchError, FxSettings, Said, Source};
use super::handle::Fx;
use super::quotes::{RefusedDay, checked};
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use domain::money::rates::RateTable;
use operational::external_lookups;
use operational::fx_rates;
use serde::{Deserialize, Serialize};

/// How long a fetched table holds before a newer one is asked for.
pub const HOLDS_FOR: TimeDelta = TimeDelta::hours(12);
/// Under which answers are kept.
const PROVIDER: &str = "fx";
const LATEST: &str = "latest";
const RECENT: &str = "90d";
/// How far back missed days are looked for.
const RECENT_DAYS: u64 = 88;

/// Whether to ask when what is at hand still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Only when it is older than [`HOLDS_FOR`].
    WhenDue,
    /// In any case.
    Now,
}

/// What a refresh came to, as a job's result tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Refreshed {
    /// Fetching is turned off.
    Off,
    /// The table at hand still holds.
    Holds {
        /// Its day.
        date: NaiveDate,
        /// When it was fetched.
        fetched_at: DateTime<Utc>,
    },
    /// A table was fetched.
    Fetched {
        /// Its day.
        date: NaiveDate,
        /// `ecb` or `frankfurter`.
        source: &'static str,
        /// How many days were not known before.
        new_days: usize,
        /// Of how many days something else was known before.
        changed_days: usize,
        /// What was not taken, and why; also why missed days could not be fetched.
        refused: Vec<String>,
    },
}

/// Why there are no newer rates. Those at hand are used on.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The source gave none.
    #[error("no rates were fetched: {0}")]
    Fetch(#[from] FetchError),
    /// The source's rates cannot be right.
    #[error("the fetched rates were refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<RefusedDay>),
    /// The database's own trouble.
    #[error("the rates could not be stored: {0}")]
    Database(#[from] sqlx::Error),
}

/// What is kept of the newest answer.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    base_url: String,
    source: String,
    #[serde(flatten)]
    table: RateTable,
}

/// What is kept of the answer with the days before.
#[derive(Debug, Serialize, Deserialize)]
struct Recent {
    base_url: String,
    newest: NaiveDate,
}

/// Fetches today's rates, and with them the days of the last 90 that were missed. What is fetched is checked,
/// stored for good, and in use when this returns; other processes have it milliseconds later. One process at a
/// time is the caller's to see to; two do no harm.
///
/// # Errors
/// [`RefreshError`]; nothing of the newest day is stored then.
pub async fn refresh(
    fx: &Fx,
    settings: &FxSettings,
    now: DateTime<Utc>,
    urgency: Urgency,
) -> Result<Refreshed, RefreshError> {
    if !settings.enabled {
        return Ok(Refreshed::Off);
    }
    let base_url = settings.base_url.clone();
    let kept = external_lookups::get::<Latest>(fx.pool(), PROVIDER, LATEST).await?;
    if let Some(kept) = kept.filter(|kept| kept.payload.base_url == base_url && kept.holds(now, HOLDS_FOR))
        && urgency == Urgency::WhenDue
    {
        return Ok(Refreshed::Holds { date: kept.payload.table.date(), fetched_at: kept.fetched_at });
    }
    let source = Source::new(settings)?;
    let said = source.latest().await?;
    let read = checked(&said.days, now.date_naive());
    let Some(table) = read.tables.last().cloned().filter(|_| read.refused.is_empty()) else {
        return Err(RefreshError::Refused(read.refused));
    };
    let known = fx.rates();
    let before = known.before(table.date());
    let table = match before {
        Some(before) => table.beside(before).map_err(|error| {
            RefreshError::Refused(vec![RefusedDay { line: None, reason: error.to_string() }])
        })?,
        None => table,
    };
    let (mut tables, mut refused) = (Vec::new(), Vec::new());
    match missed(fx, &source, &said, &table, &base_url, now).await? {
        Ok((recent, bad)) => {
            tables = recent;
            refused = bad;
        }
        Err(reason) => refused.push(reason),
    }
    tables.push(table.clone());
    let kept = Latest { base_url, source: said.source.as_str().to_owned(), table: table.clone() };
    let stored = fx_rates::store(fx.pool(), &tables, said.source, now, &|_, _| ()).await?;
    external_lookups::put(fx.pool(), PROVIDER, LATEST, &kept, now).await?;
    fx.reload().await?;
    for reason in &refused {
        tracing::warn!(reason, "some rates were not taken");
    }
    Ok(Refreshed::Fetched {
        date: table.date(),
        source: said.source.as_str(),
        new_days: stored.new,
        changed_days: stored.changed,
        refused,
    })
}

type Missed = Result<(Vec<RateTable>, Vec<String>), String>;

/// The days before the newest that are not known, if there may be any; a sentence when they cannot be had.
async fn missed(
    fx: &Fx,
    source: &Source,
    said: &Said,
    newest: &RateTable,
    base_url: &str,
    now: DateTime<Utc>,
) -> Result<Missed, sqlx::Error> {
    let pool = fx.pool();
    let until = newest.date();
    let earliest = until.checked_sub_days(Days::new(RECENT_DAYS)).unwrap_or(until);
    let asked = external_lookups::get::<Recent>(pool, PROVIDER, RECENT).await?;
    // What was still missing after asking is a bank holiday.
    let from = asked
        .filter(|asked| asked.payload.base_url == base_url)
        .map_or(earliest, |asked| asked.payload.newest.max(earliest));
    let known = fx_rates::known_days(pool, from, until).await?;
    let is_missed = |day: &NaiveDate| is_working_day(*day) && *day < until && !known.contains(day);
    if !from.iter_days().take_while(|day| *day < until).any(|day| is_missed(&day)) {
        return Ok(Ok((Vec::new(), Vec::new())));
    }
    let days = match source.recent(said, earliest).await {
        Ok(days) => days,
        Err(error) => return Ok(Err(format!("the days before could not be fetched: {error}"))),
    };
    let mut read = checked(&days, now.date_naive());
    let known = fx_rates::known_days(pool, earliest, until).await?;
    read.tables.retain(|table| table.date() < until && !known.contains(&table.date()));
    let kept = Recent { base_url: base_url.to_owned(), newest: until };
    external_lookups::put(pool, PROVIDER, RECENT, &kept, now).await?;
    Ok(Ok((read.tables, read.refused.iter().map(ToString::to_string).collect())))
}

fn is_working_day(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}
