//! Which figures stand on somebody's shelves, and how much of each series that is.

use super::{MOVED, tallied};
use domain::ids::UserId;
use sqlx::PgPool;
use uuid::Uuid;

/// How many series are compared with the catalogue.
const MOST_SERIES: i64 = 20;

/// How much of a series is owned.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The figures of the pieces that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shelf {
    /// How many.
    pub figures: i64,
    /// Of how many types.
    pub types: i64,
    /// Of how many makers.
    pub makers: i64,
    /// Of how many series.
    pub series: i64,
    /// The series of most of them, the fullest first.
    pub fullest: Vec<Completion>,
}

#[derive(sqlx::FromRow)]
struct Line {
    id: Option<Uuid>,
    name: Option<String>,
    slug: Option<String>,
    sort_name: Option<String>,
    n: i64,
    types: Option<i64>,
    makers: Option<i64>,
    series: Option<i64>,
    figures: Option<i64>,
}

/// Looks at a person's shelves. `hide_nsfw` leaves such figures out of what series hold, here and in the catalogue.
pub(super) async fn shelf(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Shelf> {
    // Who hides nothing need not look at every figure of a series.
    let shown = if hide_nsfw { "JOIN figures AS f ON f.id = fs.figure_id AND NOT f.is_nsfw" } else { "" };
    let sql = format!(
        "WITH {MOVED}, \
         seen AS MATERIALIZED (SELECT DISTINCT figure_id, figure_type, manufacturer_id, series_id, \
                 has_several_series, NOT ($2 AND coalesce(is_nsfw, false)) AS is_shown \
             FROM cote_pieces WHERE user_id = $1 AND NOT awaited AND archived_on IS NULL), \
         each AS (SELECT coalesce(moved.merged_into, t.series_id) AS series_id, t.owned \
             FROM (SELECT series_id, count(*) FILTER (WHERE is_shown) AS owned FROM seen \
                 WHERE series_id IS NOT NULL GROUP BY series_id) AS t \
             LEFT JOIN moved ON moved.id = t.series_id \
             UNION ALL SELECT fs.series_id, count(*) FILTER (WHERE seen.is_shown) FROM seen \
             JOIN figure_series AS fs ON fs.figure_id = seen.figure_id \
             WHERE seen.has_several_series GROUP BY fs.series_id), \
         held AS MATERIALIZED (SELECT series_id, sum(owned)::bigint AS owned FROM each GROUP BY series_id), \
         fullest AS (SELECT series_id, owned FROM held WHERE owned > 0 \
             ORDER BY owned DESC, series_id LIMIT {MOST_SERIES}) \
         SELECT NULL::uuid AS id, NULL AS name, NULL AS slug, NULL AS sort_name, count(*) AS n, \
             (SELECT count(figure_type) FROM (SELECT figure_type FROM seen GROUP BY figure_type) AS t) AS types, \
             (SELECT count(id) FROM ({}) AS t) AS makers, \
             (SELECT count(*) FROM held) AS series, NULL::bigint AS figures FROM seen \
         UNION ALL SELECT s.id, s.name, s.slug, s.sort_name, fullest.owned, NULL, NULL, NULL, \
             (SELECT count(*) FROM figure_series AS fs {shown} WHERE fs.series_id = s.id) \
         FROM fullest JOIN series AS s ON s.id = fullest.series_id",
        tallied("manufacturer_id", "seen"),
    );
    let query = sqlx::query_as(&sql).bind(user.uuid()).bind(hide_nsfw);
    let mut lines: Vec<Line> = query.fetch_all(pool).await?;
    lines.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.sort_name.cmp(&b.sort_name)).then(a.id.cmp(&b.id)));
    let mut shelf = Shelf::default();
    for line in lines {
        match line {
            Line { id: None, n, types, makers, series, .. } => {
                shelf.figures = n;
                shelf.types = types.unwrap_or_default();
                shelf.makers = makers.unwrap_or_default();
                shelf.series = series.unwrap_or_default();
            }
            Line { id: Some(id), name: Some(name), slug: Some(slug), n, figures, .. } => {
                let figures = figures.unwrap_or_default();
                shelf.fullest.push(Completion { id, name, slug, owned: n, figures });
            }
            Line { .. } => {}
        }
    }
    Ok(shelf)
}
