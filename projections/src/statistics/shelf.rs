//! Which figures stand on somebody's shelves, and how much of each series that is.

use super::now;
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
        "WITH seen AS MATERIALIZED (SELECT DISTINCT p.figure_id, f.figure_type, f.manufacturer_id, \
                 NOT ($3 AND coalesce(f.is_nsfw, false)) AS is_shown \
             FROM cote_pieces AS p LEFT JOIN cote_figures AS f ON f.figure_id = p.figure_id \
             WHERE p.user_id = $1 AND NOT p.awaited AND p.archived_on IS NULL), \
         named AS (SELECT figure_type, manufacturer_id, count(*) AS n FROM seen \
             GROUP BY figure_type, manufacturer_id), \
         kinds AS (SELECT figure_type, {} AS manufacturer_id, n FROM named), \
         held AS MATERIALIZED (SELECT fs.series_id, count(*) FILTER (WHERE seen.is_shown) AS owned FROM seen \
             JOIN figure_series AS fs ON fs.figure_id = seen.figure_id GROUP BY fs.series_id), \
         fullest AS (SELECT series_id, owned FROM held WHERE owned > 0 ORDER BY owned DESC, series_id LIMIT $2) \
         SELECT NULL::uuid AS id, NULL AS name, NULL AS slug, NULL AS sort_name, \
             coalesce(sum(n), 0)::bigint AS n, count(DISTINCT figure_type) AS types, \
             count(DISTINCT manufacturer_id) AS makers, (SELECT count(*) FROM held) AS series, \
             NULL::bigint AS figures FROM kinds \
         UNION ALL SELECT s.id, s.name, s.slug, s.sort_name, fullest.owned, NULL, NULL, NULL, \
             (SELECT count(*) FROM figure_series AS fs {shown} WHERE fs.series_id = s.id) \
         FROM fullest JOIN series AS s ON s.id = fullest.series_id",
        now("named.manufacturer_id"),
    );
    let query = sqlx::query_as(&sql).bind(user.uuid()).bind(MOST_SERIES).bind(hide_nsfw);
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
