//! What a projection is, and the list of them.

use super::table::AnyTable;
use domain::stream::{Recorded, StreamId};
use std::fmt::Debug;

/// A read model: its tables and the pure function that folds events into them.
///
/// The same fold serves the live tables, rebuilding them, and verifying them.
pub trait Projection: 'static {
    /// Its name, for people and for its checkpoint.
    const NAME: &'static str;
    /// The version of its tables and fold. Raise it with every change of either: the read model is then
    /// rebuilt.
    const VERSION: u32;
    /// The statements that make its tables and their indexes, in an empty schema that `search_path` names;
    /// so no schema stands in them.
    const DDL: &'static str;
    /// The aggregate types it reads; events of others pass it by, unread.
    const READS: &'static [&'static str] = &StreamId::TYPES;
    /// When it folds what comes while it is at the head.
    const TIMING: Timing = Timing::Inside;
    /// Its tables.
    type Rows: RowSet;

    /// Folds one event. Pure: nothing but the rows and the event may matter, no clock, no chance, no order
    /// of a hash map. Times come from the event (whole microseconds: PostgreSQL keeps no more).
    ///
    /// # Errors
    /// [`FoldError`]: the projection stops at this event. What it changed by then is undone.
    fn fold(rows: &mut Self::Rows, event: &Recorded) -> Result<(), FoldError>;
}

/// When a projection that is at the head folds what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Inside the append: answers to commands are read from it, so a commit makes them durable and readable.
    Inside,
    /// Soon after it, several appends at a time: no answer to a command waits for it.
    After,
}

/// Why an event cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A row that earlier events must have made is not there.
    #[error("table {table} has no row {key}")]
    NoRow {
        /// The table.
        table: &'static str,
        /// The key, as Rust shows it.
        key: String,
    },
    /// Something else about the event does not go with the rows.
    #[error("{0}")]
    Unfit(String),
}

/// The tables of one projection. Declared by `row_set!`.
pub trait RowSet: Default + Send + 'static {
    /// All of them.
    fn tables(&mut self) -> Vec<&mut dyn AnyTable>;
}

/// Declares the tables of a projection: one field for each, holding rows of that type.
///
/// ```ignore
/// row_set! {
///     /// The tables of the figures.
///     pub struct FigureRows { pub figures: FigureRow, pub series: FigureSeriesRow }
/// }
/// ```
macro_rules! row_set {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $row:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $crate::engine::Table<$row>,)*
        }

        impl $crate::engine::RowSet for $name {
            fn tables(&mut self) -> Vec<&mut dyn $crate::engine::AnyTable> {
                vec![$(&mut self.$field),*]
            }
        }
    };
}
pub(crate) use row_set;

/// A projection as a value: what the engine knows of it.
#[derive(Clone, Copy)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The version of its tables and fold.
    pub version: u32,
    pub(super) ddl: &'static str,
    pub(super) timing: Timing,
    pub(super) reads: &'static [&'static str],
    pub(super) rows: fn() -> Box<dyn Folding>,
}

impl Definition {
    /// The projection as a value.
    #[must_use]
    pub const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            ddl: P::DDL,
            timing: P::TIMING,
            reads: P::READS,
            rows: || Box::new(Rows::<P>(P::Rows::default())),
        }
    }

    /// The aggregate types whose events it folds.
    #[must_use]
    pub const fn reads(&self) -> &'static [&'static str] {
        self.reads
    }

    /// The names of its tables.
    #[must_use]
    pub fn tables(&self) -> Vec<&'static str> {
        (self.rows)().tables().iter().map(|table| table.name()).collect()
    }
}

impl Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// The rows of some projection together with its fold.
pub(super) trait Folding: Send {
    fn fold(&mut self, event: &Recorded) -> Result<(), FoldError>;
    fn tables(&mut self) -> Vec<&mut dyn AnyTable>;
}

pub(super) struct Rows<P: Projection>(pub(super) P::Rows);

impl<P: Projection> Folding for Rows<P> {
    fn fold(&mut self, event: &Recorded) -> Result<(), FoldError> {
        P::fold(&mut self.0, event)
    }

    fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        self.0.tables()
    }
}
