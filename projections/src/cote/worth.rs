//! What a collection is worth now, in sums that can be converted one by one.

use super::COUNTED;
use crate::statistics::fitting;
use chrono::NaiveDate;
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;

/// What backs the worth of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Its owner's valuation.
    Manual,
    /// The market price.
    Market,
    /// The list price.
    Msrp,
}

impl Tier {
    /// Every one of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Manual, Self::Market, Self::Msrp];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Market => "market",
            Self::Msrp => "msrp",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == word)
    }
}

/// What the pieces of a group cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Nobody says.
    Unknown,
    /// Nothing: gifts without a price.
    Nothing,
    /// So much, at the rates that were frozen.
    Frozen {
        /// Of the prices.
        currency: Currency,
        /// Their sum.
        amount: Decimal,
        /// The same in euro, not rounded.
        eur: Decimal,
    },
    /// So much, at whatever the rate is today.
    Open {
        /// Of the prices.
        currency: Currency,
        /// Their sum.
        amount: Decimal,
    },
}

/// The pieces whose worth stands in one currency, by one tier, and whose costs can be converted in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// What backs the worth, and what it comes to; none for pieces without any.
    pub value: Option<(Tier, Currency, Decimal)>,
    /// What they cost.
    pub cost: Cost,
    /// How many pieces.
    pub pieces: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    tier: Option<String>,
    currency: Option<String>,
    price_currency: Option<String>,
    is_priced: bool,
    is_frozen: bool,
    pieces: i64,
    value: Option<Decimal>,
    price: Option<Decimal>,
    eur: Option<Decimal>,
}

/// The pieces of a person that count, in groups, in no order; `without_nsfw` leaves out every piece that is not known to be safe for
/// work.
///
/// # Errors
/// When the database does not answer.
pub async fn worth(pool: &PgPool, user: UserId, without_nsfw: bool) -> sqlx::Result<Vec<Group>> {
    let eur = fitting("sum(price * rate)");
    let sql = format!(
        "WITH {COUNTED} SELECT tier, currency, price_currency, price IS NOT NULL AS is_priced, \
             rate IS NOT NULL AS is_frozen, count(*) AS pieces, sum(value) AS value, sum(price) AS price, \
             {eur} AS eur \
         FROM counted WHERE NOT ($2 AND is_nsfw IS NOT FALSE) \
         GROUP BY tier, currency, price_currency, price IS NOT NULL, rate IS NOT NULL"
    );
    let rows: Vec<Row> = sqlx::query_as(&sql).bind(user.uuid()).bind(without_nsfw).fetch_all(pool).await?;
    Ok(rows.into_iter().map(Group::of).collect())
}

impl Group {
    fn of(row: Row) -> Self {
        let value =
            || Some((Tier::of(row.tier.as_deref()?)?, row.currency.as_deref()?.parse().ok()?, row.value?));
        let currency = row.price_currency.as_deref().and_then(|code| code.parse().ok());
        let amount = row.price.unwrap_or_default();
        let cost = match (row.is_priced, currency) {
            (false, _) => Cost::Unknown,
            (true, None) => Cost::Nothing,
            (true, Some(currency)) if row.is_frozen => {
                Cost::Frozen { currency, amount, eur: row.eur.unwrap_or_default() }
            }
            (true, Some(currency)) => Cost::Open { currency, amount },
        };
        Self { value: value(), cost, pieces: row.pieces }
    }
}

/// What was sold on one day for one currency, having cost another, or the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sold {
    /// The day of the sale; that of the archiving where none was stated.
    pub on: NaiveDate,
    /// What it brought.
    pub brought: (Currency, Decimal),
    /// What it had cost.
    pub cost: Cost,
    /// How many pieces.
    pub pieces: i64,
}

#[derive(sqlx::FromRow)]
struct SoldRow {
    day: NaiveDate,
    sold_currency: String,
    price_currency: Option<String>,
    is_priced: bool,
    is_frozen: bool,
    pieces: i64,
    sold: Decimal,
    price: Option<Decimal>,
    eur: Option<Decimal>,
}

/// The pieces that a person sold for a stated price, in groups.
///
/// # Errors
/// When the database does not answer.
pub async fn sold(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<Sold>> {
    let eur = fitting("sum(price * rate)");
    let sql = format!(
        "WITH gone AS (SELECT coalesce(sold_on, archived_on) AS day, sold_amount, sold_currency, \
             CASE WHEN price_amount IS NOT NULL THEN price_currency END AS price_currency, \
             CASE WHEN price_amount IS NULL AND is_gift THEN 0 ELSE price_amount END AS price, \
             CASE WHEN price_amount IS NULL THEN NULL WHEN price_currency = 'EUR' THEN 1 \
                 ELSE price_fx_rate END AS rate \
             FROM cote_pieces WHERE user_id = $1 AND archived_on IS NOT NULL AND sold_amount IS NOT NULL) \
         SELECT day, sold_currency, price_currency, price IS NOT NULL AS is_priced, rate IS NOT NULL AS is_frozen, \
             count(*) AS pieces, sum(sold_amount) AS sold, sum(price) AS price, {eur} AS eur \
         FROM gone GROUP BY day, sold_currency, price_currency, price IS NOT NULL, rate IS NOT NULL \
         ORDER BY day, sold_currency, price_currency, price IS NOT NULL, rate IS NOT NULL"
    );
    let rows: Vec<SoldRow> = sqlx::query_as(&sql).bind(user.uuid()).fetch_all(pool).await?;
    let read = |row: SoldRow| {
        let brought = (row.sold_currency.parse().ok()?, row.sold);
        let group = Group::of(Row {
            tier: None,
            currency: None,
            price_currency: row.price_currency,
            is_priced: row.is_priced,
            is_frozen: row.is_frozen,
            pieces: row.pieces,
            value: None,
            price: row.price,
            eur: row.eur,
        });
        Some(Sold { on: row.day, brought, cost: group.cost, pieces: group.pieces })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
