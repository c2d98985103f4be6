//! Reading pre-orders.

use super::rows::{ChapterRow, DateHistoryRow, PreorderRow};
use crate::engine::Row as _;
use crate::figures::summary::{EntityName, FigureSummary};
use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::{FigureId, PieceId, PreorderId, UserId};
use domain::preorder::Status;
use domain::stream::Version;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, QueryBuilder, Row};
use uuid::Uuid;

/// What stands in for an unknown release date, so that those come last.
const UNDATED: &str = "DATE '9999-12-31'";
/// Chapters that a detail page shows at most, the latest ones.
const MOST_CHAPTERS: i64 = 200;

/// What is shown of a pre-order's piece.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are the columns of `owned_items`")]
pub struct PieceEssentials {
    pub id: Uuid,
    pub condition: Option<String>,
    pub location: Option<String>,
    pub purchase_date: Option<NaiveDate>,
    pub archived_at: Option<DateTime<Utc>>,
    pub archive_reason: Option<String>,
    /// The collection's version when the piece last changed.
    pub version: Version,
}

/// A chapter with what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The chapter.
    pub preorder: PreorderRow,
    /// The chapter that stands for the piece now, when this is an earlier one.
    pub replaced_by: Option<PreorderId>,
    /// Its figure.
    pub figure: FigureSummary,
    /// Its piece.
    pub piece: PieceEssentials,
    /// Where it was ordered.
    pub store: Option<EntityName>,
}

/// Columns of a chapter `p` with its piece, figure and store; the chapter's own come first.
fn select(replaced_by: &str) -> String {
    let own = PreorderRow::COLUMNS.iter().map(|column| format!("p.{column}")).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {own}, {replaced_by} AS replaced_by, i.id AS piece_id, i.condition AS piece_condition, \
         i.location AS piece_location, i.purchase_date AS piece_purchase_date, \
         i.archived_at AS piece_archived_at, i.archive_reason AS piece_archive_reason, \
         i.version AS piece_version, s.id AS shop_id, s.name AS shop_name, s.slug AS shop_slug, {}",
        FigureSummary::COLUMNS
    )
}

fn joins() -> String {
    format!(
        "JOIN owned_items AS i ON i.id = p.owned_item_id JOIN figures AS f ON f.id = p.figure_id {} \
         LEFT JOIN stores AS s ON s.id = p.store_id",
        FigureSummary::JOINS
    )
}

impl Found {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            preorder: PreorderRow::read(row)?,
            replaced_by: row.try_get::<Option<Uuid>, _>("replaced_by")?.map(PreorderId),
            figure: FigureSummary::read(row)?,
            piece: PieceEssentials {
                id: row.try_get("piece_id")?,
                condition: row.try_get("piece_condition")?,
                location: row.try_get("piece_location")?,
                purchase_date: row.try_get("piece_purchase_date")?,
                archived_at: row.try_get("piece_archived_at")?,
                archive_reason: row.try_get("piece_archive_reason")?,
                version: Version(row.try_get("piece_version")?),
            },
            store: EntityName::read(row, "shop")?,
        })
    }
}

/// A person's pre-order by its id, earlier chapters too; `None` for other people's.
///
/// # Errors
/// When the database does.
pub async fn find(pool: &PgPool, user: UserId, id: PreorderId) -> sqlx::Result<Option<Found>> {
    let sql = format!(
        "{} FROM preorders AS p {} WHERE p.id = $1 AND p.user_id = $2 \
         UNION ALL {} FROM preorder_chapters AS p {} \
         JOIN preorders AS c ON c.owned_item_id = p.owned_item_id WHERE p.id = $1 AND p.user_id = $2",
        select("NULL::uuid"),
        joins(),
        select("c.id"),
        joins(),
    );
    let row = sqlx::query(&sql).bind(id.uuid()).bind(user.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(Found::read).transpose()
}

/// The piece that a pre-order's id stands for, and whether the id is that of its current chapter.
///
/// # Errors
/// When the database does.
pub async fn stands_for(
    pool: &PgPool,
    user: UserId,
    id: PreorderId,
) -> sqlx::Result<Option<(PieceId, bool)>> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(
        "SELECT owned_item_id, true FROM preorders WHERE id = $1 AND user_id = $2 \
         UNION ALL SELECT owned_item_id, false FROM preorder_chapters WHERE id = $1 AND user_id = $2",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(piece, is_current)| (PieceId(piece), is_current)))
}

/// The chapters that were placed before one, the latest first, each with its store.
///
/// # Errors
/// When the database does.
pub async fn chapters_of(
    pool: &PgPool,
    chapter: &PreorderRow,
) -> sqlx::Result<Vec<(PreorderRow, Option<EntityName>)>> {
    let own = ChapterRow::COLUMNS.iter().map(|column| format!("p.{column}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {own}, s.id AS shop_id, s.name AS shop_name, s.slug AS shop_slug \
         FROM preorder_chapters AS p LEFT JOIN stores AS s ON s.id = p.store_id \
         WHERE p.owned_item_id = $1 AND p.version < $2 ORDER BY p.version DESC LIMIT $3"
    );
    let rows = sqlx::query(&sql)
        .bind(chapter.owned_item_id)
        .bind(chapter.version)
        .bind(MOST_CHAPTERS)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok((ChapterRow::read(row)?.into(), EntityName::read(row, "shop")?))).collect()
}

/// One change of date.
pub type HistoryEntry = DateHistoryRow;

/// The changes of date of a chapter and of those before it, oldest first, after a position.
///
/// # Errors
/// When the database does.
pub async fn history(
    pool: &PgPool,
    chapter: &PreorderRow,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<HistoryEntry>> {
    let columns =
        DateHistoryRow::COLUMNS.iter().map(|column| format!("h.{column}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {columns} FROM preorder_date_history AS h \
         WHERE h.preorder_id IN (SELECT $1 UNION ALL SELECT id FROM preorder_chapters \
            WHERE owned_item_id = $2 AND version < $3) \
         AND h.position > $4 ORDER BY h.position LIMIT $5"
    );
    let rows = sqlx::query(&sql)
        .bind(chapter.id)
        .bind(chapter.owned_item_id)
        .bind(chapter.version)
        .bind(after.unwrap_or(i64::MIN))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(DateHistoryRow::read).collect()
}

/// In which order pre-orders are listed. Ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The soonest first, undated ones last.
    #[default]
    ReleaseDate,
    /// The latest placed first.
    Placed,
    /// The dearest first, by the amount as recorded, unpriced ones last.
    Price,
    /// By the figure's name.
    Name,
}

/// Where a page of the list ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "one for each order")]
pub enum ListKey {
    ReleaseDate(NaiveDate, Uuid),
    Placed(DateTime<Utc>, Uuid),
    Price(Decimal, Uuid),
    Name(String, Uuid),
}

impl ListKey {
    /// The order that it belongs to.
    #[must_use]
    pub const fn sort(&self) -> Sort {
        match self {
            Self::ReleaseDate(..) => Sort::ReleaseDate,
            Self::Placed(..) => Sort::Placed,
            Self::Price(..) => Sort::Price,
            Self::Name(..) => Sort::Name,
        }
    }
}

/// Which pre-orders are listed. What is `None` or empty does not narrow the list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of these.
    pub status: Vec<Status>,
    /// Neither received nor cancelled, or one of these.
    pub live: Option<bool>,
    /// Ordered there.
    pub store_id: Option<Uuid>,
    /// Of this figure.
    pub figure_id: Option<FigureId>,
    /// Words in the names of figure, maker and shop.
    pub q: Option<String>,
    /// Leave NSFW figures out.
    pub without_nsfw: bool,
}

/// A row of the list, with its place in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The pre-order.
    pub found: Found,
    /// Where it stands.
    pub key: ListKey,
}

/// A person's pre-orders, current chapters only, after a key; `limit` at most.
///
/// # Errors
/// When the database does.
pub async fn list(
    pool: &PgPool,
    user: UserId,
    filter: &Filter,
    sort: Sort,
    after: Option<&ListKey>,
    limit: i64,
) -> sqlx::Result<Vec<Listing>> {
    let key = match sort {
        Sort::ReleaseDate => format!("COALESCE(p.release_date_current, {UNDATED})"),
        Sort::Placed => "p.created_at".to_owned(),
        Sort::Price => "COALESCE(p.price_amount, -1)".to_owned(),
        Sort::Name => "lower(f.name)".to_owned(),
    };
    let mut query = QueryBuilder::<Postgres>::new(select("NULL::uuid"));
    query.push(format!(", {key} AS sort_key FROM preorders AS p {} WHERE p.user_id = ", joins()));
    query.push_bind(user.uuid());
    if !filter.status.is_empty() {
        let words: Vec<String> = filter.status.iter().map(|status| status.as_str().to_owned()).collect();
        query.push(" AND p.status = ANY(").push_bind(words).push(")");
    }
    if let Some(live) = filter.live {
        let not = if live { "NOT " } else { "" };
        query.push(format!(" AND p.status {not}IN ('received', 'cancelled')"));
    }
    if let Some(store) = filter.store_id {
        query.push(" AND p.store_id = ").push_bind(store);
    }
    if let Some(figure) = filter.figure_id {
        query.push(" AND p.figure_id = ").push_bind(figure.uuid());
    }
    if filter.without_nsfw {
        query.push(" AND NOT f.is_nsfw");
    }
    for word in filter.q.as_deref().unwrap_or_default().split_whitespace().take(10) {
        let pattern = format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        query.push(" AND concat_ws(' ', f.name, fm.name, s.name) ILIKE ").push_bind(pattern);
    }
    let descending = matches!(sort, Sort::Placed | Sort::Price);
    let (beyond, direction) = if descending { ("<", "DESC") } else { (">", "ASC") };
    if let Some(after) = after {
        query.push(format!(" AND ({key}, p.id) {beyond} ("));
        let id = match after {
            ListKey::ReleaseDate(date, id) => {
                query.push_bind(*date);
                id
            }
            ListKey::Placed(at, id) => {
                query.push_bind(*at);
                id
            }
            ListKey::Price(price, id) => {
                query.push_bind(*price);
                id
            }
            ListKey::Name(name, id) => {
                query.push_bind(name.clone());
                id
            }
        };
        query.push(", ").push_bind(*id).push(")");
    }
    query.push(format!(" ORDER BY {key} {direction}, p.id {direction} LIMIT ")).push_bind(limit);
    let rows = query.build().fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let found = Found::read(row)?;
            let id = found.preorder.id;
            let key = match sort {
                Sort::ReleaseDate => ListKey::ReleaseDate(row.try_get("sort_key")?, id),
                Sort::Placed => ListKey::Placed(row.try_get("sort_key")?, id),
                Sort::Price => ListKey::Price(row.try_get("sort_key")?, id),
                Sort::Name => ListKey::Name(row.try_get("sort_key")?, id),
            };
            Ok(Listing { found, key })
        })
        .collect()
}
