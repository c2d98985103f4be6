//! Reading pre-orders.

use super::rows::{ChapterRow, DateHistoryRow, PreorderRow};
use crate::collection::keyset::Sorted;
use crate::collection::{InvalidKey, ListError, ListKey};
use crate::engine::Row as _;
use crate::figures::summary::{EntityName, FigureSummary};
use crate::past::{CHAPTERS, DATE_HISTORY, PIECES, PREORDERS, Reading};
use crate::pictures::{Cover, Eyes, Pinned};
use crate::search::Words;
use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::{FigureId, PieceId, PreorderId, UserId};
use domain::preorder::Status;
use domain::stream::Version;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

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
    /// Its figure; none while the catalogue's read model has yet to hear of it.
    pub figure: Option<FigureSummary>,
    /// Its piece.
    pub piece: PieceEssentials,
    /// What is pinned as its piece's cover.
    pub pinned: Option<Pinned>,
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
         i.version AS piece_version, s.id AS shop_id, s.name AS shop_name, s.slug AS shop_slug, {}, {}",
        Pinned::column("i"),
        FigureSummary::COLUMNS
    )
}

fn joins() -> String {
    format!(
        "JOIN owned_items AS i ON i.id = p.owned_item_id LEFT JOIN figures AS f ON f.id = p.figure_id {} \
         LEFT JOIN stores AS s ON s.id = p.store_id",
        FigureSummary::JOINS
    )
}

impl Found {
    /// What stands on its card.
    #[must_use]
    pub fn cover(&self, eyes: Eyes) -> Option<Cover> {
        Cover::of_piece(self.pinned.as_ref(), self.figure.as_ref(), eyes)
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            preorder: PreorderRow::read(row)?,
            replaced_by: row.try_get::<Option<Uuid>, _>("replaced_by")?.map(PreorderId),
            figure: match row.try_get::<Option<Uuid>, _>("figure_id_")? {
                Some(_) => Some(FigureSummary::read(row)?),
                None => None,
            },
            piece: PieceEssentials {
                id: row.try_get("piece_id")?,
                condition: row.try_get("piece_condition")?,
                location: row.try_get("piece_location")?,
                purchase_date: row.try_get("piece_purchase_date")?,
                archived_at: row.try_get("piece_archived_at")?,
                archive_reason: row.try_get("piece_archive_reason")?,
                version: Version(row.try_get("piece_version")?),
            },
            pinned: Pinned::read(row)?,
            store: EntityName::read(row, "shop")?,
        })
    }
}

/// A person's pre-order by its id, earlier chapters too; `None` for other people's.
///
/// # Errors
/// When the database does.
pub async fn find<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    id: PreorderId,
) -> sqlx::Result<Option<Found>> {
    let from = from.into();
    let mut query = from.query(&[PREORDERS, CHAPTERS, PIECES]);
    query.push(format_args!("{} FROM preorders AS p {} WHERE p.id = ", select("NULL::uuid"), joins()));
    query.push_bind(id.uuid()).push(" AND p.user_id = ").push_bind(user.uuid());
    query.push(format_args!(
        " UNION ALL {} FROM preorder_chapters AS p {} \
         JOIN preorders AS c ON c.owned_item_id = p.owned_item_id WHERE p.id = ",
        select("c.id"),
        joins(),
    ));
    query.push_bind(id.uuid()).push(" AND p.user_id = ").push_bind(user.uuid());
    let row = query.build().fetch_optional(from.pool()).await?;
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
pub async fn chapters_of<'a>(
    from: impl Into<Reading<'a>>,
    chapter: &PreorderRow,
) -> sqlx::Result<Vec<(PreorderRow, Option<EntityName>)>> {
    let own = ChapterRow::COLUMNS.iter().map(|column| format!("p.{column}")).collect::<Vec<_>>().join(", ");
    let from = from.into();
    let mut query = from.query(&[CHAPTERS]);
    query
        .push(format_args!(
            "SELECT {own}, s.id AS shop_id, s.name AS shop_name, s.slug AS shop_slug \
             FROM preorder_chapters AS p LEFT JOIN stores AS s ON s.id = p.store_id WHERE p.owned_item_id = "
        ))
        .push_bind(chapter.owned_item_id)
        .push(" AND p.version < ")
        .push_bind(chapter.version)
        .push(" ORDER BY p.version DESC LIMIT ")
        .push_bind(MOST_CHAPTERS);
    let rows = query.build().fetch_all(from.pool()).await?;
    rows.iter().map(|row| Ok((ChapterRow::read(row)?.into(), EntityName::read(row, "shop")?))).collect()
}

/// The changes of date of a chapter and of those before it, oldest first, after a position.
///
/// # Errors
/// When the database does.
pub async fn history<'a>(
    from: impl Into<Reading<'a>>,
    chapter: &PreorderRow,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<DateHistoryRow>> {
    let columns =
        DateHistoryRow::COLUMNS.iter().map(|column| format!("h.{column}")).collect::<Vec<_>>().join(", ");
    let from = from.into();
    let mut query = from.query(&[DATE_HISTORY, CHAPTERS]);
    query
        .push(format_args!(
            "SELECT {columns} FROM preorder_date_history AS h WHERE h.preorder_id IN (SELECT "
        ))
        .push_bind(chapter.id)
        .push(" UNION ALL SELECT id FROM preorder_chapters WHERE owned_item_id = ")
        .push_bind(chapter.owned_item_id)
        .push(" AND version < ")
        .push_bind(chapter.version)
        .push(") AND h.position > ")
        .push_bind(after.unwrap_or(i64::MIN))
        .push(" ORDER BY h.position LIMIT ")
        .push_bind(limit);
    let rows = query.build().fetch_all(from.pool()).await?;
    rows.iter().map(DateHistoryRow::read).collect()
}

/// What pre-orders can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreorderSort {
    /// The first day of the release period.
    ReleaseDate,
    /// The moment it was placed.
    Placed,
    /// The price as recorded; currencies are not converted.
    Price,
    /// The figure's name.
    Name,
}

impl PreorderSort {
    const ALL: [(Self, &'static str); 4] = [
        (Self::ReleaseDate, "release_date"),
        (Self::Placed, "placed"),
        (Self::Price, "price"),
        (Self::Name, "name"),
    ];

    const fn sorted(self) -> Sorted {
        match self {
            Self::ReleaseDate => Sorted::Whole("(p.release_date_current - DATE '1900-01-01')::bigint"),
            Self::Placed => Sorted::Moment("p.created_at"),
            Self::Price => Sorted::Decimal("p.price_amount"),
            Self::Name => Sorted::Text("f.sort_name"),
        }
    }
}

/// An order of pre-orders: `placed`, or `-placed` for the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreorderOrder {
    /// By what.
    pub by: PreorderSort,
    /// The greatest first.
    pub descending: bool,
}

impl Default for PreorderOrder {
    /// The soonest release first.
    fn default() -> Self {
        Self { by: PreorderSort::ReleaseDate, descending: false }
    }
}

impl fmt::Display for PreorderOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = PreorderSort::ALL.iter().find(|(sort, _)| *sort == self.by).map_or("", |(_, word)| word);
        write!(f, "{}{word}", if self.descending { "-" } else { "" })
    }
}

impl FromStr for PreorderOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        PreorderSort::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(by, _)| Self { by: *by, descending })
            .ok_or("sort is one of release_date, placed, price, name; a - before it turns it round")
    }
}

/// Which pre-orders are listed. What is `None` or empty does not narrow the list.
#[derive(Debug, Clone, Default)]
pub struct PreorderFilter {
    /// Any of these.
    pub status: Vec<Status>,
    /// Neither received nor cancelled, or one of these.
    pub live: Option<bool>,
    /// Ordered there: the store's id or slug.
    pub store: Option<String>,
    /// The catalogue offers them a new date, or does not.
    pub offered: Option<bool>,
    /// Of this figure.
    pub figure_id: Option<FigureId>,
    /// Words in what the catalogue says of the figure, or in the shop's name.
    pub search: Option<String>,
    /// Leave NSFW figures out.
    pub hide_nsfw: bool,
}

/// A row of the list, with its place in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The pre-order.
    pub found: Found,
    sort_value: Option<String>,
}

impl Listing {
    /// Where it stands in a listing of that order.
    #[must_use]
    pub fn key(&self, order: PreorderOrder) -> ListKey {
        ListKey { sort: order.to_string(), value: self.sort_value.clone(), id: self.found.preorder.id }
    }
}

/// A person's pre-orders, current chapters only, after a key; `limit` at most. What has no value to sort
/// by comes last.
///
/// # Errors
/// When the key is another listing's, or the database fails.
pub async fn list<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    filter: &PreorderFilter,
    order: PreorderOrder,
    after: Option<&ListKey>,
    limit: i64,
) -> Result<Vec<Listing>, ListError> {
    let (from, sorted) = (from.into(), order.by.sorted());
    let mut query = from.query(&[PREORDERS, PIECES]);
    query.push(select("NULL::uuid"));
    query.push(format!(", {} FROM preorders AS p {} WHERE p.user_id = ", sorted.column(), joins()));
    query.push_bind(user.uuid());
    if !filter.status.is_empty() {
        let words: Vec<String> = filter.status.iter().map(|status| status.as_str().to_owned()).collect();
        query.push(" AND p.status = ANY(").push_bind(words).push(")");
    }
    if let Some(live) = filter.live {
        let not = if live { "NOT " } else { "" };
        query.push(format!(" AND p.status {not}IN ('received', 'cancelled')"));
    }
    if let Some(offered) = filter.offered {
        let not = if offered { "NOT " } else { "" };
        query.push(format!(" AND p.offered_release_date IS {not}NULL"));
    }
    if let Some(store) = &filter.store {
        query.push(" AND ").push_bind(store.clone()).push(" IN (s.id::text, s.slug)");
    }
    if let Some(figure) = filter.figure_id {
        query.push(" AND p.figure_id = ").push_bind(figure.uuid());
    }
    if filter.hide_nsfw {
        query.push(" AND f.is_nsfw IS NOT TRUE");
    }
    if let Some(search) = &filter.search {
        Words::of(search).push_condition(&mut query, "concat_ws(' ', f.search_text, s.sort_name)");
    }
    if let Some(after) = after {
        if after.sort != order.to_string() {
            return Err(InvalidKey.into());
        }
        sorted.after(&mut query, "p.id", order.descending, after)?;
    }
    query.push(sorted.order("p.id", order.descending)).push(" LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(from.pool()).await?;
    let read = |row: &PgRow| Ok(Listing { found: Found::read(row)?, sort_value: row.try_get("sort_value")? });
    Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
}
