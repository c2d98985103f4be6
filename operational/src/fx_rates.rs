//! `fx_days` and `fx_rates`: the euro's rates, day by day. Also how processes tell each other of new ones.

use chrono::{DateTime, NaiveDate, Utc};
use domain::money::Currency;
use domain::money::rates::{CurrencyCode, RateTable, Rates};
use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor, PgPool};
use std::collections::BTreeMap;
use std::time::Duration;

/// The channel on which every change of the rates is told.
pub const CHANNEL: &str = "figure_ledger_fx";
/// The first half of the advisory locks by which processes that keep rates in memory show which version they have.
pub const READERS: i32 = 0x6678_7264;
/// How often it is looked whether they have the newest.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many rates one statement writes.
const CHUNK: usize = 20_000;

/// Where rates came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FxSource {
    /// The European Central Bank's own files.
    Ecb,
    /// A Frankfurter-compatible server.
    Frankfurter,
    /// A file that the operator loaded.
    File,
}

impl FxSource {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ecb => "ecb",
            Self::Frankfurter => "frankfurter",
            Self::File => "file",
        }
    }
}

/// The table of a day and how it came here.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTable {
    /// The rates.
    pub table: RateTable,
    /// `ecb`, `frankfurter` or `file`.
    pub source: String,
    /// When it was fetched or loaded.
    pub loaded_at: DateTime<Utc>,
}

/// What storing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// Days that were not known.
    pub new: usize,
    /// Days of which something else was known.
    pub changed: usize,
    /// Days that were known just so.
    pub unchanged: usize,
}

/// Stores tables, each in the place of what was known of its day, all or nothing, and tells every process of it.
/// Two at once: one after the other. Days that are known just so keep their source and time. `progress` is told
/// how many rates are written and how many there are to write.
///
/// # Errors
/// Whatever the database reports.
pub async fn store(
    pool: &PgPool,
    tables: &[RateTable],
    source: FxSource,
    loaded_at: DateTime<Utc>,
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Stored, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("LOCK TABLE fx_days IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    let days: Vec<NaiveDate> = tables.iter().map(RateTable::date).collect();
    let known = read(&mut tx, &days).await?;
    let mut stored = Stored::default();
    let fresh: Vec<&RateTable> = tables
        .iter()
        .filter(|table| {
            let before = known.get(&table.date());
            match before {
                None => stored.new += 1,
                Some(before) if before == *table => stored.unchanged += 1,
                Some(_) => stored.changed += 1,
            }
            before != Some(table)
        })
        .collect();
    let days: Vec<NaiveDate> = fresh.iter().map(|table| table.date()).collect();
    sqlx::query("DELETE FROM fx_days WHERE day = ANY ($1)").bind(&days).execute(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO fx_days (day, source, loaded_at) SELECT day, $2, $3 FROM unnest($1::date[]) AS day",
    )
    .bind(&days)
    .bind(source.as_str())
    .bind(loaded_at)
    .execute(&mut *tx)
    .await?;
    let quotes: Vec<(NaiveDate, CurrencyCode, Decimal)> = fresh
        .iter()
        .flat_map(|table| table.quotes().map(|(code, rate)| (table.date(), code, rate)))
        .collect();
    let mut done = 0;
    for chunk in quotes.chunks(CHUNK) {
        let days: Vec<NaiveDate> = chunk.iter().map(|(day, ..)| *day).collect();
        let codes: Vec<String> = chunk.iter().map(|(_, code, _)| code.to_string()).collect();
        let rates: Vec<Decimal> = chunk.iter().map(|(.., rate)| *rate).collect();
        sqlx::query(
            "INSERT INTO fx_rates (day, currency, per_euro)
             SELECT * FROM unnest($1::date[], $2::text[], $3::numeric[])",
        )
        .bind(&days)
        .bind(&codes)
        .bind(&rates)
        .execute(&mut *tx)
        .await?;
        done += chunk.len();
        progress(done, quotes.len());
    }
    if !fresh.is_empty() {
        sqlx::query("UPDATE fx_version SET version = version + 1").execute(&mut *tx).await?;
        sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(stored)
}

/// The whole tables of some days.
async fn read(
    db: &mut PgConnection,
    days: &[NaiveDate],
) -> Result<BTreeMap<NaiveDate, RateTable>, sqlx::Error> {
    let rows: Vec<(NaiveDate, String, Decimal)> =
        sqlx::query_as("SELECT day, currency::text, per_euro FROM fx_rates WHERE day = ANY ($1)")
            .bind(days)
            .fetch_all(db)
            .await?;
    Ok(tables(rows))
}

fn tables(rows: Vec<(NaiveDate, String, Decimal)>) -> BTreeMap<NaiveDate, RateTable> {
    let mut quotes: BTreeMap<NaiveDate, Vec<(CurrencyCode, Decimal)>> = BTreeMap::new();
    for (day, code, rate) in rows {
        if let Ok(code) = code.parse() {
            quotes.entry(day).or_default().push((code, rate));
        }
    }
    // What somebody wrote there by hand passes the same checks.
    quotes.into_iter().filter_map(|(day, quotes)| Some((day, RateTable::new(day, quotes).ok()?))).collect()
}

/// Every day's rates of the currencies that amounts are recorded in, and all rates of the newest day.
///
/// # Errors
/// Whatever the database reports.
pub async fn load(db: impl PgExecutor<'_>) -> Result<Rates, sqlx::Error> {
    let codes: Vec<&str> = Currency::ALL.iter().map(|currency| currency.code()).collect();
    let rows: Vec<(NaiveDate, String, Decimal)> = sqlx::query_as(
        "SELECT day, currency::text, per_euro FROM fx_rates
         WHERE currency = ANY ($1) OR day = (SELECT max(day) FROM fx_days)",
    )
    .bind(&codes)
    .fetch_all(db)
    .await?;
    Ok(tables(rows).into_values().collect())
}

/// The version of the rates: it grows with every change.
///
/// # Errors
/// Whatever the database reports.
pub async fn version(db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT version FROM fx_version").fetch_one(db).await
}

/// Shows, for as long as the connection lives, that its process has this version of the rates in memory.
///
/// # Errors
/// Whatever the database reports.
pub async fn show_reading<'c, E>(db: E, before: Option<i64>, version: i64) -> Result<(), sqlx::Error>
where
    E: PgExecutor<'c>,
{
    // Versions are few; the lock's second half is only as wide.
    let half = |version: i64| i32::try_from(version).unwrap_or(i32::MAX);
    sqlx::query(
        "SELECT pg_advisory_lock_shared($1, $2), CASE WHEN $3 THEN pg_advisory_unlock_shared($1, $4) END",
    )
    .bind(READERS)
    .bind(half(version))
    .bind(before.is_some_and(|before| before != version))
    .bind(before.map_or(0, half))
    .execute(db)
    .await?;
    Ok(())
}

/// Waits until no process shows an older version of the rates, but not longer than `at_most`; whether all have
/// the newest then.
///
/// # Errors
/// Whatever the database reports.
pub async fn read_by_all(pool: &PgPool, at_most: Duration) -> Result<bool, sqlx::Error> {
    let looks = at_most.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..=looks {
        let all: bool = sqlx::query_scalar(
            "SELECT NOT EXISTS (
                 SELECT FROM pg_locks, fx_version
                 WHERE locktype = 'advisory' AND granted AND objsubid = 2
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND classid::bigint = $1 AND objid::bigint < version)",
        )
        .bind(i64::from(READERS))
        .fetch_one(pool)
        .await?;
        if all {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

/// The newest table not after a day, and none older than `oldest`.
///
/// # Errors
/// Whatever the database reports.
pub async fn newest(
    pool: &PgPool,
    oldest: NaiveDate,
    not_after: NaiveDate,
) -> Result<Option<StoredTable>, sqlx::Error> {
    let rows: Vec<(NaiveDate, String, DateTime<Utc>, String, Decimal)> = sqlx::query_as(
        "SELECT day, source, loaded_at, currency::text, per_euro FROM fx_days JOIN fx_rates USING (day)
         WHERE day = (SELECT max(day) FROM fx_days WHERE day BETWEEN $1 AND $2)",
    )
    .bind(oldest)
    .bind(not_after)
    .fetch_all(pool)
    .await?;
    let Some((_, source, loaded_at, ..)) = rows.first().cloned() else { return Ok(None) };
    let quotes = rows.into_iter().map(|(day, _, _, code, rate)| (day, code, rate)).collect();
    Ok(tables(quotes).pop_first().map(|(_, table)| StoredTable { table, source, loaded_at }))
}

/// The days from `from` to `to`, both included, whose rates are known, ascending.
///
/// # Errors
/// Whatever the database reports.
pub async fn known_days(
    db: impl PgExecutor<'_>,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<NaiveDate>, sqlx::Error> {
    sqlx::query_scalar("SELECT day FROM fx_days WHERE day BETWEEN $1 AND $2 ORDER BY day")
        .bind(from)
        .bind(to)
        .fetch_all(db)
        .await
}
