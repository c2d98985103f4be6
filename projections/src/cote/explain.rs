//! The pieces that a sum of worth is made of.

use super::COUNTED;
use super::worth::Tier;
use chrono::NaiveDate;
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// What one piece is worth and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The piece.
    pub piece_id: Uuid,
    /// What it is called; none where the viewer hides it, and while the catalogue has yet to hear of it.
    pub figure_name: Option<String>,
    /// Whether it is not safe for work.
    pub is_nsfw: bool,
    /// What backs its worth, and that.
    pub value: Option<(Tier, Currency, Decimal)>,
    /// What it cost; none where nobody says. A gift without a price cost nothing, in no currency.
    pub price: Option<(Decimal, Option<Currency>)>,
    /// EUR for one unit of the price's currency, frozen; none means today's.
    pub rate: Option<Decimal>,
    /// The day it was bought, where that is stated.
    pub purchase_date: Option<NaiveDate>,
    /// The day it was added.
    pub added_on: NaiveDate,
}

#[derive(sqlx::FromRow)]
struct Row {
    piece_id: Uuid,
    figure_name: Option<String>,
    is_nsfw: bool,
    tier: Option<String>,
    value: Option<Decimal>,
    currency: Option<String>,
    price: Option<Decimal>,
    price_currency: Option<String>,
    rate: Option<Decimal>,
    purchase_date: Option<NaiveDate>,
    added_on: NaiveDate,
}

/// Every piece of a person that counts, with or without a worth, in the order of their ids.
///
/// # Errors
/// When the database does not answer.
pub async fn parts(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Vec<Part>> {
    let sql = format!(
        "WITH {COUNTED} SELECT c.piece_id, CASE WHEN NOT ($2 AND c.is_nsfw) THEN f.name END AS figure_name, \
             coalesce(c.is_nsfw, false) AS is_nsfw, \
             c.tier, c.value, c.currency, c.price, c.price_currency, c.rate, c.purchase_date, c.added_on \
         FROM counted AS c LEFT JOIN figures AS f ON f.id = c.figure_id ORDER BY c.piece_id"
    );
    let rows: Vec<Row> = sqlx::query_as(&sql).bind(user.uuid()).bind(hide_nsfw).fetch_all(pool).await?;
    let read = |row: Row| {
        let value =
            || Some((Tier::of(row.tier.as_deref()?)?, row.currency.as_deref()?.parse().ok()?, row.value?));
        Part {
            piece_id: row.piece_id,
            value: value(),
            price: row
                .price
                .map(|price| (price, row.price_currency.as_deref().and_then(|code| code.parse().ok()))),
            figure_name: row.figure_name,
            is_nsfw: row.is_nsfw,
            rate: row.rate,
            purchase_date: row.purchase_date,
            added_on: row.added_on,
        }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// What one piece brought and had cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoldPart {
    /// The day of the sale; that of the archiving where none was stated.
    pub on: NaiveDate,
    /// What it brought.
    pub brought: (Currency, Decimal),
    /// The piece: its own worth is none.
    pub part: Part,
}

#[derive(sqlx::FromRow)]
struct SoldRow {
    day: NaiveDate,
    sold_amount: Decimal,
    sold_currency: String,
    piece_id: Uuid,
    figure_name: Option<String>,
    is_nsfw: bool,
    price: Option<Decimal>,
    price_currency: Option<String>,
    rate: Option<Decimal>,
    purchase_date: Option<NaiveDate>,
    added_on: NaiveDate,
}

/// Every piece that a person sold for a stated price, in the order of the sales.
///
/// # Errors
/// When the database does not answer.
pub async fn sold_parts(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Vec<SoldPart>> {
    let rows: Vec<SoldRow> = sqlx::query_as(
        "SELECT coalesce(p.sold_on, p.archived_on) AS day, p.sold_amount, p.sold_currency, p.piece_id, \
             CASE WHEN NOT ($2 AND f.is_nsfw) THEN f.name END AS figure_name, \
             coalesce(f.is_nsfw, false) AS is_nsfw, \
             CASE WHEN p.price_amount IS NULL AND p.is_gift THEN 0 ELSE p.price_amount END AS price, \
             CASE WHEN p.price_amount IS NOT NULL THEN p.price_currency END AS price_currency, \
             CASE WHEN p.price_amount IS NULL THEN NULL WHEN p.price_currency = 'EUR' THEN 1 \
                 ELSE p.price_fx_rate END AS rate, \
             p.purchase_date, p.added_on \
         FROM cote_pieces AS p LEFT JOIN figures AS f ON f.id = p.figure_id \
         WHERE p.user_id = $1 AND p.archived_on IS NOT NULL AND p.sold_amount IS NOT NULL \
         ORDER BY coalesce(p.sold_on, p.archived_on), p.piece_id",
    )
    .bind(user.uuid())
    .bind(hide_nsfw)
    .fetch_all(pool)
    .await?;
    let read = |row: SoldRow| {
        Some(SoldPart {
            on: row.day,
            brought: (row.sold_currency.parse().ok()?, row.sold_amount),
            part: Part {
                piece_id: row.piece_id,
                figure_name: row.figure_name,
                is_nsfw: row.is_nsfw,
                value: None,
                price: row
                    .price
                    .map(|price| (price, row.price_currency.as_deref().and_then(|code| code.parse().ok()))),
                rate: row.rate,
                purchase_date: row.purchase_date,
                added_on: row.added_on,
            },
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
