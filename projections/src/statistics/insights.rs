//! Of what the collection consists.

use super::{MOVED, tallied};
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

/// The prices of the kept pieces of person `$1`, with the rates `$2` and `$3` and the bounds `$4`. `$5` keeps NSFW ones
/// from being the dearest.
const PRICES: &str = "WITH kept AS MATERIALIZED (SELECT p.piece_id AS id, p.price_amount AS price, \
         p.price_amount * coalesce(p.price_fx_rate, \
             ($3::numeric[])[array_position($2::text[], p.price_currency::text)]) AS eur, \
         $5 AND coalesce(p.is_nsfw, false) AS is_hidden FROM cote_pieces AS p \
     WHERE p.user_id = $1 AND NOT p.awaited AND p.archived_on IS NULL) \
 SELECT 'pieces' AS section, NULL AS word, NULL AS slug, NULL::uuid AS id, count(*) AS n FROM kept \
 UNION ALL SELECT 'price', width_bucket(eur, $4::numeric[])::text, NULL, NULL, count(*) FROM kept \
     WHERE eur IS NOT NULL GROUP BY width_bucket(eur, $4::numeric[]) \
 UNION ALL SELECT 'incomparable', NULL, NULL, NULL, count(*) FROM kept \
     WHERE eur IS NULL AND price IS NOT NULL \
 UNION ALL (SELECT 'dearest', NULL, NULL, id, 1 FROM kept \
     WHERE eur IS NOT NULL AND NOT is_hidden ORDER BY eur DESC, id LIMIT 1)";

/// The conditions of the kept pieces of person `$1`.
const CONDITIONS: &str = "SELECT 'condition' AS section, condition AS word, NULL AS slug, NULL::uuid AS id, \
         count(*) AS n FROM owned_items \
     WHERE user_id = $1 AND archived_at IS NULL \
         AND (preorder_status IS NULL OR preorder_status = 'received') GROUP BY condition";

/// Of which types, makers, sculptors and series the kept pieces of person `$1` are.
fn kinds() -> String {
    let named = |section: &str, table: &str, tally: &str| {
        format!(
            " UNION ALL (SELECT '{section}', e.name, e.slug, e.id, g.n \
             FROM (SELECT id, n FROM ({tally}) AS t ORDER BY n DESC, id LIMIT {MOST_NAMED}) AS g \
             {table} AS e ON e.id = g.id)"
        )
    };
    let series = format!(
        "SELECT id, sum(n)::bigint AS n FROM (\
             SELECT id, n FROM ({}) AS single \
             UNION ALL SELECT s.series_id, count(*) FROM kept \
             JOIN figure_series AS s ON s.figure_id = kept.figure_id \
             WHERE kept.has_several_series GROUP BY s.series_id) AS counted GROUP BY id",
        tallied("series_id", "kept WHERE series_id IS NOT NULL"),
    );
    format!(
        "WITH {MOVED}, kept AS MATERIALIZED (\
             SELECT figure_id, figure_type, manufacturer_id, sculptor_id, series_id, has_several_series \
             FROM cote_pieces WHERE user_id = $1 AND NOT awaited AND archived_on IS NULL) \
         SELECT 'type' AS section, figure_type AS word, NULL AS slug, NULL::uuid AS id, count(*) AS n \
             FROM kept GROUP BY figure_type{}{}{}",
        named("maker", "LEFT JOIN manufacturers", &tallied("manufacturer_id", "kept")),
        named("sculptor", "LEFT JOIN sculptors", &tallied("sculptor_id", "kept")),
        named("series", "JOIN series", &series),
    )
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
    let prices = sqlx::query_as(PRICES)
        .bind(user.uuid())
        .bind(currencies)
        .bind(rates)
        .bind(bounds)
        .bind(hide_nsfw)
        .fetch_all(pool);
    let conditions = sqlx::query_as(CONDITIONS).bind(user.uuid()).fetch_all(pool);
    let kinds = kinds();
    let kinds = sqlx::query_as(&kinds).bind(user.uuid()).fetch_all(pool);
    let (prices, conditions, kinds): (Vec<Line>, Vec<Line>, Vec<Line>) =
        tokio::try_join!(prices, conditions, kinds)?;
    let mut all = Insights { prices: vec![0; bounds.len().saturating_add(1)], ..Insights::default() };
    for line in prices.into_iter().chain(conditions).chain(kinds) {
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
