//! How the worth of a collection went.

use chrono::{Days, Months, NaiveDate};
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use std::fmt;
use std::str::FromStr;

/// The most points of a curve, the first one left out.
const MOST_STEPS: i64 = 366;

/// How far back a curve goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// Three months.
    ThreeMonths,
    /// Six months.
    SixMonths,
    /// A year.
    #[default]
    Year,
    /// To the first day on which anything was worth something.
    All,
}

impl Range {
    const ALL: [(Self, &'static str); 4] =
        [(Self::ThreeMonths, "3m"), (Self::SixMonths, "6m"), (Self::Year, "1y"), (Self::All, "all")];

    fn begins(self, today: NaiveDate, first: NaiveDate) -> NaiveDate {
        let months = match self {
            Self::ThreeMonths => 3,
            Self::SixMonths => 6,
            Self::Year => 12,
            // A day before, so that the curve begins at nothing.
            Self::All => return first.min(today).pred_opt().unwrap_or(first),
        };
        today.checked_sub_months(Months::new(months)).unwrap_or(today)
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|(_, word)| *word == text);
        found.map(|(range, _)| range).ok_or("range is one of 3m, 6m, 1y, all")
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.into_iter().find(|(range, _)| range == self).map_or("", |(_, word)| word))
    }
}

/// By how much the worth changed up to a day since the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The end of the day.
    pub day: NaiveDate,
    /// The changes, per currency.
    pub by: Vec<(Currency, Decimal)>,
}

/// A curve in steps of whole days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evolution {
    /// The first day: what changed up to it is its worth.
    pub from: NaiveDate,
    /// Today.
    pub to: NaiveDate,
    /// Days from one point to the next; the last step may be shorter.
    pub step_days: i64,
    /// Every point, also those at which nothing changed.
    pub changes: Vec<Change>,
}

#[derive(sqlx::FromRow)]
struct Row {
    step: i64,
    currency: String,
    change: Decimal,
}

/// How the worth of a person's collection went up to `today`, which is the day of the last point. What is
/// dated later counts as today's, as it does in what the collection is worth now.
///
/// # Errors
/// When the database does not answer.
pub async fn evolution(
    pool: &PgPool,
    user: UserId,
    range: Range,
    today: NaiveDate,
) -> sqlx::Result<Evolution> {
    let first: Option<NaiveDate> = sqlx::query_scalar("SELECT min(day) FROM cote_days WHERE user_id = $1")
        .bind(user.uuid())
        .fetch_one(pool)
        .await?;
    let from = range.begins(today, first.unwrap_or(today));
    let days = today.signed_duration_since(from).num_days().max(0);
    let step_days = days.saturating_add(MOST_STEPS - 1).checked_div(MOST_STEPS).unwrap_or(1).max(1);
    let steps = days.saturating_add(step_days - 1).checked_div(step_days).unwrap_or(0);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT least(greatest((day - $2 + $3 - 1) / $3, 0), $4) AS step, currency, sum(change) AS change \
         FROM (SELECT day::date AS day, currency, change FROM cote_days WHERE user_id = $1) AS d \
         GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind(user.uuid())
    .bind(from)
    .bind(step_days)
    .bind(steps)
    .fetch_all(pool)
    .await?;
    let mut changes: Vec<Change> = (0..=steps)
        .map(|step| {
            let days = u64::try_from(step.saturating_mul(step_days)).unwrap_or_default();
            let day = from.checked_add_days(Days::new(days)).unwrap_or(today).min(today);
            Change { day, by: Vec::new() }
        })
        .collect();
    for row in rows {
        let at = usize::try_from(row.step).ok().and_then(|step| changes.get_mut(step));
        if let (Some(change), Ok(currency)) = (at, row.currency.parse()) {
            change.by.push((currency, row.change));
        }
    }
    Ok(Evolution { from, to: today, step_days, changes })
}
