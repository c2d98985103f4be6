//! One row of a read model, and the SQL that follows from its columns.

use serde::Serialize;
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgRow};
use sqlx::{Arguments, Encode, Postgres, Type};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use uuid::Uuid;

/// A row of one table. Write none by hand: `row!` makes them.
pub trait Row: Clone + PartialEq + Send + Sync + 'static {
    /// What tells its rows apart.
    type Key: Key;
    /// The table, without a schema.
    const TABLE: &'static str;
    /// Every column; those of the key come first.
    const COLUMNS: &'static [&'static str];
    /// The columns of the key.
    const KEY: &'static [&'static str];
    /// The columns by which a fold asks for rows.
    const INDEXES: &'static [&'static str];
    /// The column that says whose row it is, where it is somebody's.
    const OWNER: Option<&'static str>;
    /// What each of `COLUMNS` is cast to when it is written from bound arrays; empty where nothing is.
    const CASTS: &'static [&'static str];

    /// The row's key.
    fn key(&self) -> Self::Key;
    /// The value of the indexed column at that place in `INDEXES`.
    fn indexed(&self, index: usize) -> Option<Uuid>;
    /// Whose row it is.
    fn owner(&self) -> Option<Uuid>;
    /// Reads a row selected as `COLUMNS`.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Self::read_from(row, 0)
    }
    /// The same where other columns stand before them.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    fn read_from(row: &PgRow, first: usize) -> sqlx::Result<Self>;
    /// Binds one array for each column.
    ///
    /// # Errors
    /// When a value has no binary form.
    fn bind(rows: &[&Self], to: &mut PgArguments) -> Result<(), BoxDynError>;
    /// Writes the row in PostgreSQL's binary `COPY` format.
    ///
    /// # Errors
    /// When a value has no binary form.
    fn encode(&self, copy: &mut CopyBuffer) -> Result<(), BoxDynError>;
    /// Every column's value, to be shown to people.
    fn values(&self) -> Vec<Value>;
    /// Whether each column holds the same: `2037` and `2037.00` do, though they are shown otherwise.
    fn agreement(&self, other: &Self) -> Vec<bool>;
}

/// A column, or a tuple of columns, that tells rows apart.
pub trait Key: Clone + Ord + Hash + Debug + Send + Sync + 'static {
    /// Binds one array for each column of the key.
    ///
    /// # Errors
    /// When a value has no binary form.
    fn bind(keys: &[Self], to: &mut PgArguments) -> Result<(), BoxDynError>;
}

/// A type that may be part of a key.
pub trait KeyColumn:
    Clone
    + Ord
    + Hash
    + Debug
    + Send
    + Sync
    + 'static
    + Type<Postgres>
    + PgHasArrayType
    + for<'q> Encode<'q, Postgres>
{
}

macro_rules! key_columns {
    ($($ty:ty),*) => {$(
        impl KeyColumn for $ty {}
        impl Key for $ty {
            fn bind(keys: &[Self], to: &mut PgArguments) -> Result<(), BoxDynError> {
                to.add(keys)
            }
        }
    )*};
}
key_columns!(Uuid, String, i32, i64, chrono::NaiveDate);

macro_rules! tuple_keys {
    ($($name:ident . $place:tt),+) => {
        impl<$($name: KeyColumn),+> Key for ($($name,)+) {
            fn bind(keys: &[Self], to: &mut PgArguments) -> Result<(), BoxDynError> {
                $(to.add(keys.iter().map(|key| &key.$place).collect::<Vec<_>>())?;)+
                Ok(())
            }
        }
    };
}
tuple_keys!(A.0, B.1);
tuple_keys!(A.0, B.1, C.2);
tuple_keys!(A.0, B.1, C.2, D.3);

/// A column: how many rows' values of it are bound as one array.
pub trait Column: Sized {
    /// What turns an element of that array into the column's value; nothing for most.
    const CAST: &'static str = "";

    /// Binds the values of many rows.
    ///
    /// # Errors
    /// When a value has no binary form.
    fn bind(values: Vec<&Self>, to: &mut PgArguments) -> Result<(), BoxDynError>;
}

macro_rules! columns {
    ($($ty:ty),* $(,)?) => {$(
        impl Column for $ty {
            fn bind(values: Vec<&Self>, to: &mut PgArguments) -> Result<(), BoxDynError> {
                to.add(values)
            }
        }
        impl Column for Option<$ty> {
            fn bind(values: Vec<&Self>, to: &mut PgArguments) -> Result<(), BoxDynError> {
                to.add(values)
            }
        }
    )*};
}
columns!(
    Uuid,
    String,
    bool,
    i16,
    i32,
    i64,
    rust_decimal::Decimal,
    chrono::NaiveDate,
    chrono::DateTime<chrono::Utc>,
    Value,
);

/// `text[]`. `UNNEST` would take an array of arrays apart to the last element, so each is bound as a text.
impl Column for Vec<String> {
    const CAST: &'static str = "::text[]";

    fn bind(values: Vec<&Self>, to: &mut PgArguments) -> Result<(), BoxDynError> {
        to.add(values.into_iter().map(|texts| array_literal(texts)).collect::<Vec<_>>())
    }
}

fn array_literal(texts: &[String]) -> String {
    let escaped = |c: char| matches!(c, '"' | '\\').then_some('\\').into_iter().chain(std::iter::once(c));
    let quoted = |text: &String| format!("\"{}\"", text.chars().flat_map(escaped).collect::<String>());
    format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// A column that can be indexed: an id that may be absent.
pub trait Indexed {
    /// The value to find the row by.
    fn index_value(&self) -> Option<Uuid>;
}

impl Indexed for Uuid {
    fn index_value(&self) -> Option<Uuid> {
        Some(*self)
    }
}

impl Indexed for Option<Uuid> {
    fn index_value(&self) -> Option<Uuid> {
        *self
    }
}

/// An indexed column of a row. `row!` makes one for each, with the column's name:
/// `FigureRow::manufacturer_id`.
pub struct Index<R>(pub(super) usize, PhantomData<fn() -> R>);

impl<R> Clone for Index<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Index<R> {}

impl<R: Row> Index<R> {
    /// The index of that name.
    ///
    /// # Panics
    /// While compiling, when there is none.
    #[doc(hidden)]
    #[allow(clippy::indexing_slicing, clippy::panic, reason = "evaluated while compiling")]
    pub const fn named(name: &str) -> Self {
        let mut place = 0;
        while place < R::INDEXES.len() {
            if same(R::INDEXES[place].as_bytes(), name.as_bytes()) {
                return Self(place, PhantomData);
            }
            place += 1;
        }
        panic!("no such index")
    }
}

#[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Rows on their way into a table, in PostgreSQL's binary `COPY` format.
#[derive(Default)]
pub struct CopyBuffer(PgArgumentBuffer);

impl CopyBuffer {
    /// What precedes the first row: the signature, no flags, no extension.
    pub(super) const HEADER: &'static [u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    /// What follows the last row.
    pub(super) const TRAILER: &'static [u8] = &(-1_i16).to_be_bytes();

    /// Begins a row of that many columns.
    pub fn row(&mut self, columns: usize) {
        let columns = i16::try_from(columns).unwrap_or(i16::MAX);
        self.0.extend_from_slice(&columns.to_be_bytes());
    }

    /// Writes one column.
    ///
    /// # Errors
    /// When the value has no binary form.
    pub fn column<T: for<'q> Encode<'q, Postgres>>(&mut self, value: &T) -> Result<(), BoxDynError> {
        let start = self.0.len();
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        if let IsNull::No = value.encode_by_ref(&mut self.0)? {
            let length = i32::try_from(self.0.len().saturating_sub(start + 4))?;
            if let Some(prefix) = self.0.get_mut(start..start + 4) {
                prefix.copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(())
    }

    /// The bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A value as `verify` shows it.
#[doc(hidden)]
pub fn shown(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Declares a row and everything the engine needs to know of its table.
///
/// ```ignore
/// row! {
///     /// What it is.
///     pub struct FigureSeriesRow in "figure_series", key(figure_id: Uuid, series_id: Uuid), index(figure_id, series_id) {
///         position: i32,
///     }
/// }
/// ```
/// A column's type is what `sqlx` gives for it: `Uuid`, `String`, `bool`, `i16`, `i32`, `i64`, `Decimal`,
/// `NaiveDate`, `DateTime<Utc>`, `serde_json::Value`, an `Option` of these, or `Vec<String>` for `text[]`. Key columns are `Uuid`,
/// `String`, `i32`, `i64` or `NaiveDate`, four at most; indexed columns are `Uuid` or `Option<Uuid>` and
/// need an index in the DDL as well. `owner(user_id)` behind the indexes names the column that says whose row
/// it is; it needs an index in the DDL, too, and every table of personal rows has one: erasing a person takes
/// out all rows of theirs by it.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident in $table:literal,
        key($($key:ident: $key_ty:ty),+ $(,)?)
        $(, index($($index:ident),+ $(,)?))?
        $(, owner($owner:ident))?
        { $($column:ident: $ty:ty),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "the columns of a table, told in its DDL")]
        $vis struct $name {
            $(pub $key: $key_ty,)+
            $(pub $column: $ty,)*
        }

        $(#[allow(missing_docs, non_upper_case_globals, reason = "named as the column is")]
        impl $name {
            $(pub const $index: $crate::engine::Index<Self> =
                $crate::engine::Index::named(stringify!($index));)+
        })?

        #[allow(unused_parens, reason = "a key of one column is that column")]
        impl $crate::engine::Row for $name {
            type Key = ($($key_ty),+);
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] =
                &[$(stringify!($key),)+ $(stringify!($column),)*];
            const KEY: &'static [&'static str] = &[$(stringify!($key)),+];
            const INDEXES: &'static [&'static str] = &[$($(stringify!($index)),+)?];
            const CASTS: &'static [&'static str] = &[
                $(<$key_ty as $crate::engine::Column>::CAST,)+
                $(<$ty as $crate::engine::Column>::CAST,)*
            ];
            const OWNER: Option<&'static str> = {
                let column: &[&'static str] = &[$(stringify!($owner))?];
                column.first().copied()
            };

            #[allow(unreachable_code, reason = "for rows that are somebody's")]
            fn owner(&self) -> Option<uuid::Uuid> {
                $(return $crate::engine::Indexed::index_value(&self.$owner);)?
                None
            }

            fn key(&self) -> Self::Key {
                ($(self.$key.clone()),+)
            }

            #[allow(unused_variables, unused_mut, unused_assignments, reason = "for rows without an index")]
            fn indexed(&self, index: usize) -> Option<uuid::Uuid> {
                let mut place = 0;
                $($(
                    if place == index {
                        return $crate::engine::Indexed::index_value(&self.$index);
                    }
                    place += 1;
                )+)?
                None
            }

            fn read_from(row: &sqlx::postgres::PgRow, first: usize) -> sqlx::Result<Self> {
                let mut places = first..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self {
                    $($key: sqlx::Row::try_get(row, next())?,)+
                    $($column: sqlx::Row::try_get(row, next())?,)*
                })
            }

            fn bind(
                rows: &[&Self],
                to: &mut sqlx::postgres::PgArguments,
            ) -> Result<(), sqlx::error::BoxDynError> {
                $($crate::engine::Column::bind(rows.iter().map(|row| &row.$key).collect(), to)?;)+
                $($crate::engine::Column::bind(rows.iter().map(|row| &row.$column).collect(), to)?;)*
                Ok(())
            }

            fn encode(
                &self,
                copy: &mut $crate::engine::CopyBuffer,
            ) -> Result<(), sqlx::error::BoxDynError> {
                copy.row(<Self as $crate::engine::Row>::COLUMNS.len());
                $(copy.column(&self.$key)?;)+
                $(copy.column(&self.$column)?;)*
                Ok(())
            }

            fn values(&self) -> Vec<serde_json::Value> {
                vec![$($crate::engine::shown(&self.$key),)+ $($crate::engine::shown(&self.$column),)*]
            }

            fn agreement(&self, other: &Self) -> Vec<bool> {
                vec![$(self.$key == other.$key,)+ $(self.$column == other.$column,)*]
            }
        }
    };
}
pub(crate) use row;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_written_so_that_no_text_can_break_out_of_it() {
        let texts = ["plain", "", "a,b", "{}", r#"say "hi""#, r"back\slash", "NULL"].map(str::to_owned);
        assert_eq!(array_literal(&texts), r#"{"plain","","a,b","{}","say \"hi\"","back\\slash","NULL"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}
