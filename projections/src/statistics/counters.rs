//! The counters, the spend and how the pre-orders do.

use super::MINE;
use super::costs::{Costs, fitting};
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many series are compared with the catalogue.
const MOST_SERIES: i64 = 20;

/// Everything that is counted at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// How many there are of each kind of thing.
    pub counters: Counters,
    /// What was spent, by currency of the price and, where the figure has one, of its list price.
    pub spend: Vec<Spend>,
    /// All of it.
    pub costs: Costs,
    /// Every month in which a piece came or money went, oldest first; `YYYY-MM`.
    pub months: BTreeMap<String, Month>,
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

/// What was spent in one currency on figures whose list price is in one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Of the price.
    pub currency: Currency,
    /// Of the list price; none where there is none.
    pub msrp_currency: Option<Currency>,
    /// How many pieces.
    pub pieces: i64,
    /// Prices.
    pub price: Decimal,
    /// Shipping.
    pub shipping: Decimal,
    /// Fees.
    pub fees: Decimal,
    /// Prices of the pieces that have both.
    pub compared: Decimal,
    /// List prices of those.
    pub msrp: Decimal,
}

/// One month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Month {
    /// Pieces acquired.
    pub pieces: i64,
    /// Money spent.
    pub costs: Costs,
}

/// How much of a series is owned.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Completion {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Different figures owned.
    pub owned: i64,
    /// Figures in the catalogue.
    pub figures: i64,
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
    other: Option<String>,
    n: Option<i64>,
    a: Option<Decimal>,
    b: Option<Decimal>,
    c: Option<Decimal>,
    d: Option<Decimal>,
    e: Option<Decimal>,
}

impl Line {
    fn currency(&self) -> Option<Currency> {
        self.currency.as_deref()?.parse().ok()
    }

    fn count(&self) -> i64 {
        self.n.unwrap_or_default()
    }
}

fn statement() -> String {
    let frozen = fitting("sum(cost * rate) FILTER (WHERE rate IS NOT NULL)");
    let lost = "coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0)";
    let lost_frozen = fitting("sum(lost * rate) FILTER (WHERE rate IS NOT NULL)");
    format!(
        "WITH {MINE}, \
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
         SELECT 'owned' AS section, NULL AS word, NULL AS currency, NULL AS other, count(*) AS n, \
             count(DISTINCT figure_id)::numeric AS a, count(DISTINCT figure_type)::numeric AS b, \
             count(DISTINCT manufacturer_id)::numeric AS c, \
             (SELECT count(DISTINCT s.series_id) FROM figure_series AS s \
              WHERE s.figure_id IN (SELECT figure_id FROM mine WHERE is_kept))::numeric AS d, NULL::numeric AS e \
             FROM mine WHERE is_kept \
         UNION ALL SELECT 'archived', NULL, NULL, NULL, count(*), NULL, NULL, NULL, NULL, NULL \
             FROM mine WHERE NOT is_kept \
         UNION ALL SELECT 'unpriced', NULL, NULL, NULL, count(*), NULL, NULL, NULL, NULL, NULL \
             FROM mine WHERE price IS NULL \
         UNION ALL SELECT 'spend', NULL, currency, msrp_currency, count(*), coalesce(sum(price), 0), \
             coalesce(sum(shipping), 0), coalesce(sum(fees), 0), \
             coalesce(sum(price) FILTER (WHERE msrp IS NOT NULL), 0), \
             coalesce(sum(msrp) FILTER (WHERE price IS NOT NULL), 0) \
             FROM mine WHERE currency IS NOT NULL GROUP BY currency, msrp_currency \
         UNION ALL SELECT 'spent', to_char(spent_on, 'YYYY-MM'), currency, NULL, count(*), sum(cost), {frozen}, \
             sum(cost) FILTER (WHERE rate IS NULL), NULL, NULL \
             FROM mine WHERE currency IS NOT NULL GROUP BY to_char(spent_on, 'YYYY-MM'), currency \
         UNION ALL SELECT 'acquired', to_char(acquired_on, 'YYYY-MM'), NULL, NULL, count(*), \
             NULL, NULL, NULL, NULL, NULL FROM mine GROUP BY to_char(acquired_on, 'YYYY-MM') \
         UNION ALL SELECT 'status', status, NULL, NULL, count(*), NULL, NULL, NULL, NULL, NULL \
             FROM preorders WHERE user_id = $1 GROUP BY status \
         UNION ALL SELECT 'cancelled', NULL, price_currency, NULL, count(*), sum(lost), {lost_frozen}, \
             sum(lost) FILTER (WHERE rate IS NULL), NULL, NULL \
             FROM chapters WHERE status = 'cancelled' GROUP BY price_currency \
         UNION ALL SELECT 'live', NULL, price_currency, NULL, count(*), \
             sum(deposit_amount) FILTER (WHERE balance_paid_at IS NULL), NULL, NULL, NULL, NULL \
             FROM live GROUP BY price_currency \
         UNION ALL SELECT 'late', NULL, NULL, NULL, count(*), round(avg(days), 10), NULL, NULL, NULL, NULL FROM late \
         UNION ALL SELECT 'wishes', NULL, currency, NULL, count(*), sum(amount), NULL, NULL, NULL, NULL \
             FROM wished GROUP BY currency \
         UNION ALL SELECT 'targets', NULL, max_price_currency, NULL, count(*), sum(max_price_amount), \
             NULL, NULL, NULL, NULL FROM wished WHERE max_price_amount IS NOT NULL GROUP BY max_price_currency"
    )
}

/// Counts everything of a person. `hide_nsfw` leaves such figures out of what series hold.
///
/// # Errors
/// When the database does not answer.
pub async fn statistics(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Statistics> {
    let lines: Vec<Line> = sqlx::query_as(&statement()).bind(user.uuid()).fetch_all(pool).await?;
    let mut all = Statistics::default();
    for line in &lines {
        all.take(line);
    }
    all.spend.sort_by_key(|spend| (spend.currency.code(), spend.msrp_currency.map(Currency::code)));
    all.series = completion(pool, user, hide_nsfw).await?;
    Ok(all)
}

impl Statistics {
    fn take(&mut self, line: &Line) {
        let whole = |amount: Option<Decimal>| {
            amount.and_then(|amount| i64::try_from(amount).ok()).unwrap_or_default()
        };
        let pieces = &mut self.counters.pieces;
        match (line.section.as_str(), line.currency()) {
            ("owned", _) => {
                pieces.owned = line.count();
                pieces.figures = whole(line.a);
                pieces.types = whole(line.b);
                pieces.makers = whole(line.c);
                pieces.series = whole(line.d);
            }
            ("archived", _) => pieces.archived = line.count(),
            ("unpriced", _) => pieces.unpriced = line.count(),
            ("spend", Some(currency)) => self.spend.push(Spend {
                currency,
                msrp_currency: line.other.as_deref().and_then(|code| code.parse().ok()),
                pieces: line.count(),
                price: line.a.unwrap_or_default(),
                shipping: line.b.unwrap_or_default(),
                fees: line.c.unwrap_or_default(),
                compared: line.d.unwrap_or_default(),
                msrp: line.e.unwrap_or_default(),
            }),
            ("spent", Some(currency)) => {
                let [paid, frozen, open] = [line.a, line.b, line.c].map(Option::unwrap_or_default);
                self.costs.add(currency, paid, frozen, open);
                let month = self.months.entry(line.word.clone().unwrap_or_default()).or_default();
                month.costs.add(currency, paid, frozen, open);
            }
            ("acquired", _) => {
                self.months.entry(line.word.clone().unwrap_or_default()).or_default().pieces = line.count();
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
}

fn keep(sums: &mut BTreeMap<Currency, Decimal>, currency: Option<Currency>, amount: Option<Decimal>) {
    if let (Some(currency), Some(amount)) = (currency, amount.filter(|amount| !amount.is_zero())) {
        sums.insert(currency, amount);
    }
}

async fn completion(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Vec<Completion>> {
    // Who hides nothing need not look at the figures themselves.
    let shown = if hide_nsfw { "JOIN figures AS f ON f.id = fs.figure_id AND NOT f.is_nsfw" } else { "" };
    let sql = format!(
        "WITH shelf AS (SELECT DISTINCT o.figure_id FROM owned_items AS o \
             WHERE o.user_id = $1 AND o.archived_at IS NULL \
             AND (o.preorder_status IS NULL OR o.preorder_status = 'received')), \
         fullest AS (SELECT fs.series_id, count(*) AS owned FROM shelf \
             JOIN figure_series AS fs ON fs.figure_id = shelf.figure_id {shown} \
             GROUP BY fs.series_id ORDER BY count(*) DESC, fs.series_id LIMIT $2) \
         SELECT s.id, s.name, s.slug, fullest.owned, \
             (SELECT count(*) FROM figure_series AS fs {shown} WHERE fs.series_id = s.id) AS figures \
         FROM fullest JOIN series AS s ON s.id = fullest.series_id \
         ORDER BY fullest.owned DESC, s.sort_name, s.id"
    );
    sqlx::query_as(&sql).bind(user.uuid()).bind(MOST_SERIES).fetch_all(pool).await
}
