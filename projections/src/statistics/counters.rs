//! The counters, the spend and how the pre-orders do.

use super::MINE;
use super::costs::{Costs, fitting};
use super::shelf::{self, Completion};
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use std::collections::BTreeMap;
use tokio::try_join;

/// Everything that is counted at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// How many there are of each kind of thing.
    pub counters: Counters,
    /// What was spent, by currency.
    pub spend: Vec<Spend>,
    /// Every month in which a piece came or money went.
    pub months: Months,
    /// How complete the series are, the fullest shelf first.
    pub series: Vec<Completion>,
    /// What the wishes would cost, by currency: the market price of each, else its list price.
    pub wishes: BTreeMap<Currency, Decimal>,
    /// The targets of the wishes, by currency.
    pub targets: BTreeMap<Currency, Decimal>,
    /// How the pre-orders do.
    pub health: Health,
}

/// How many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Pieces.
    pub pieces: Pieces,
    /// Wishes.
    pub wishes: i64,
    /// Wishes with neither a market price nor a list price.
    pub wishes_without_price: i64,
    /// Pre-orders by status; current chapters only.
    pub preorders: BTreeMap<String, i64>,
}

/// How many pieces there are, and of how many kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Kept.
    pub owned: i64,
    /// Archived.
    pub archived: i64,
    /// Different figures among those kept.
    pub figures: i64,
    /// Different types among them.
    pub types: i64,
    /// Different makers among them.
    pub makers: i64,
    /// Different series among them.
    pub series: i64,
    /// Of those that count, without a price.
    pub unpriced: i64,
}

/// What was spent in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// The currency.
    pub currency: Currency,
    /// How many pieces.
    pub pieces: i64,
    /// Prices.
    pub price: Decimal,
    /// Shipping.
    pub shipping: Decimal,
    /// Fees.
    pub fees: Decimal,
    /// Prices beside list prices, by the currency of these.
    pub compared: Vec<Compared>,
}

/// Prices of pieces beside the list prices of their figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Of the list prices.
    pub currency: Currency,
    /// The prices, in the currency that was spent.
    pub price: Decimal,
    /// The list prices.
    pub msrp: Decimal,
}

/// What came and what was spent, month by month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Months {
    /// Every month in which a piece came or money went, oldest first; `YYYY-MM`.
    pub by_month: BTreeMap<String, Month>,
    /// All that was spent.
    pub costs: Costs,
}

/// One month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Month {
    /// Pieces acquired.
    pub pieces: i64,
    /// Money spent.
    pub costs: Costs,
}

/// How the pre-orders do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Neither received nor cancelled, of pieces that are not archived.
    pub open: i64,
    /// Cancelled, earlier chapters too.
    pub cancelled: i64,
    /// Deposits paid on open ones whose balance is not, by currency.
    pub deposits: BTreeMap<Currency, Decimal>,
    /// What was not refunded of cancelled ones.
    pub lost: Costs,
    /// Pre-orders, cancelled ones left out, that slipped.
    pub slipped: i64,
    /// By how many days their release moved since it was first named, on average over those that slipped.
    pub mean_slip_days: Option<Decimal>,
}

#[derive(sqlx::FromRow)]
struct Line {
    section: String,
    word: Option<String>,
    currency: Option<String>,
    n: Option<i64>,
    a: Option<Decimal>,
    b: Option<Decimal>,
    c: Option<Decimal>,
    d: Option<Decimal>,
    e: Option<Decimal>,
    f: Option<Decimal>,
}

impl Line {
    fn currency(&self) -> Option<Currency> {
        self.currency.as_deref()?.parse().ok()
    }

    fn count(&self) -> i64 {
        self.n.unwrap_or_default()
    }
}

/// Months, what came in them, and what was spent in each currency.
fn by_month() -> String {
    let frozen = fitting("sum(cost * rate)");
    // A month is a time for as long as rows are counted: to write each down takes longer than counting it.
    let month = |day: &str| format!("date_trunc('month', {day}::timestamp)");
    let written = |day: &str| format!("to_char({}, 'YYYY-MM')", month(day));
    let (spent, acquired) = ("spent_on", "acquired_on");
    format!(
        "SELECT 'spent' AS section, {} AS word, currency, count(*) AS n, sum(cost) AS a, \
             {frozen} AS b, sum(cost) FILTER (WHERE rate IS NULL) AS c, coalesce(sum(price), 0) AS d, \
             coalesce(sum(shipping), 0) AS e, coalesce(sum(fees), 0) AS f \
             FROM mine WHERE currency IS NOT NULL GROUP BY {}, currency \
         UNION ALL SELECT 'acquired', {}, NULL, count(*), count(*) FILTER (WHERE is_kept), \
             count(*) FILTER (WHERE price IS NULL), NULL, NULL, NULL, NULL FROM mine GROUP BY {}",
        written(spent),
        month(spent),
        written(acquired),
        month(acquired),
    )
}

/// Everything that is counted without looking at figures, but for those that are wished. Its pieces are read twice, which
/// is cheaper than putting them down and reading that twice.
fn statement() -> String {
    let lost = "coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0)";
    let lost_frozen = fitting("sum(lost * rate) FILTER (WHERE rate IS NOT NULL)");
    let rest = |count: usize| vec!["NULL"; count].join(", ");
    let (none, five) = (rest(6), rest(5));
    format!(
        "WITH mine AS NOT MATERIALIZED {MINE}, \
         chapters AS (SELECT status, price_currency, price_fx_rate AS rate, {lost} AS lost FROM preorders \
             WHERE user_id = $1 \
             UNION ALL SELECT status, price_currency, price_fx_rate, {lost} FROM preorder_chapters \
             WHERE user_id = $1), \
         live AS (SELECT p.price_currency, p.deposit_amount, p.balance_paid_at FROM preorders AS p \
             JOIN owned_items AS o ON o.id = p.owned_item_id \
             WHERE p.user_id = $1 AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled')), \
         wished AS (SELECT w.max_price_amount, w.max_price_currency, \
                 coalesce(m.amount, f.msrp_amount) AS amount, \
                 CASE WHEN m.amount IS NULL THEN f.msrp_currency ELSE m.currency END AS currency \
             FROM wishlist_items AS w LEFT JOIN figures AS f ON f.id = w.figure_id \
             LEFT JOIN figure_provider_prices AS m ON m.figure_id = w.figure_id WHERE w.user_id = $1), \
         late AS (SELECT release_date_current - release_date_original AS days FROM preorders \
             WHERE user_id = $1 AND slip_count > 0 AND status <> 'cancelled') \
         {} \
         UNION ALL SELECT 'status', status, NULL, count(*), {none} \
             FROM preorders WHERE user_id = $1 GROUP BY status \
         UNION ALL SELECT 'cancelled', NULL, price_currency, count(*), sum(lost), {lost_frozen}, \
             sum(lost) FILTER (WHERE rate IS NULL), NULL, NULL, NULL \
             FROM chapters WHERE status = 'cancelled' GROUP BY price_currency \
         UNION ALL SELECT 'live', NULL, price_currency, count(*), \
             sum(deposit_amount) FILTER (WHERE balance_paid_at IS NULL), {five} \
             FROM live GROUP BY price_currency \
         UNION ALL SELECT 'late', NULL, NULL, count(*), round(avg(days), 10), {five} FROM late \
         UNION ALL SELECT 'wishes', NULL, currency, count(*), sum(amount), {five} FROM wished GROUP BY currency \
         UNION ALL SELECT 'targets', NULL, max_price_currency, count(*), sum(max_price_amount), {five} \
             FROM wished WHERE max_price_amount IS NOT NULL GROUP BY max_price_currency",
        by_month(),
    )
}

/// Counts everything of a person. `hide_nsfw` leaves such figures out of what series hold.
///
/// # Errors
/// When the database does not answer.
pub async fn statistics(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Statistics> {
    let sql = statement();
    let counted = sqlx::query_as(&sql).bind(user.uuid()).fetch_all(pool);
    let (lines, compared, shelf): (Vec<Line>, _, _) =
        try_join!(counted, compared(pool, user), shelf::shelf(pool, user, hide_nsfw))?;
    let mut all = Statistics::default();
    for line in &lines {
        all.take(line);
    }
    for (currency, one) in compared {
        if let Some(spend) = all.spend.iter_mut().find(|spend| spend.currency == currency) {
            spend.compared.push(one);
        }
    }
    all.spend.sort_by_key(|spend| spend.currency.code());
    let pieces = &mut all.counters.pieces;
    (pieces.figures, pieces.types) = (shelf.figures, shelf.types);
    (pieces.makers, pieces.series) = (shelf.makers, shelf.series);
    all.series = shelf.fullest;
    Ok(all)
}

/// What came and what was spent, month by month.
///
/// # Errors
/// When the database does not answer.
pub async fn months(pool: &PgPool, user: UserId) -> sqlx::Result<Months> {
    let sql = format!("WITH mine AS NOT MATERIALIZED {MINE} {}", by_month());
    let lines: Vec<Line> = sqlx::query_as(&sql).bind(user.uuid()).fetch_all(pool).await?;
    let mut all = Statistics::default();
    for line in &lines {
        all.take(line);
    }
    Ok(all.months)
}

/// Prices beside list prices, each with the currency that was spent.
async fn compared(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<(Currency, Compared)>> {
    let rows: Vec<(String, String, Decimal, Decimal)> = sqlx::query_as(
        "SELECT price_currency, msrp_currency, sum(price_amount), sum(msrp_amount) FROM cote_pieces \
         WHERE user_id = $1 AND NOT awaited AND price_amount IS NOT NULL AND msrp_amount IS NOT NULL \
         GROUP BY price_currency, msrp_currency ORDER BY price_currency, msrp_currency",
    )
    .bind(user.uuid())
    .fetch_all(pool)
    .await?;
    let read = |(paid, listed, price, msrp): (String, String, Decimal, Decimal)| {
        Some((paid.parse().ok()?, Compared { currency: listed.parse().ok()?, price, msrp }))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

impl Statistics {
    fn take(&mut self, line: &Line) {
        let month = || line.word.clone().unwrap_or_default();
        match (line.section.as_str(), line.currency()) {
            ("spent", Some(currency)) => {
                let [paid, frozen, open] = [line.a, line.b, line.c].map(Option::unwrap_or_default);
                self.months.costs.add(currency, paid, frozen, open);
                self.months.by_month.entry(month()).or_default().costs.add(currency, paid, frozen, open);
                self.spent(currency, line);
            }
            ("acquired", _) => {
                self.months.by_month.entry(month()).or_default().pieces = line.count();
                let [kept, unpriced] = [line.a, line.b]
                    .map(|count| count.and_then(|count| i64::try_from(count).ok()).unwrap_or_default());
                let pieces = &mut self.counters.pieces;
                pieces.owned = pieces.owned.saturating_add(kept);
                pieces.archived = pieces.archived.saturating_add(line.count().saturating_sub(kept));
                pieces.unpriced = pieces.unpriced.saturating_add(unpriced);
            }
            ("status", _) => {
                self.counters.preorders.insert(line.word.clone().unwrap_or_default(), line.count());
            }
            ("cancelled", currency) => {
                self.health.cancelled = self.health.cancelled.saturating_add(line.count());
                if let Some(currency) = currency {
                    let [lost, frozen, open] = [line.a, line.b, line.c].map(Option::unwrap_or_default);
                    self.health.lost.add(currency, lost, frozen, open);
                }
            }
            ("live", currency) => {
                self.health.open = self.health.open.saturating_add(line.count());
                keep(&mut self.health.deposits, currency, line.a);
            }
            ("late", _) => {
                self.health.slipped = line.count();
                self.health.mean_slip_days = line.a;
            }
            ("wishes", currency) => {
                self.counters.wishes = self.counters.wishes.saturating_add(line.count());
                if currency.is_none() {
                    self.counters.wishes_without_price = line.count();
                }
                keep(&mut self.wishes, currency, line.a);
            }
            ("targets", currency) => keep(&mut self.targets, currency, line.a),
            _ => {}
        }
    }

    /// Adds what was spent in one currency in one month.
    fn spent(&mut self, currency: Currency, line: &Line) {
        if !self.spend.iter().any(|spend| spend.currency == currency) {
            let [price, shipping, fees] = [Decimal::ZERO; 3];
            self.spend.push(Spend { currency, pieces: 0, price, shipping, fees, compared: Vec::new() });
        }
        let Some(spend) = self.spend.iter_mut().find(|spend| spend.currency == currency) else { return };
        spend.pieces = spend.pieces.saturating_add(line.count());
        for (sum, part) in
            [(&mut spend.price, line.d), (&mut spend.shipping, line.e), (&mut spend.fees, line.f)]
        {
            *sum = sum.saturating_add(part.unwrap_or_default());
        }
    }
}

fn keep(sums: &mut BTreeMap<Currency, Decimal>, currency: Option<Currency>, amount: Option<Decimal>) {
    if let (Some(currency), Some(amount)) = (currency, amount.filter(|amount| !amount.is_zero())) {
        sums.insert(currency, amount);
    }
}
