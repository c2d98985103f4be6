//! Looking figures up, and searching for them.

use crate::entities::queries::find_id as find_entity_id;
use crate::search::{self, Words};
use crate::views::{EntityRef, Page, Relation, Viewer, shown_amount};
use chrono::{DateTime, Months, NaiveDate, Utc};
use domain::entity::EntityKind;
use domain::gtin::Gtin;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many values of a facet are counted.
const FACET_VALUES: i64 = 100;

/// A figure in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FigureCard {
    /// Its id.
    pub id: Uuid,
    /// Its slug, which survives renames.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The code of its type.
    pub figure_type: String,
    /// Its maker.
    pub manufacturer: Option<EntityRef>,
    /// Its series.
    pub series: Vec<EntityRef>,
    /// Its characters.
    pub characters: Vec<EntityRef>,
    /// What tells it from others of the same name.
    pub version_name: Option<String>,
    /// `1/7`, `non-scale` …
    pub scale: Option<String>,
    /// First day of the first announced release.
    pub release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    pub release_date_precision: Option<String>,
    /// The list price.
    pub msrp_amount: Option<String>,
    /// Its currency.
    pub msrp_currency: Option<String>,
    /// Whether it is an adult figure.
    pub is_nsfw: bool,
    /// The maker's own picture.
    pub official_image_url: Option<String>,
    /// What it is to the viewer.
    pub marker: Option<Relation>,
}

/// A figure with everything known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Figure {
    /// What lists show of it.
    #[serde(flatten)]
    pub card: FigureCard,
    /// Its sculptor.
    pub sculptor: Option<EntityRef>,
    /// Height in millimetres.
    pub height_mm: Option<i32>,
    /// What it is made of.
    pub materials: Option<String>,
    /// `Limited`, `DX` …
    pub edition: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Every announced release, re-runs too, oldest first.
    pub releases: Vec<Release>,
    /// The barcode as printed.
    pub jan: Option<String>,
    /// Its number on MyFigureCollection.
    pub mfc_id: Option<i64>,
    /// Where it is sold.
    pub buy_links: Vec<BuyLink>,
    /// Who added it.
    pub created_by: Option<Uuid>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The stream's version when it last changed, for the `ETag`.
    #[serde(skip)]
    pub version: i64,
}

/// An announced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// The first day of the announced period.
    pub release_date: NaiveDate,
    /// `day`, `month` or `year`.
    pub release_date_precision: String,
}

/// Where a figure is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuyLink {
    /// The store.
    pub store: EntityRef,
    /// The path, or the whole address, of its page there.
    pub path: String,
}

/// What to list. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Words to search for.
    pub q: Option<String>,
    /// The code of a type.
    pub figure_type: Option<String>,
    /// The slug or id of a manufacturer.
    pub manufacturer: Option<String>,
    /// The slug or id of a series.
    pub series: Option<String>,
    /// The slug or id of a character.
    pub character: Option<String>,
    /// Some day of the first month: figures with a release then or later.
    pub released_from: Option<NaiveDate>,
    /// Some day of the last month, which is included.
    pub released_to: Option<NaiveDate>,
    /// What the figures are to the viewer; nothing is anything to a viewer without an account.
    pub relation: Option<Relation>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The best answers to the search first; by name where nothing is searched for.
    #[default]
    Relevance,
    /// By name.
    Name,
    /// The ones added last first.
    Newest,
    /// The ones released last first; those without a date at the end.
    Release,
}

/// Where the next page of figures begins. It carries the order of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    sort: Sort,
    id: Uuid,
    #[serde(default)]
    rank: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<NaiveDate>,
}

/// How many figures there are of each value of each filter. A facet ignores its own filter and obeys the
/// others. Keys are those of the filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Facets {
    /// How many figures fit all filters.
    pub total: i64,
    /// By type.
    #[serde(rename = "type")]
    pub figure_type: Vec<TypeCount>,
    /// By maker, the hundred with the most figures.
    pub manufacturer: Vec<EntityCount>,
    /// By series, the hundred with the most figures.
    pub series: Vec<EntityCount>,
    /// By character, the hundred with the most figures.
    pub character: Vec<EntityCount>,
    /// By what they are to the viewer.
    pub relation: RelationCounts,
}

/// How many figures are something to the viewer. One that is pre-ordered and owned counts as both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct RelationCounts {
    /// There is a pre-order that is neither received nor cancelled.
    pub preordered: i64,
    /// There is a piece on the shelf.
    pub owned: i64,
    /// There is a wish.
    pub wished: i64,
}

/// How many figures are of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct TypeCount {
    /// The code of the type.
    pub figure_type: String,
    /// How many.
    pub count: i64,
}

/// How many figures name an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct EntityCount {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// How many.
    pub count: i64,
}

#[derive(FromRow)]
struct CardRow {
    id: Uuid,
    slug: String,
    name: String,
    figure_type: String,
    manufacturer: Option<Json<EntityRef>>,
    series: Json<Vec<EntityRef>>,
    characters: Json<Vec<EntityRef>>,
    version_name: Option<String>,
    scale: Option<String>,
    release_date: Option<NaiveDate>,
    release_date_precision: Option<String>,
    msrp_amount: Option<Decimal>,
    msrp_currency: Option<String>,
    is_nsfw: bool,
    official_image_url: Option<String>,
    marker: Option<String>,
    sort_name: String,
    created_at: DateTime<Utc>,
    rank: i64,
}

#[derive(FromRow)]
struct FullRow {
    #[sqlx(flatten)]
    card: CardRow,
    sculptor: Option<Json<EntityRef>>,
    height_mm: Option<i32>,
    materials: Option<String>,
    edition: Option<String>,
    description: Option<String>,
    releases: Json<Vec<Release>>,
    jan: Option<String>,
    mfc_id: Option<i64>,
    buy_links: Json<Vec<BuyLink>>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    version: i64,
}

/// The columns of a card but for the marker and the rank, of figure `f`.
const CARD: &str = "f.id, f.slug, f.name, f.figure_type, \
     (SELECT json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      FROM manufacturers AS e WHERE e.id = f.manufacturer_id) AS manufacturer, \
     (SELECT coalesce(json_agg(json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      ORDER BY l.position), '[]') FROM figure_series AS l JOIN series AS e ON e.id = l.series_id \
      WHERE l.figure_id = f.id) AS series, \
     (SELECT coalesce(json_agg(json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      ORDER BY l.position), '[]') FROM figure_characters AS l JOIN characters AS e ON e.id = l.character_id \
      WHERE l.figure_id = f.id) AS characters, \
     f.version_name, f.scale, f.release_date, f.release_date_precision, f.msrp_amount, f.msrp_currency, \
     f.is_nsfw, f.official_image_url, f.sort_name, f.created_at, ";

/// What a whole figure has beside its card.
const REST: &str = ", 0::bigint AS rank, \
     (SELECT json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      FROM sculptors AS e WHERE e.id = f.sculptor_id) AS sculptor, \
     f.height_mm, f.materials, f.edition, f.description, \
     (SELECT coalesce(json_agg(json_build_object('release_date', r.release_date, \
      'release_date_precision', r.release_date_precision) ORDER BY r.position), '[]') \
      FROM figure_releases AS r WHERE r.figure_id = f.id) AS releases, \
     f.jan, f.mfc_id, \
     (SELECT coalesce(json_agg(json_build_object('path', l.path, \
      'store', json_build_object('id', e.id, 'name', e.name, 'slug', e.slug)) ORDER BY l.position), '[]') \
      FROM figure_links AS l JOIN stores AS e ON e.id = l.store_id WHERE l.figure_id = f.id) AS buy_links, \
     f.created_by, f.updated_at, f.version FROM figures AS f WHERE f.id = ";

impl From<CardRow> for FigureCard {
    fn from(row: CardRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            figure_type: row.figure_type,
            manufacturer: row.manufacturer.map(|entity| entity.0),
            series: row.series.0,
            characters: row.characters.0,
            version_name: row.version_name,
            scale: row.scale,
            release_date: row.release_date,
            release_date_precision: row.release_date_precision,
            msrp_amount: shown_amount(row.msrp_amount, row.msrp_currency.as_deref()),
            msrp_currency: row.msrp_currency,
            is_nsfw: row.is_nsfw,
            official_image_url: row.official_image_url,
            marker: row.marker.as_deref().and_then(Relation::from_word),
        }
    }
}

impl From<FullRow> for Figure {
    fn from(row: FullRow) -> Self {
        Self {
            created_at: row.card.created_at,
            card: row.card.into(),
            sculptor: row.sculptor.map(|entity| entity.0),
            height_mm: row.height_mm,
            materials: row.materials,
            edition: row.edition,
            description: row.description,
            releases: row.releases.0,
            jan: row.jan,
            mfc_id: row.mfc_id,
            buy_links: row.buy_links.0,
            created_by: row.created_by,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// The figure that an id or slug leads to now, through merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find(pool: &PgPool, id_or_slug: &str, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    let mut asked = None;
    loop {
        let Some(id) = find_id(pool, id_or_slug).await? else { return Ok(None) };
        let figure = by_id(pool, id, viewer).await?;
        // A merge between the two questions leaves no figure of that id; asked again, its alias leads on.
        if figure.is_some() || asked.replace(id) == Some(id) {
            return Ok(figure);
        }
    }
}

/// The id of the figure that an id or slug leads to now, through merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find_id(pool: &PgPool, id_or_slug: &str) -> sqlx::Result<Option<Uuid>> {
    let id: Option<Uuid> = id_or_slug.parse().ok();
    sqlx::query_scalar(
        "SELECT found.id FROM ( \
         SELECT 1 AS place, id FROM figures WHERE id = $1 \
         UNION ALL SELECT 2, id FROM figures WHERE slug = $2 \
         UNION ALL SELECT 3, figure_id FROM figure_aliases \
         WHERE (namespace = 'slug' AND alias = $2) OR (namespace = 'id' AND alias = $1::text)) AS found \
         ORDER BY found.place LIMIT 1",
    )
    .bind(id)
    .bind(id_or_slug)
    .fetch_optional(pool)
    .await
}

/// The figure with a barcode, however it is written (UPC-A or EAN-13).
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_jan(pool: &PgPool, jan: &Gtin, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    find_by_code(pool, "gtin", jan.normalised(), viewer).await
}

/// The figure with a MyFigureCollection id.
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_mfc_id(pool: &PgPool, mfc_id: i64, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    find_by_code(pool, "mfc", mfc_id.to_string(), viewer).await
}

async fn find_by_code(
    pool: &PgPool,
    namespace: &str,
    code: String,
    viewer: Viewer,
) -> sqlx::Result<Option<Figure>> {
    let column = if namespace == "gtin" { "gtin = $1" } else { "mfc_id = $1::bigint" };
    let sql = format!(
        "SELECT found.id FROM (SELECT 1 AS place, id FROM figures WHERE {column} \
         UNION ALL SELECT 2, figure_id FROM figure_aliases WHERE namespace = $2 AND alias = $1) AS found \
         ORDER BY found.place, found.id LIMIT 1"
    );
    let id = sqlx::query_scalar(&sql).bind(code).bind(namespace).fetch_optional(pool).await?;
    match id {
        Some(id) => by_id(pool, id, viewer).await,
        None => Ok(None),
    }
}

async fn by_id(pool: &PgPool, id: Uuid, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(CARD);
    push_marker(&mut sql, viewer);
    sql.push(REST).push_bind(id);
    let row: Option<FullRow> = sql.build_query_as().fetch_optional(pool).await?;
    Ok(row.map(Figure::from))
}

/// Figures that fit a filter. The cursor, if given, also says the order.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    sort: Sort,
    viewer: Viewer,
    after: Option<&Cursor>,
    limit: u32,
) -> sqlx::Result<Page<FigureCard, Cursor>> {
    let Some(entities) = Entities::of(pool, filter).await? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let (mut reading, words) = reading(pool, filter).await?;
    let sort = match after.map_or(sort, |cursor| cursor.sort) {
        Sort::Relevance if words.is_empty() => Sort::Name,
        sort => sort,
    };
    // The page's figures are found first, so that what only they need is not looked up for all.
    let mut sql = QueryBuilder::new("WITH page AS (SELECT found.id, found.rank FROM (SELECT f.id, ");
    if sort == Sort::Relevance {
        words.push_rank(&mut sql, "f.search_text", "f.sort_name");
    } else {
        sql.push("0::bigint");
    }
    sql.push(" AS rank, f.sort_name, f.created_at, coalesce(f.release_date, '-infinity') AS released FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, None);
    sql.push(") AS found");
    if let Some(cursor) = after {
        push_after(&mut sql, sort, cursor);
    }
    sql.push(order(sort, "found.")).push(" LIMIT ").push_bind(i64::from(limit).saturating_add(1));
    sql.push(") SELECT ").push(CARD);
    push_marker(&mut sql, viewer);
    sql.push(", page.rank, coalesce(f.release_date, '-infinity') AS released FROM page JOIN figures AS f ON f.id = page.id");
    sql.push(match sort {
        Sort::Relevance => " ORDER BY page.rank DESC, f.sort_name, f.id",
        Sort::Name => " ORDER BY f.sort_name, f.id",
        Sort::Newest => " ORDER BY f.created_at DESC, f.id DESC",
        Sort::Release => " ORDER BY released DESC, f.id DESC",
    });
    let rows: Vec<CardRow> = sql.build_query_as().fetch_all(&mut *reading).await?;
    reading.commit().await?;
    let page = Page::cut(rows, limit, |last| Cursor {
        sort,
        id: last.id,
        rank: last.rank,
        name: if matches!(sort, Sort::Relevance | Sort::Name) {
            last.sort_name.clone()
        } else {
            String::new()
        },
        at: (sort == Sort::Newest).then_some(last.created_at),
        date: last.release_date.filter(|_| sort == Sort::Release),
    });
    Ok(page.map(FigureCard::from))
}

/// A reading of what fits a filter, and what its words are taken for. It holds a connection, so nothing else
/// may be asked of the pool before it is over.
async fn reading(pool: &PgPool, filter: &Filter) -> sqlx::Result<(Transaction<'static, Postgres>, Words)> {
    let mut reading = search::begin(pool).await?;
    let words = Words::of(filter.q.as_deref().unwrap_or_default());
    let words = words.looked_up(&mut reading, "figures", "search_text").await?;
    Ok((reading, words))
}

/// How many figures that fit a filter there are of each type, maker, series, character and relation.
///
/// # Errors
/// When the database does not answer.
pub async fn facets(pool: &PgPool, filter: &Filter, viewer: Viewer) -> sqlx::Result<Facets> {
    let entities = Entities::lookup(pool, filter).await?;
    let (mut reading, words) = reading(pool, filter).await?;
    let mut sql = QueryBuilder::new("SELECT f.figure_type, count(*) AS count FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, Some(Facet::FigureType));
    sql.push(" GROUP BY f.figure_type ORDER BY count DESC, f.figure_type");
    let figure_type = sql.build_query_as().fetch_all(&mut *reading).await?;
    let mut sql = QueryBuilder::new("SELECT count(*) FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, None);
    let total = sql.build_query_scalar().fetch_one(&mut *reading).await?;
    let mut sql = QueryBuilder::new("SELECT ");
    for (relation, word) in RELATIONS {
        sql.push("count(*) FILTER (WHERE ");
        push_relation(&mut sql, relation, viewer);
        sql.push(format_args!(") AS {word}{}", if relation == Relation::Wished { "" } else { ", " }));
    }
    sql.push(" FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, Some(Facet::Relation));
    let relation = sql.build_query_as().fetch_one(&mut *reading).await?;
    let mut count = async |facet: Facet, joined: &str| -> sqlx::Result<Vec<EntityCount>> {
        let mut sql = QueryBuilder::new(format!(
            "SELECT e.id, e.name, e.slug, count(*) AS count FROM figures AS f {joined}"
        ));
        push_filter(&mut sql, filter, &entities, &words, viewer, Some(facet));
        sql.push(" GROUP BY e.id, e.name, e.slug, e.sort_name ORDER BY count DESC, e.sort_name, e.id LIMIT ");
        sql.push_bind(FACET_VALUES);
        sql.build_query_as().fetch_all(&mut *reading).await
    };
    let facets = Facets {
        total,
        relation,
        figure_type,
        manufacturer: count(Facet::Manufacturer, "JOIN manufacturers AS e ON e.id = f.manufacturer_id")
            .await?,
        series: count(
            Facet::Series,
            "JOIN figure_series AS l ON l.figure_id = f.id JOIN series AS e ON e.id = l.series_id",
        )
        .await?,
        character: count(
            Facet::Character,
            "JOIN figure_characters AS l ON l.figure_id = f.id JOIN characters AS e ON e.id = l.character_id",
        )
        .await?,
    };
    reading.commit().await?;
    Ok(facets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Facet {
    FigureType,
    Manufacturer,
    Series,
    Character,
    Relation,
}

/// What a figure can be to a viewer, in the order in which it is told, with its word.
const RELATIONS: [(Relation, &str); 3] =
    [(Relation::Preordered, "preordered"), (Relation::Owned, "owned"), (Relation::Wished, "wished")];

/// The entities of a filter: for each that was given, its id, or none when nothing is called so.
struct Entities {
    manufacturer: Option<Option<Uuid>>,
    series: Option<Option<Uuid>>,
    character: Option<Option<Uuid>>,
}

impl Entities {
    async fn lookup(pool: &PgPool, filter: &Filter) -> sqlx::Result<Self> {
        let find = async |kind, name: &Option<String>| match name {
            Some(name) => find_entity_id(pool, kind, name).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            manufacturer: find(EntityKind::Manufacturer, &filter.manufacturer).await?,
            series: find(EntityKind::Series, &filter.series).await?,
            character: find(EntityKind::Character, &filter.character).await?,
        })
    }

    /// The same; none when one of them does not exist, so that nothing can fit.
    async fn of(pool: &PgPool, filter: &Filter) -> sqlx::Result<Option<Self>> {
        let found = Self::lookup(pool, filter).await?;
        let nowhere = [found.manufacturer, found.series, found.character].contains(&Some(None));
        Ok((!nowhere).then_some(found))
    }
}

/// Writes `WHERE …` for figures `f`, without the filter of one facet.
fn push_filter(
    sql: &mut QueryBuilder<'_, Postgres>,
    filter: &Filter,
    entities: &Entities,
    words: &Words,
    viewer: Viewer,
    without: Option<Facet>,
) {
    sql.push(if viewer.hides_nsfw { " WHERE NOT f.is_nsfw" } else { " WHERE true" });
    words.push_condition(sql, "f.search_text");
    if let Some(figure_type) = filter.figure_type.as_ref().filter(|_| without != Some(Facet::FigureType)) {
        sql.push(" AND f.figure_type = ").push_bind(figure_type.clone());
    }
    if let Some(id) = entities.manufacturer.filter(|_| without != Some(Facet::Manufacturer)) {
        sql.push(" AND f.manufacturer_id = ").push_bind(id);
    }
    if let Some(id) = entities.series.filter(|_| without != Some(Facet::Series)) {
        sql.push(" AND EXISTS (SELECT 1 FROM figure_series AS s WHERE s.figure_id = f.id AND s.series_id = ");
        sql.push_bind(id).push(")");
    }
    if let Some(id) = entities.character.filter(|_| without != Some(Facet::Character)) {
        sql.push(
            " AND EXISTS (SELECT 1 FROM figure_characters AS c WHERE c.figure_id = f.id AND c.character_id = ",
        );
        sql.push_bind(id).push(")");
    }
    if filter.released_from.is_some() || filter.released_to.is_some() {
        // A release that is only known by its month or year may be on any day of it.
        sql.push(" AND EXISTS (SELECT 1 FROM figure_releases AS r WHERE r.figure_id = f.id");
        if let Some(from) = filter.released_from {
            sql.push(
                " AND r.release_date + CASE r.release_date_precision WHEN 'year' THEN interval '1 year' \
                 WHEN 'month' THEN interval '1 month' ELSE interval '1 day' END > ",
            );
            sql.push_bind(first_of_month(from));
        }
        if let Some(to) = filter.released_to {
            let end = first_of_month(to).checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
            sql.push(" AND r.release_date < ").push_bind(end);
        }
        sql.push(")");
    }
    if let Some(relation) = filter.relation.filter(|_| without != Some(Facet::Relation)) {
        sql.push(" AND ");
        push_relation(sql, relation, viewer);
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    use chrono::Datelike;
    day.with_day(1).unwrap_or(day)
}

fn push_relation(sql: &mut QueryBuilder<'_, Postgres>, relation: Relation, viewer: Viewer) {
    let Some((before, after)) = relation.condition().split_once('?') else { return };
    sql.push(before).push_bind(viewer.user_id).push(after);
}

/// Writes what figure `f` is to the viewer, `AS marker`.
fn push_marker(sql: &mut QueryBuilder<'_, Postgres>, viewer: Viewer) {
    if viewer.user_id.is_none() {
        sql.push("NULL::text AS marker");
        return;
    }
    sql.push("CASE");
    for (relation, word) in RELATIONS {
        sql.push(" WHEN ");
        push_relation(sql, relation, viewer);
        sql.push(format_args!(" THEN '{word}'"));
    }
    sql.push(" END AS marker");
}

fn order(sort: Sort, of: &str) -> String {
    match sort {
        Sort::Relevance => format!(" ORDER BY {of}rank DESC, {of}sort_name, {of}id"),
        Sort::Name => format!(" ORDER BY {of}sort_name, {of}id"),
        Sort::Newest => format!(" ORDER BY {of}created_at DESC, {of}id DESC"),
        Sort::Release => format!(" ORDER BY {of}released DESC, {of}id DESC"),
    }
}

/// Writes `WHERE …` for what comes after the cursor.
fn push_after(sql: &mut QueryBuilder<'_, Postgres>, sort: Sort, cursor: &Cursor) {
    match sort {
        Sort::Relevance => {
            sql.push(" WHERE (-found.rank, found.sort_name, found.id) > (");
            sql.push_bind(cursor.rank.saturating_neg()).push(", ").push_bind(cursor.name.clone());
        }
        Sort::Name => {
            sql.push(" WHERE (found.sort_name, found.id) > (").push_bind(cursor.name.clone());
        }
        Sort::Newest => {
            sql.push(" WHERE (found.created_at, found.id) < (").push_bind(cursor.at);
        }
        Sort::Release => {
            sql.push(" WHERE (found.released, found.id) < (coalesce(").push_bind(cursor.date);
            sql.push(", '-infinity')");
        }
    }
    sql.push(", ").push_bind(cursor.id).push(")");
}
