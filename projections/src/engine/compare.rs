//! Comparing a live table with one that was folded afresh.

use super::rows::Row;
use super::table::{columns, list};
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row as _, ValueRef};

/// Something that stands otherwise in a live table than a fresh fold would have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The values of the row's key columns.
    pub key: Vec<Value>,
    /// The column; none when one side lacks the row.
    pub column: Option<&'static str>,
    /// The live value or row; none when the row is missing there.
    pub live: Option<Value>,
    /// The folded value or row; none when there should be no such row.
    pub folded: Option<Value>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{} ({key})", self.table)?;
        if let Some(column) = self.column {
            write!(f, " {column}")?;
        }
        let side = |value: &Option<Value>| value.as_ref().map_or("missing".to_owned(), Value::to_string);
        write!(f, ": live {}, folded {}", side(&self.live), side(&self.folded))
    }
}

/// Tells every difference between the live table and the temporary one of its name, in the order of their keys.
/// PostgreSQL compares, so that only rows that differ are ever in memory here.
pub(super) async fn tables<R: Row>(
    connection: &mut PgConnection,
    report: &mut (dyn FnMut(Difference) + Send),
) -> sqlx::Result<()> {
    let sql = format!(
        "SELECT {live}, {folded} FROM public.{table} AS l FULL JOIN pg_temp.{table} AS f ON {joined} \
         WHERE ROW({live}) IS DISTINCT FROM ROW({folded}) ORDER BY {key}",
        table = R::TABLE,
        live = columns::<R>("l."),
        folded = columns::<R>("f."),
        joined = list(R::KEY, " AND ", |column| format!("l.{column} = f.{column}")),
        key = list(R::KEY, ", ", |column| format!("coalesce(l.{column}, f.{column})")),
    );
    let mut rows = sqlx::query(&sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        // A key is never empty, so an empty one means that there is no such row on that side.
        let side = |first: usize| -> sqlx::Result<Option<R>> {
            if row.try_get_raw(first)?.is_null() { Ok(None) } else { R::read_from(&row, first).map(Some) }
        };
        tell(side(0)?, side(R::COLUMNS.len())?, report);
    }
    Ok(())
}

fn tell<R: Row>(live: Option<R>, folded: Option<R>, report: &mut (dyn FnMut(Difference) + Send)) {
    let (Some(one), Some(other)) = (&live, &folded) else {
        let Some(values) = live.as_ref().or(folded.as_ref()).map(Row::values) else { return };
        let (key, whole) = (key_of::<R>(&values), Some(record::<R>(values)));
        let (live, folded) = if live.is_some() { (whole, None) } else { (None, whole) };
        report(Difference { table: R::TABLE, key, column: None, live, folded });
        return;
    };
    let (agreed, shown, expected) = (one.agreement(other), one.values(), other.values());
    let key = key_of::<R>(&shown);
    if agreed.iter().all(|agrees| *agrees) {
        // PostgreSQL tells them apart and Rust does not: better told than kept.
        let (live, folded) = (Some(record::<R>(shown)), Some(record::<R>(expected)));
        report(Difference { table: R::TABLE, key, column: None, live, folded });
        return;
    }
    let sides = shown.into_iter().zip(expected);
    for ((column, agrees), (live, folded)) in R::COLUMNS.iter().zip(agreed).zip(sides) {
        if !agrees {
            let (live, folded) = (Some(live), Some(folded));
            report(Difference { table: R::TABLE, key: key.clone(), column: Some(column), live, folded });
        }
    }
}

fn key_of<R: Row>(values: &[Value]) -> Vec<Value> {
    values.iter().take(R::KEY.len()).cloned().collect()
}

fn record<R: Row>(values: Vec<Value>) -> Value {
    R::COLUMNS.iter().map(|column| (*column).to_owned()).zip(values).collect()
}
