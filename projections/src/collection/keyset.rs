//! Listings that go on where a page ended: the sort key of its last item, then its id.
//!
//! What has no value to sort by (no price, no date) comes last, whichever way the order goes.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListKey {
    /// The order it belongs to, such as `-added`.
    pub sort: String,
    /// The last item's value; none for one that has no such value.
    pub value: Option<String>,
    /// The last item's id.
    pub id: Uuid,
}

/// A key that the listing it is given to cannot have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key belongs to another listing")]
pub struct InvalidKey;

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The key is none of this listing's.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a listing is sorted by: an expression over its query, and what comes out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sorted {
    /// Whole numbers.
    Whole(&'static str),
    /// Moments that everything has, so that an index by them gives the order; in keys they are microseconds since
    /// 1970.
    Moment(&'static str),
    /// Amounts.
    Decimal(&'static str),
    /// Texts, in the database's order.
    Text(&'static str),
}

enum Value {
    Whole(i64),
    Moment(DateTime<Utc>),
    Decimal(Decimal),
    Text(String),
}

impl Sorted {
    const fn expression(self) -> &'static str {
        match self {
            Self::Whole(expression)
            | Self::Moment(expression)
            | Self::Decimal(expression)
            | Self::Text(expression) => expression,
        }
    }

    fn value(self, text: &str) -> Result<Value, InvalidKey> {
        match self {
            Self::Whole(_) => text.parse().map(Value::Whole).map_err(|_not_a_number| InvalidKey),
            Self::Moment(_) => {
                let micros = text.parse().map_err(|_not_a_number| InvalidKey)?;
                DateTime::from_timestamp_micros(micros).map(Value::Moment).ok_or(InvalidKey)
            }
            Self::Decimal(_) => text.parse().map(Value::Decimal).map_err(|_not_a_number| InvalidKey),
            Self::Text(_) if text.contains('\0') => Err(InvalidKey),
            Self::Text(_) => Ok(Value::Text(text.to_owned())),
        }
    }

    /// The column that [`ListKey::value`] is made of.
    pub fn column(self) -> String {
        let expression = self.expression();
        match self {
            Self::Moment(_) => {
                format!("(extract(epoch FROM {expression}) * 1000000)::bigint::text AS sort_value")
            }
            _ => format!("({expression})::text AS sort_value"),
        }
    }

    /// Adds `AND …`: only what comes after the key. `id` is the column that tells equals apart.
    pub fn after(
        self,
        query: &mut QueryBuilder<'_, Postgres>,
        id: &str,
        descending: bool,
        key: &ListKey,
    ) -> Result<(), InvalidKey> {
        let expression = self.expression();
        let beyond = if descending { "<" } else { ">" };
        let Some(text) = &key.value else {
            if matches!(self, Self::Moment(_)) {
                return Err(InvalidKey);
            }
            query
                .push(format!(" AND (({expression}) IS NULL AND {id} {beyond} "))
                .push_bind(key.id)
                .push(")");
            return Ok(());
        };
        let value = self.value(text)?;
        // What has a value everywhere is compared by nothing else, which an index understands.
        let absent = match self {
            Self::Moment(_) => String::new(),
            _ => format!("({expression}) IS NULL OR "),
        };
        query.push(format!(" AND ({absent}(({expression}), {id}) {beyond} ("));
        match value {
            Value::Whole(value) => query.push_bind(value),
            Value::Moment(value) => query.push_bind(value),
            Value::Decimal(value) => query.push_bind(value),
            Value::Text(value) => query.push_bind(value),
        };
        query.push(", ").push_bind(key.id).push("))");
        Ok(())
    }

    /// The `ORDER BY`.
    pub fn order(self, id: &str, descending: bool) -> String {
        let way = if descending { "DESC" } else { "ASC" };
        let absent = if matches!(self, Self::Moment(_)) { "" } else { " NULLS LAST" };
        format!(" ORDER BY ({}) {way}{absent}, {id} {way}", self.expression())
    }
}

/// The words of a search, folded and ready for `LIKE`: at most ten.
pub(super) fn patterns(search: &str) -> Vec<String> {
    domain::text::folded(search)
        .split(' ')
        .filter(|word| !word.is_empty())
        .take(10)
        .map(|word| {
            let plain = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("%{plain}%")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_no_pattern() {
        assert_eq!(patterns(" ＭＩＫＵ 100% a_b\\ "), ["%miku%", "%100\\%%", "%a\\_b\\\\%"]);
        assert!(patterns("  ").is_empty());
        assert_eq!(patterns(&"a ".repeat(50)).len(), 10);
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let mut query = QueryBuilder::new("");
        let key =
            |value: &str| ListKey { sort: String::new(), value: Some(value.to_owned()), id: Uuid::nil() };
        assert_eq!(Sorted::Whole("x").after(&mut query, "id", false, &key("a")), Err(InvalidKey));
        assert_eq!(Sorted::Moment("x").after(&mut query, "id", false, &key("soon")), Err(InvalidKey));
        let never = key(&i64::MAX.to_string());
        assert_eq!(Sorted::Moment("x").after(&mut query, "id", false, &never), Err(InvalidKey));
        assert_eq!(
            Sorted::Moment("x").after(&mut query, "id", false, &ListKey { value: None, ..never }),
            Err(InvalidKey)
        );
        assert_eq!(Sorted::Moment("x").after(&mut query, "id", false, &key("1793404800000000")), Ok(()));
        assert_eq!(Sorted::Decimal("x").after(&mut query, "id", false, &key("a")), Err(InvalidKey));
        assert_eq!(Sorted::Text("x").after(&mut query, "id", false, &key("a\0")), Err(InvalidKey));
        assert_eq!(Sorted::Text("x").after(&mut query, "id", false, &key("a")), Ok(()));
    }
}
