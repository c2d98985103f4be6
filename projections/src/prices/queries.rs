//! Reading the market.

use crate::views::EntityRef;
use chrono::{DateTime, NaiveDate, Utc};
use domain::figure::Stock;
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Row};
use std::collections::HashMap;
use uuid::Uuid;

/// What a store asked before that was converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The amount.
    pub amount: Decimal,
    /// An ISO 4217 code, of any currency.
    pub currency: String,
    /// How much of the price's currency one unit was worth.
    pub rate: Decimal,
    /// The day of that rate.
    pub rate_date: NaiveDate,
}

impl Original {
    fn read(row: &PgRow) -> sqlx::Result<Option<Self>> {
        let amount: Option<Decimal> = row.try_get("original_amount")?;
        let Some(amount) = amount else { return Ok(None) };
        Ok(Some(Self {
            amount,
            currency: row.try_get("original_currency")?,
            rate: row.try_get("original_rate")?,
            rate_date: row.try_get("original_rate_date")?,
        }))
    }
}

/// The market price that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The amount.
    pub amount: Decimal,
    /// A supported currency.
    pub currency: String,
    /// What the provider calls the store.
    pub source: String,
    /// The store.
    pub store: Option<EntityRef>,
    /// The figure's page there.
    pub url: String,
    /// The version it is for, as the store labels it.
    pub matched_version: Option<String>,
    /// What the store asked, when that was converted.
    pub original: Option<Original>,
    /// When it was first seen.
    pub fetched_at: DateTime<Utc>,
    /// When it was last seen.
    pub confirmed_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Latest {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            source: row.try_get("source")?,
            store: store(row)?,
            url: row.try_get("url")?,
            matched_version: row.try_get("matched_version")?,
            original: Original::read(row)?,
            fetched_at: row.try_get("fetched_at")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    }
}

fn store(row: &PgRow) -> sqlx::Result<Option<EntityRef>> {
    let name: Option<String> = row.try_get("store_name")?;
    let Some(name) = name else { return Ok(None) };
    Ok(Some(EntityRef { id: row.try_get("store_id")?, name, slug: row.try_get("store_slug")? }))
}

/// A point at which the price moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The amount from here on.
    pub amount: Decimal,
    /// A supported currency.
    pub currency: String,
    /// What the provider calls the store.
    pub source: String,
    /// The version it is for, as the store labels it.
    pub matched_version: Option<String>,
    /// What the store asked, when that was converted.
    pub original: Option<Original>,
    /// When it was first seen.
    pub recorded_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Point {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            source: row.try_get("source")?,
            matched_version: row.try_get("matched_version")?,
            original: Original::read(row)?,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}

/// A store that sells a figure, and what it last said of its stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStock {
    /// The store.
    pub store_id: Uuid,
    /// Its name and slug now; absent while the read model of entities does not have it yet.
    pub store: Option<EntityRef>,
    /// The figure's page there.
    pub url: String,
    /// What it last said.
    pub said: Stock,
    /// Since when it says so.
    pub since: DateTime<Utc>,
    /// When it last said so.
    pub confirmed_at: DateTime<Utc>,
}

impl StoreStock {
    /// What counts as known at a time; `None` when it was last said too long before.
    #[must_use]
    pub fn known(&self, at: DateTime<Utc>) -> Option<Stock> {
        self.said.known(self.confirmed_at, at)
    }
}

impl FromRow<'_, PgRow> for StoreStock {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let said: String = row.try_get("stock")?;
        let said = said.parse().map_err(|()| sqlx::Error::Decode(format!("no stock: {said:?}").into()))?;
        Ok(Self {
            store_id: row.try_get("store_id")?,
            store: store(row)?,
            url: row.try_get("url")?,
            said,
            since: row.try_get("seen_at")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    }
}

/// The market price that stands for a figure; none when no store ever named one.
///
/// # Errors
/// Whatever the database reports.
pub async fn latest(pool: &PgPool, figure: Uuid) -> sqlx::Result<Option<Latest>> {
    sqlx::query_as(
        "SELECT p.amount, p.currency, p.source, p.url, p.matched_version, p.fetched_at, \
                p.original_amount, p.original_currency, p.original_rate, p.original_rate_date, \
                greatest(p.fetched_at, c.confirmed_at) AS confirmed_at, \
                s.id AS store_id, s.name AS store_name, s.slug AS store_slug \
         FROM figure_provider_prices AS p \
         LEFT JOIN price_checks AS c ON c.figure_id = p.figure_id \
         LEFT JOIN stores AS s ON s.id = p.store_id \
         WHERE p.figure_id = $1",
    )
    .bind(figure)
    .fetch_optional(pool)
    .await
}

/// The market prices that stand for some figures, by figure: amount and currency.
///
/// # Errors
/// Whatever the database reports.
pub async fn standing(pool: &PgPool, figures: &[Uuid]) -> sqlx::Result<HashMap<Uuid, (Decimal, String)>> {
    let rows: Vec<(Uuid, Decimal, String)> = sqlx::query_as(
        "SELECT figure_id, amount, currency FROM figure_provider_prices WHERE figure_id = ANY ($1)",
    )
    .bind(figures)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(figure, amount, currency)| (figure, (amount, currency))).collect())
}

/// The newest points of a figure's history since a time, oldest first; at most so many.
///
/// # Errors
/// Whatever the database reports.
pub async fn history(
    pool: &PgPool,
    figure: Uuid,
    since: Option<DateTime<Utc>>,
    most: u32,
) -> sqlx::Result<Vec<Point>> {
    let mut points: Vec<Point> = sqlx::query_as(
        "SELECT amount, currency, source, matched_version, recorded_at, \
                original_amount, original_currency, original_rate, original_rate_date \
         FROM figure_price_history \
         WHERE figure_id = $1 AND recorded_at >= coalesce($2, '-infinity'::timestamptz) \
         ORDER BY recorded_at DESC, id DESC LIMIT $3",
    )
    .bind(figure)
    .bind(since)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?;
    points.reverse();
    Ok(points)
}

/// What the stores said of their stock of a figure, by store.
///
/// # Errors
/// Whatever the database reports.
pub async fn stock(pool: &PgPool, figure: Uuid) -> sqlx::Result<Vec<StoreStock>> {
    sqlx::query_as(
        "SELECT k.store_id, k.url, k.stock, k.seen_at, greatest(k.seen_at, c.confirmed_at) AS confirmed_at, \
                s.name AS store_name, s.slug AS store_slug \
         FROM figure_store_stock AS k \
         LEFT JOIN stock_checks AS c ON c.figure_id = k.figure_id AND c.store_id = k.store_id \
         LEFT JOIN stores AS s ON s.id = k.store_id \
         WHERE k.figure_id = $1 ORDER BY k.store_id",
    )
    .bind(figure)
    .fetch_all(pool)
    .await
}

/// Every figure with a buy link: first those that were never asked for, then those not asked for longest.
///
/// # Errors
/// Whatever the database reports.
pub async fn due(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT f.figure_id FROM (SELECT DISTINCT figure_id FROM figure_links) AS f \
         LEFT JOIN price_checks AS c USING (figure_id) \
         ORDER BY c.checked_at NULLS FIRST, f.figure_id",
    )
    .fetch_all(pool)
    .await
}

/// A buy link of a figure, with what the sweep needs to know of its store.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SoldAt {
    /// The store.
    pub store_id: Uuid,
    /// Its name now.
    pub store_name: String,
    /// Its slug now.
    pub store_slug: String,
    /// Path or address of the figure's page there.
    pub path: String,
    /// When what the store last said of its stock was last confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// What the sweep needs to know of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sold {
    /// What tells it from others of the same name.
    pub version_name: Option<String>,
    /// The currency of its list price.
    pub msrp_currency: Option<String>,
    /// Its buy links, in their order.
    pub at: Vec<SoldAt>,
}

/// Where a figure is sold; `None` when it is not in the catalogue any more.
///
/// # Errors
/// Whatever the database reports.
pub async fn sold(pool: &PgPool, figure: Uuid) -> sqlx::Result<Option<Sold>> {
    let about: Option<(Option<String>, Option<String>)> =
        sqlx::query_as("SELECT version_name, msrp_currency FROM figures WHERE id = $1")
            .bind(figure)
            .fetch_optional(pool)
            .await?;
    let Some((version_name, msrp_currency)) = about else { return Ok(None) };
    let at = sqlx::query_as(
        "SELECT l.store_id, s.name AS store_name, s.slug AS store_slug, l.path, c.confirmed_at \
         FROM figure_links AS l JOIN stores AS s ON s.id = l.store_id \
         LEFT JOIN stock_checks AS c ON c.figure_id = l.figure_id AND c.store_id = l.store_id \
         WHERE l.figure_id = $1 ORDER BY l.position",
    )
    .bind(figure)
    .fetch_all(pool)
    .await?;
    Ok(Some(Sold { version_name, msrp_currency, at }))
}
