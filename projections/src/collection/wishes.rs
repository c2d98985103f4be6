//! Reading wishes.

use super::keyset::{InvalidKey, ListError, ListKey, Sorted};
use super::rows::WishRow;
use crate::engine::Row as _;
use crate::figures::summary::FigureSummary;
use crate::past::{Reading, WISHES};
use domain::ids::{FigureId, UserId};
use domain::stream::Version;
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

/// A wish with its figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Its own row.
    pub row: WishRow,
    /// What is wished; none while the catalogue's read model has yet to hear of it.
    pub figure: Option<FigureSummary>,
    sort_value: Option<String>,
}

impl Wish {
    /// Its version.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version(self.row.version)
    }

    /// Where it stands in a listing of that order. By the figure's id, which a list that is shared shows, and not the
    /// wish's own, which tells when it was made.
    #[must_use]
    pub fn key(&self, order: WishOrder) -> ListKey {
        ListKey { sort: order.to_string(), value: self.sort_value.clone(), id: self.row.figure_id }
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let figure = match row.try_get::<Option<Uuid>, _>("figure_id_")? {
            Some(_) => Some(FigureSummary::read(row)?),
            None => None,
        };
        Ok(Self { row: WishRow::read(row)?, figure, sort_value: row.try_get("sort_value")? })
    }
}

/// What wishes can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishSort {
    /// The moment it was made.
    Added,
    /// The figure's name.
    Name,
    /// The target price as stated; currencies are not converted.
    Target,
}

impl WishSort {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Added, "added"), (Self::Name, "name"), (Self::Target, "target")];

    const fn sorted(self) -> Sorted {
        match self {
            Self::Added => Sorted::Moment("w.created_at"),
            Self::Name => Sorted::Text("f.sort_name"),
            Self::Target => Sorted::Decimal("w.max_price_amount"),
        }
    }
}

/// An order of wishes: `name`, or `-name` for the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WishOrder {
    /// By what.
    pub by: WishSort,
    /// The greatest first.
    pub descending: bool,
}

impl Default for WishOrder {
    /// The latest made first.
    fn default() -> Self {
        Self { by: WishSort::Added, descending: true }
    }
}

impl std::str::FromStr for WishOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (descending, word) = match text.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, text),
        };
        WishSort::ALL
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(by, _)| Self { by, descending })
            .ok_or("sort is one of added, name, target; a - before it turns it round")
    }
}

impl std::fmt::Display for WishOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = WishSort::ALL.into_iter().find(|(by, _)| *by == self.by).map_or("added", |(_, name)| name);
        write!(f, "{}{name}", if self.descending { "-" } else { "" })
    }
}

fn select(from: Reading<'_>, sort: Sorted, user: UserId) -> QueryBuilder<'_, Postgres> {
    let own: Vec<String> = WishRow::COLUMNS.iter().map(|column| format!("w.{column}")).collect();
    let mut query = from.query(&[WISHES]);
    query.push(format_args!(
        "SELECT {}, {}, {} FROM wishlist_items AS w LEFT JOIN figures AS f ON f.id = w.figure_id {} WHERE w.user_id = ",
        own.join(", "),
        FigureSummary::COLUMNS,
        sort.column(),
        FigureSummary::JOINS,
    ));
    query.push_bind(user.uuid());
    query
}

/// A person's wish for a figure, by the id the figure has now.
///
/// # Errors
/// When the database does not answer.
pub async fn wish<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    figure: FigureId,
) -> sqlx::Result<Option<Wish>> {
    let from = from.into();
    let mut query = select(from, WishSort::Added.sorted(), user);
    query.push(" AND w.figure_id = ").push_bind(figure.uuid());
    query.build().fetch_optional(from.pool()).await?.as_ref().map(Wish::read).transpose()
}

/// A person's wishes.
///
/// # Errors
/// [`ListError::Key`] for a key of another listing, else when the database does not answer.
pub async fn wishes<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    hide_nsfw: bool,
    order: WishOrder,
    after: Option<&ListKey>,
    limit: i64,
) -> Result<Vec<Wish>, ListError> {
    let (from, sort) = (from.into(), order.by.sorted());
    let mut query = select(from, sort, user);
    if hide_nsfw {
        query.push(" AND f.is_nsfw IS NOT TRUE");
    }
    if let Some(key) = after {
        if key.sort != order.to_string() {
            return Err(InvalidKey.into());
        }
        sort.after(&mut query, "w.figure_id", order.descending, key)?;
    }
    query.push(sort.order("w.figure_id", order.descending)).push(" LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(from.pool()).await?;
    Ok(rows.iter().map(Wish::read).collect::<sqlx::Result<_>>()?)
}

/// What all the targets in one currency come to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Target {
    /// The currency.
    pub currency: String,
    /// The sum.
    pub amount: Decimal,
    /// Over how many wishes.
    pub wishes: i64,
}

/// The targets of all of a person's wishes: one sum for each currency, in the order of their codes.
///
/// # Errors
/// When the database does not answer.
pub async fn totals<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    hide_nsfw: bool,
) -> sqlx::Result<Vec<Target>> {
    let from = from.into();
    let mut query = from.query(&[WISHES]);
    query
        .push(
            "SELECT w.max_price_currency AS currency, sum(w.max_price_amount) AS amount, count(*) AS wishes \
             FROM wishlist_items AS w LEFT JOIN figures AS f ON f.id = w.figure_id \
             WHERE w.max_price_amount IS NOT NULL AND w.user_id = ",
        )
        .push_bind(user.uuid());
    if hide_nsfw {
        query.push(" AND f.is_nsfw IS NOT TRUE");
    }
    query.push(" GROUP BY w.max_price_currency ORDER BY w.max_price_currency");
    query.build_query_as().fetch_all(from.pool()).await
}
