//! The pieces of a collection by what they are worth.

use super::COUNTED;
use super::worth::Tier;
use crate::collection::keyset::Sorted;
use crate::collection::{InvalidKey, ListError, ListKey};
use crate::figures::summary::FigureSummary;
use crate::pictures::{Cover, Eyes, Pinned};
use crate::statistics::rates_of;
use chrono::NaiveDate;
use domain::ids::UserId;
use domain::money::Currency;
use domain::money::rates::RateTable;
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgPool, Row};
use uuid::Uuid;

/// How many points a sparkline has at most: the latest ones.
const MOST_POINTS: i64 = 30;

/// What the ranking can be sorted by; all of it in euro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoteSort {
    /// What it is worth.
    Value,
    /// What it cost.
    Paid,
    /// The one without the other.
    Gain,
}

impl CoteSort {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Value, "value"), (Self::Paid, "paid"), (Self::Gain, "gain")];

    const fn sorted(self) -> Sorted {
        match self {
            Self::Value => Sorted::Decimal("r.value_eur"),
            Self::Paid => Sorted::Decimal("r.cost_eur"),
            Self::Gain => Sorted::Decimal("(r.value_eur - r.cost_eur)"),
        }
    }
}

/// An order of the ranking: `value`, or `-value` for the greatest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoteOrder {
    /// By what.
    pub by: CoteSort,
    /// The greatest first.
    pub descending: bool,
}

impl Default for CoteOrder {
    /// What is worth most first.
    fn default() -> Self {
        Self { by: CoteSort::Value, descending: true }
    }
}

impl std::str::FromStr for CoteOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        CoteSort::ALL
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(by, _)| Self { by, descending })
            .ok_or("sort is one of value, paid, gain; a - before it turns it round")
    }
}

impl std::fmt::Display for CoteOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = CoteSort::ALL.into_iter().find(|(by, _)| *by == self.by).map_or("", |(_, word)| word);
        write!(f, "{}{word}", if self.descending { "-" } else { "" })
    }
}

/// A market price on the day it moved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SparkPoint {
    /// The UTC day.
    pub day: NaiveDate,
    /// The price at its end.
    pub amount: Decimal,
    /// Its currency.
    pub currency: String,
}

/// A piece in the ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The piece.
    pub piece_id: Uuid,
    /// What it is a copy of; none while the catalogue's read model has yet to hear of it.
    pub figure: Option<FigureSummary>,
    /// What is pinned as its cover.
    pub pinned: Option<Pinned>,
    /// What backs its worth, and that.
    pub value: Option<(Tier, Currency, Decimal)>,
    /// What it cost; none where nobody says. A gift without a price cost nothing, in no currency.
    pub price: Option<(Decimal, Option<Currency>)>,
    /// EUR for one unit of the price's currency, frozen; none means today's.
    pub rate: Option<Decimal>,
    /// The latest points at which the market price of its figure moved, oldest first.
    pub history: Vec<SparkPoint>,
    sort_value: Option<String>,
}

impl Ranked {
    /// What stands on its card.
    #[must_use]
    pub fn cover(&self, eyes: Eyes) -> Option<Cover> {
        Cover::of_piece(self.pinned.as_ref(), self.figure.as_ref(), eyes)
    }

    /// Where it stands in a listing of that order.
    #[must_use]
    pub fn key(&self, order: CoteOrder) -> ListKey {
        ListKey { sort: order.to_string(), value: self.sort_value.clone(), id: self.piece_id }
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let word = |name: &str| row.try_get::<Option<String>, _>(name);
        let (tier, currency, value) =
            (word("tier")?, word("currency")?, row.try_get::<Option<Decimal>, _>("value")?);
        let value = || Some((Tier::of(tier.as_deref()?)?, currency.as_deref()?.parse().ok()?, value?));
        let price_currency = word("price_currency")?;
        let price: Option<Decimal> = row.try_get("price")?;
        Ok(Self {
            piece_id: row.try_get("piece_id")?,
            figure: match row.try_get::<Option<Uuid>, _>("figure_id_")? {
                Some(_) => Some(FigureSummary::read(row)?),
                None => None,
            },
            pinned: Pinned::read(row)?,
            value: value(),
            price: price.map(|price| (price, price_currency.as_deref().and_then(|code| code.parse().ok()))),
            rate: row.try_get("rate")?,
            history: row.try_get::<Json<Vec<SparkPoint>>, _>("history")?.0,
            sort_value: row.try_get("sort_value")?,
        })
    }
}

/// The pieces of a person that count, ranked, after a key; `limit` at most. What cannot be ranked for want of a
/// worth, a price or a rate comes last. `today` is the table to convert with.
///
/// # Errors
/// [`ListError::Key`] for a key of another listing, else when the database does not answer.
pub async fn ranking(
    pool: &PgPool,
    user: UserId,
    today: Option<&RateTable>,
    hide_nsfw: bool,
    order: CoteOrder,
    after: Option<&ListKey>,
    limit: i64,
) -> Result<Vec<Ranked>, ListError> {
    let (currencies, rates) = rates_of(today);
    let sort = order.by.sorted();
    // The person is bound first: `COUNTED` takes them as `$1`.
    let mut query = sqlx::QueryBuilder::new("WITH owner AS (SELECT ");
    query.push_bind(user.uuid()).push("::uuid AS id), rates AS (SELECT currency, rate FROM unnest(");
    query
        .push_bind(currencies)
        .push("::text[], ")
        .push_bind(rates)
        .push("::numeric[]) AS t(currency, rate)), ");
    // Only what is sorted by is converted: the answer converts the few that are shown.
    let (worth, worth_rates) = match order.by {
        CoteSort::Value | CoteSort::Gain => {
            ("c.value * v.rate", "LEFT JOIN rates AS v ON v.currency = c.currency")
        }
        CoteSort::Paid => ("NULL::numeric", ""),
    };
    let (cost, cost_rates) = match order.by {
        CoteSort::Paid | CoteSort::Gain => (
            "CASE WHEN c.price_currency IS NULL THEN c.price ELSE c.price * coalesce(c.rate, p.rate) END",
            "LEFT JOIN rates AS p ON p.currency = c.price_currency",
        ),
        CoteSort::Value => ("NULL::numeric", ""),
    };
    query.push(COUNTED).push(format_args!(
        ", ranked AS (SELECT c.piece_id, c.figure_id, c.is_nsfw, c.tier, c.value, c.currency, c.price, \
             c.price_currency, c.rate, {worth} AS value_eur, {cost} AS cost_eur \
             FROM counted AS c {worth_rates} {cost_rates}), \
         page AS (SELECT r.piece_id, r.figure_id, r.tier, r.value, r.currency, r.price, r.price_currency, r.rate, \
             r.value_eur, r.cost_eur FROM ranked AS r WHERE true",
    ));
    if hide_nsfw {
        query.push(" AND r.is_nsfw IS NOT TRUE");
    }
    if let Some(key) = after {
        if key.sort != order.to_string() {
            return Err(InvalidKey.into());
        }
        sort.after(&mut query, "r.piece_id", order.descending, key)?;
    }
    // A number and not a parameter: what is looked up for the few that are shown is planned for so few.
    query.push(sort.order("r.piece_id", order.descending)).push(format_args!(" LIMIT {limit}"));
    query.push(format_args!(
        ") SELECT r.piece_id, r.tier, r.value, r.currency, r.price, r.price_currency, r.rate, {}, {}, {}, \
         (SELECT coalesce(jsonb_agg(jsonb_build_object('day', h.day, 'amount', h.amount::text, \
              'currency', h.currency) ORDER BY h.day), '[]') \
          FROM (SELECT day, amount, currency FROM cote_points WHERE figure_id = r.figure_id \
                ORDER BY day DESC LIMIT {MOST_POINTS}) AS h) AS history \
         FROM page AS r LEFT JOIN owned_items AS o ON o.id = r.piece_id \
         LEFT JOIN figures AS f ON f.id = r.figure_id {}",
        sort.column(),
        Pinned::column("o"),
        FigureSummary::COLUMNS,
        FigureSummary::JOINS,
    ));
    query.push(sort.order("r.piece_id", order.descending));
    let rows = query.build().fetch_all(pool).await?;
    Ok(rows.iter().map(Ranked::read).collect::<sqlx::Result<_>>()?)
}
