//! Listing and searching.

use super::figure::{CARD, CardRow, FigureCard};
use super::filter::{Entities, Filter, push_filter, push_marker, reading};
use crate::views::{Page, Viewer};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

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
