//! Of what the collection consists.

use super::now;
use domain::ids::UserId;
use domain::money::Currency;
use domain::money::rates::RateTable;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// How many makers, series and sculptors are told.
const MOST_NAMED: i64 = 50;

/// Of what the collection consists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Insights {
    /// Pieces kept.
    pub pieces: i64,
    /// Among them, pieces by type, the commonest first.
    pub types: Vec<Breakdown>,
    /// By condition; no word for those of which it is not known.
    pub conditions: Vec<Breakdown>,
    /// By maker.
    pub makers: Vec<Named>,
    /// By series.
    pub series: Vec<Named>,
    /// By sculptor.
    pub sculptors: Vec<Named>,
    /// How many kept pieces cost less than each bound, and not less than the one before; one more for the
    /// rest.
    pub prices: Vec<i64>,
    /// Kept pieces with a price that cannot be compared, for want of a rate.
    pub incomparable: i64,
    /// The piece with the greatest price, in euro.
    pub dearest: Option<Uuid>,
}

/// How many pieces there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// The kind.
    pub word: Option<String>,
    /// How many.
    pub pieces: i64,
}

/// How many pieces there are of one maker, series or sculptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id; none for the pieces that have none.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: Option<String>,
    /// Its slug.
    pub slug: Option<String>,
    /// How many.
    pub pieces: i64,
}

#[derive(sqlx::FromRow)]
struct Line {
    section: String,
    word: Option<String>,
    slug: Option<String>,
    id: Option<Uuid>,
    n: i64,
}

/// Euro for one unit of each currency that can be converted now, as two arrays to bind.
pub(crate) fn rates_of(today: Option<&RateTable>) -> (Vec<String>, Vec<Decimal>) {
    let rate = |currency: Currency| match today {
        _ if currency == Currency::Eur => Some(Decimal::ONE),
        Some(table) => table.eur_for_one(currency).map(|rate| rate.decimal()),
        None => None,
    };
    Currency::ALL.into_iter().filter_map(|c| Some((c.code().to_owned(), rate(c)?))).unzip()
}

/// Takes the collection of a person apart. `bounds` are the bounds of the price distribution in euro, in
/// ascending order; prices are taken at their frozen rates, else at today's. `hide_nsfw` keeps such pieces from
/// being the dearest.
///
/// # Errors
/// When the database does not answer.
pub async fn insights(
    pool: &PgPool,
    user: UserId,
    today: Option<&RateTable>,
    bounds: &[Decimal],
    hide_nsfw: bool,
) -> sqlx::Result<Insights> {
    let (currencies, rates) = rates_of(today);
    let priced = "WITH kept AS MATERIALIZED (SELECT o.id, o.figure_id, o.condition, o.price_amount AS price, \
                 o.price_amount * coalesce(o.price_fx_rate, r.rate) AS eur FROM owned_items AS o \
             LEFT JOIN unnest($2::text[], $3::numeric[]) AS r(currency, rate) ON r.currency = o.price_currency \
             WHERE o.user_id = $1 AND o.archived_at IS NULL \
                 AND (o.preorder_status IS NULL OR o.preorder_status = 'received')) \
         SELECT 'pieces' AS section, NULL AS word, NULL AS slug, NULL::uuid AS id, count(*) AS n FROM kept \
         UNION ALL SELECT 'condition', condition, NULL, NULL, count(*) FROM kept GROUP BY condition \
         UNION ALL SELECT 'price', width_bucket(eur, $4::numeric[])::text, NULL, NULL, count(*) FROM kept \
             WHERE eur IS NOT NULL GROUP BY width_bucket(eur, $4::numeric[]) \
         UNION ALL SELECT 'incomparable', NULL, NULL, NULL, count(*) FROM kept \
             WHERE eur IS NULL AND price IS NOT NULL \
         UNION ALL (SELECT 'dearest', NULL, NULL, kept.id, 1 FROM kept \
             WHERE eur IS NOT NULL AND NOT ($5 AND EXISTS \
                 (SELECT FROM cote_figures AS f WHERE f.figure_id = kept.figure_id AND f.is_nsfw)) \
             ORDER BY eur DESC, kept.id LIMIT 1)";
    let named = |section: &str, table: &str, column: &str| {
        format!(
            "UNION ALL (SELECT '{section}', e.name, e.slug, e.id, g.n FROM \
             (SELECT {column} AS id, sum(n)::bigint AS n FROM kinds GROUP BY {column} \
              ORDER BY sum(n) DESC, {column} LIMIT $2) AS g LEFT JOIN {table} AS e ON e.id = g.id) "
        )
    };
    let kinds = format!(
        "WITH kept AS (SELECT figure_id FROM cote_pieces \
             WHERE user_id = $1 AND NOT awaited AND archived_on IS NULL), \
         called AS (SELECT f.figure_type, f.manufacturer_id, f.sculptor_id, count(*) AS n \
             FROM kept LEFT JOIN cote_figures AS f ON f.figure_id = kept.figure_id \
             GROUP BY f.figure_type, f.manufacturer_id, f.sculptor_id), \
         kinds AS MATERIALIZED (SELECT figure_type, {} AS manufacturer_id, {} AS sculptor_id, n FROM called) \
         SELECT 'type' AS section, figure_type AS word, NULL AS slug, NULL::uuid AS id, sum(n)::bigint AS n \
             FROM kinds GROUP BY figure_type \
         {}{}UNION ALL (SELECT 'series', e.name, e.slug, e.id, g.n FROM \
             (SELECT s.series_id AS id, count(*) AS n FROM kept \
              JOIN figure_series AS s ON s.figure_id = kept.figure_id \
              GROUP BY s.series_id ORDER BY count(*) DESC, s.series_id LIMIT $2) AS g \
             JOIN series AS e ON e.id = g.id)",
        now("called.manufacturer_id"),
        now("called.sculptor_id"),
        named("maker", "manufacturers", "manufacturer_id"),
        named("sculptor", "sculptors", "sculptor_id"),
    );
    let priced = sqlx::query_as(priced)
        .bind(user.uuid())
        .bind(currencies)
        .bind(rates)
        .bind(bounds)
        .bind(hide_nsfw)
        .fetch_all(pool);
    let kinds = sqlx::query_as(&kinds).bind(user.uuid()).bind(MOST_NAMED).fetch_all(pool);
    let (mut lines, kinds): (Vec<Line>, Vec<Line>) = tokio::try_join!(priced, kinds)?;
    lines.extend(kinds);
    let mut all = Insights { prices: vec![0; bounds.len().saturating_add(1)], ..Insights::default() };
    for line in lines {
        all.take(line);
    }
    for breakdown in [&mut all.types, &mut all.conditions] {
        breakdown.sort_by(|a, b| b.pieces.cmp(&a.pieces).then_with(|| a.word.cmp(&b.word)));
    }
    for named in [&mut all.makers, &mut all.series, &mut all.sculptors] {
        named.sort_by(|a, b| b.pieces.cmp(&a.pieces).then_with(|| a.name.cmp(&b.name)));
    }
    Ok(all)
}

impl Insights {
    fn take(&mut self, line: Line) {
        let Line { section, word, slug, id, n } = line;
        match section.as_str() {
            "pieces" => self.pieces = n,
            "type" => self.types.push(Breakdown { word, pieces: n }),
            "condition" => self.conditions.push(Breakdown { word, pieces: n }),
            "maker" => self.makers.push(Named { id, name: word, slug, pieces: n }),
            "series" => self.series.push(Named { id, name: word, slug, pieces: n }),
            "sculptor" => self.sculptors.push(Named { id, name: word, slug, pieces: n }),
            "price" => {
                let bucket = word.and_then(|word| word.parse::<usize>().ok());
                if let Some(count) = bucket.and_then(|bucket| self.prices.get_mut(bucket)) {
                    *count = n;
                }
            }
            "incomparable" => self.incomparable = n,
            "dearest" => self.dearest = id,
            _ => {}
        }
    }
}
