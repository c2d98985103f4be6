//! A calendar year, and the one before it.

use super::MINE;
use super::costs::{Costs, fitting};
use super::insights::Named;
use chrono::NaiveDate;
use domain::ids::UserId;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// A year in review.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Year {
    /// The year itself.
    pub of: YearOf,
    /// The year before.
    pub before: YearOf,
    /// Pieces acquired in each month of the year, January first.
    pub months: [i64; 12],
    /// The maker of most pieces acquired in it.
    pub maker: Option<Named>,
    /// The series of most pieces acquired in it.
    pub series: Option<Named>,
    /// The pre-order that slipped most often in it; of several, the one that slipped by more days.
    pub most_slipped: Option<MostSlipped>,
    /// The first piece acquired in it.
    pub first: Option<Acquired>,
    /// The last one.
    pub last: Option<Acquired>,
}

/// What a year came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct YearOf {
    /// Pieces acquired, those archived since included.
    pub pieces: i64,
    /// Money spent.
    pub spent: Costs,
    /// What was not refunded of the pre-orders cancelled in it.
    pub lost: Costs,
}

/// A pre-order that slipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MostSlipped {
    /// The pre-order, an earlier chapter perhaps.
    pub preorder_id: Uuid,
    /// Its piece.
    pub piece_id: Uuid,
    /// How often it slipped in the year.
    pub slips: i64,
    /// By how many days all in all.
    pub days: i64,
}

/// A piece that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquired {
    /// The piece.
    pub piece_id: Uuid,
    /// The day.
    pub on: NaiveDate,
}

#[derive(sqlx::FromRow)]
struct Line {
    section: String,
    year: Option<i32>,
    word: Option<String>,
    slug: Option<String>,
    id: Option<Uuid>,
    other: Option<Uuid>,
    day: Option<NaiveDate>,
    n: Option<i64>,
    a: Option<Decimal>,
    b: Option<Decimal>,
    c: Option<Decimal>,
}

fn statement() -> String {
    let spent = fitting("sum(cost * rate) FILTER (WHERE rate IS NOT NULL)");
    let lost = fitting("sum(lost * rate) FILTER (WHERE rate IS NOT NULL)");
    let year = |date: &str| format!("date_part('year', {date})::int");
    let (acquired, spent_in, cancelled) =
        (year("acquired_on"), year("spent_on"), year("(cancelled_at AT TIME ZONE 'UTC')"));
    // Days are compared with days: to take the year of each piece ever bought takes longer than all the rest.
    let both = |date: &str| format!("{date} >= make_date($2 - 1, 1, 1) AND {date} < make_date($2 + 1, 1, 1)");
    let (acquired_then, spent_then) = (both("acquired_on"), both("spent_on"));
    let empty = "NULL, NULL, NULL, NULL, NULL";
    format!(
        "WITH mine AS MATERIALIZED {MINE}, \
         came AS MATERIALIZED (SELECT id, figure_id, acquired_on FROM mine \
             WHERE acquired_on >= make_date($2, 1, 1) AND acquired_on < make_date($2 + 1, 1, 1)), \
         seen AS (SELECT came.id, came.acquired_on FROM came WHERE NOT ($3 AND EXISTS \
             (SELECT FROM cote_figures AS f WHERE f.figure_id = came.figure_id AND f.is_nsfw))), \
         chapters AS (SELECT id, owned_item_id, figure_id, price_currency AS currency, price_fx_rate AS rate, \
                 coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0) AS lost, cancelled_at, status \
             FROM preorders WHERE user_id = $1 \
             UNION ALL SELECT id, owned_item_id, figure_id, price_currency, price_fx_rate, \
                 coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0), cancelled_at, status \
             FROM preorder_chapters WHERE user_id = $1) \
         SELECT 'acquired' AS section, {acquired} AS year, NULL AS word, NULL AS slug, NULL::uuid AS id, \
             NULL::uuid AS other, NULL::date AS day, count(*) AS n, NULL::numeric AS a, NULL::numeric AS b, \
             NULL::numeric AS c FROM mine WHERE {acquired_then} GROUP BY {acquired} \
         UNION ALL SELECT 'spent', {spent_in}, currency, {empty_four}, count(*), sum(cost), {spent}, \
             sum(cost) FILTER (WHERE rate IS NULL) FROM mine \
             WHERE currency IS NOT NULL AND {spent_then} GROUP BY {spent_in}, currency \
         UNION ALL SELECT 'lost', {cancelled}, currency, {empty_four}, count(*), sum(lost), {lost}, \
             sum(lost) FILTER (WHERE rate IS NULL) FROM chapters \
             WHERE status = 'cancelled' AND lost > 0 AND currency IS NOT NULL \
                 AND {cancelled} IN ($2, $2 - 1) GROUP BY {cancelled}, currency \
         UNION ALL SELECT 'month', date_part('month', acquired_on)::int, {empty}, count(*), NULL, NULL, NULL \
             FROM came GROUP BY date_part('month', acquired_on) \
         UNION ALL (SELECT 'maker', NULL, e.name, e.slug, e.id, NULL, NULL, count(*), NULL, NULL, NULL \
             FROM came JOIN figures AS f ON f.id = came.figure_id JOIN manufacturers AS e ON e.id = f.manufacturer_id \
             GROUP BY e.id, e.name, e.slug ORDER BY count(*) DESC, e.name, e.id LIMIT 1) \
         UNION ALL (SELECT 'series', NULL, e.name, e.slug, e.id, NULL, NULL, count(*), NULL, NULL, NULL \
             FROM came JOIN figure_series AS s ON s.figure_id = came.figure_id JOIN series AS e ON e.id = s.series_id \
             GROUP BY e.id, e.name, e.slug ORDER BY count(*) DESC, e.name, e.id LIMIT 1) \
         UNION ALL (SELECT 'first', NULL, NULL, NULL, id, NULL, acquired_on, NULL, NULL, NULL, NULL \
             FROM seen ORDER BY acquired_on, id LIMIT 1) \
         UNION ALL (SELECT 'last', NULL, NULL, NULL, id, NULL, acquired_on, NULL, NULL, NULL, NULL \
             FROM seen ORDER BY acquired_on DESC, id DESC LIMIT 1) \
         UNION ALL (SELECT 'slipped', NULL, NULL, NULL, chapters.id, chapters.owned_item_id, NULL, count(*), \
                 sum(h.new_date - h.previous_date)::numeric, NULL, NULL \
             FROM chapters JOIN preorder_date_history AS h ON h.preorder_id = chapters.id \
             LEFT JOIN figures AS f ON f.id = chapters.figure_id \
             WHERE h.is_slip AND {slipped} = $2 AND NOT ($3 AND coalesce(f.is_nsfw, false)) \
             GROUP BY chapters.id, chapters.owned_item_id \
             ORDER BY count(*) DESC, sum(h.new_date - h.previous_date) DESC, chapters.id LIMIT 1)",
        empty_four = "NULL, NULL, NULL, NULL",
        slipped = year("(h.recorded_at AT TIME ZONE 'UTC')"),
    )
}

/// Looks back at a calendar year of a person. `hide_nsfw` keeps such pieces and pre-orders from being named.
///
/// # Errors
/// When the database does not answer.
pub async fn year_in_review(pool: &PgPool, user: UserId, year: i32, hide_nsfw: bool) -> sqlx::Result<Year> {
    let lines: Vec<Line> =
        sqlx::query_as(&statement()).bind(user.uuid()).bind(year).bind(hide_nsfw).fetch_all(pool).await?;
    let mut review = Year::default();
    for line in lines {
        review.take(line, year);
    }
    Ok(review)
}

impl Year {
    fn take(&mut self, line: Line, year: i32) {
        let count = line.n.unwrap_or_default();
        let [paid, frozen, open] = [line.a, line.b, line.c].map(Option::unwrap_or_default);
        let currency = line.word.as_deref().and_then(|code| code.parse().ok());
        let of = if line.year == Some(year) { &mut self.of } else { &mut self.before };
        let named = || Named { id: line.id, name: line.word.clone(), slug: line.slug.clone(), pieces: count };
        let acquired = || Some(Acquired { piece_id: line.id?, on: line.day? });
        match (line.section.as_str(), currency) {
            ("acquired", _) => of.pieces = count,
            ("spent", Some(currency)) => of.spent.add(currency, paid, frozen, open),
            ("lost", Some(currency)) => of.lost.add(currency, paid, frozen, open),
            ("month", _) => {
                let at = line.year.and_then(|month| usize::try_from(month.checked_sub(1)?).ok());
                if let Some(month) = at.and_then(|at| self.months.get_mut(at)) {
                    *month = count;
                }
            }
            ("maker", _) => self.maker = Some(named()),
            ("series", _) => self.series = Some(named()),
            ("first", _) => self.first = acquired(),
            ("last", _) => self.last = acquired(),
            ("slipped", _) => {
                if let (Some(preorder_id), Some(piece_id)) = (line.id, line.other) {
                    let days = i64::try_from(paid).unwrap_or_default();
                    self.most_slipped = Some(MostSlipped { preorder_id, piece_id, slips: count, days });
                }
            }
            _ => {}
        }
    }
}
