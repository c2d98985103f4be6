//! A person's own half at a past position: their pieces, wishes and pre-orders, folded from their part of the
//! log by the folds that keep the live tables, and read by the queries that read those.
//!
//! The catalogue is not folded back: what things are called, who made them and which entry continues a merged
//! one is today's. Docs: `docs/decisions/0009-as-of-folds-one-persons-streams.md`.

mod history;
pub mod names;
mod walk;

pub use history::{Change, Standing, history};
pub use walk::{MOST_EVENTS, PastError};

use crate::collection::{Collections, OwnedItemRow, WishRow};
use crate::engine::{EngineError, Projections, Row};
use crate::preorders::{ChapterRow, DateHistoryRow, PreorderRow, Preorders};
use domain::ids::UserId;
use domain::stream::Position;
use serde_json::{Map, Value};
use sqlx::{PgPool, Postgres, QueryBuilder};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use uuid::Uuid;
use walk::Walk;

/// The tables of one person as they were.
pub struct Past {
    tables: BTreeMap<&'static str, Table>,
}

struct Table {
    columns: &'static [&'static str],
    rows: String,
}

impl Past {
    /// Folds what a person had done up to a position.
    ///
    /// # Errors
    /// `TooMany` when that is more than [`MOST_EVENTS`]; `Engine` when an event on the way cannot be folded,
    /// as the live read model cannot either, or the database does not answer.
    pub async fn of(projections: &Projections, user: UserId, until: Position) -> Result<Self, PastError> {
        let mut collection = projections.apart::<Collections>().await?;
        let mut preorders = projections.apart::<Preorders>().await?;
        let mut walk = Walk::prepare(projections.log(), user, until).await?;
        walk.each(|entries| {
            collection.run(entries)?;
            preorders.run(entries)?;
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        let now = |id: Uuid| walk.now(id);
        let mut past = Self { tables: BTreeMap::new() };
        past.keep(collection.rows().pieces.rows().cloned().map(|row| OwnedItemRow {
            figure_id: now(row.figure_id),
            store_id: row.store_id.map(now),
            ..row
        }));
        let wishes = collection.rows().wishes.rows().cloned();
        past.keep(wishes.map(|row| WishRow { figure_id: now(row.figure_id), ..row }));
        past.keep(preorders.rows().preorders.rows().cloned().map(|row| PreorderRow {
            figure_id: now(row.figure_id),
            store_id: row.store_id.map(now),
            ..row
        }));
        past.keep(preorders.rows().chapters.rows().cloned().map(|row| ChapterRow {
            figure_id: now(row.figure_id),
            store_id: row.store_id.map(now),
            ..row
        }));
        past.keep(preorders.rows().history.rows().cloned());
        Ok(past)
    }

    fn keep<R: Row>(&mut self, rows: impl Iterator<Item = R>) {
        let object = |row: R| -> Map<String, Value> {
            R::COLUMNS.iter().map(|column| (*column).to_owned()).zip(row.values()).collect()
        };
        let rows = Value::Array(rows.map(|row| Value::Object(object(row))).collect());
        self.tables.insert(R::TABLE, Table { columns: R::COLUMNS, rows: rows.to_string() });
    }
}

/// Where a query over a person's own rows finds them: in the live tables, or in a [`Past`].
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pool: &'a PgPool,
    past: Option<&'a Past>,
}

impl<'a> From<&'a PgPool> for Reading<'a> {
    fn from(pool: &'a PgPool) -> Self {
        Self { pool, past: None }
    }
}

impl<'a> Reading<'a> {
    /// The live tables, or the past where there is one.
    #[must_use]
    pub const fn of(pool: &'a PgPool, past: Option<&'a Past>) -> Self {
        Self { pool, past }
    }

    pub(crate) const fn pool(self) -> &'a PgPool {
        self.pool
    }

    /// Begins a query in which these tables hold what this reading finds in them. Other tables are the live
    /// ones.
    pub(crate) fn query(self, tables: &[&'static str]) -> QueryBuilder<'a, Postgres> {
        let mut query = QueryBuilder::new("");
        let Some(past) = self.past else { return query };
        let mut lead = "WITH ";
        for (name, table) in past.tables.iter().filter(|(name, _)| tables.contains(name)) {
            let columns = table.columns.join(", ");
            // The live table lends its column types; none of its rows is read.
            query
                .push(format_args!("{lead}{name} AS (SELECT {columns} "))
                .push(format_args!("FROM json_populate_recordset(NULL::public.{name}, "))
                .push_bind(table.rows.as_str())
                .push("::json)) ");
            lead = ", ";
        }
        query
    }
}

/// The tables that a [`Past`] holds.
pub(crate) const PIECES: &str = OwnedItemRow::TABLE;
pub(crate) const WISHES: &str = WishRow::TABLE;
pub(crate) const PREORDERS: &str = PreorderRow::TABLE;
pub(crate) const CHAPTERS: &str = ChapterRow::TABLE;
pub(crate) const DATE_HISTORY: &str = DateHistoryRow::TABLE;

impl From<sqlx::Error> for PastError {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(EngineError::Database(error))
    }
}
