//! The engine: it runs, rebuilds and verifies every read model by the same pure folds.
//!
//! # Adding a projection
//! 1. Write its tables' DDL in `migrations/read-models/NAME.sql`: plain `CREATE TABLE` and `CREATE INDEX`
//!    statements, no schema, no `IF NOT EXISTS`, one statement never inside another. Rows are upserted by
//!    their primary key. Uniqueness is enforced by streams, so a `UNIQUE` beside it only fits values that
//!    never move from one row to another.
//! 2. Make a folder `src/NAME/` whose `mod.rs` declares its rows with `row!`, its tables with
//!    `row_set!` and implements [`Projection`]; its queries go in `queries.rs`.
//! 3. Add it to [`all`](crate::all).
//!
//! A fold reads and changes rows through [`Table`] as if all of them were in memory. It does not say
//! beforehand what it needs: what it asks for and is not there, the engine loads, and folds again, as
//! commands do with the streams they decide over. A row can be asked for by its key or by an indexed id
//! ("all pieces of this figure"), and rows found that way may lead on to others. Rebuilding and verifying begin
//! with every row in memory; once these weigh too much, rows are put into the new tables, and loaded from there in the
//! same way (`spill.rs`).
//!
//! # Which file does what
//!
//! | file | responsibility |
//! |---|---|
//! | `rows.rs` | a row, its columns and keys; `row!` |
//! | `table/` | the rows of one table during a fold: loading, indexes, writing only what differs |
//! | `projection.rs` | what a projection is; `row_set!` |
//! | `fold.rs` | folding a run of events, on demand or whole |
//! | `log.rs` | reading the log once for all projections |
//! | `checkpoint.rs`, `tables.rs` | the checkpoint rows; making and swapping tables |
//! | `handle.rs` | [`Projections`]: the read models of a process; pause, resume, skip |
//! | `lead.rs`, `runner.rs` | who folds, and the live fold |
//! | `seats.rs` | the projections at the head, with the rows that their folds asked for |
//! | `inline.rs` | folding them inside the append, so that one commit makes a command durable and readable |
//! | `together.rs` | folding in one transaction what they have left: what others appended, and what can wait |
//! | `wait.rs` | reading one's own write |
//! | `erasing.rs` | who still needs what a person's events said |
//! | `as_of.rs` | folding a part of the log apart from the live tables |
//! | `replay.rs`, `spill.rs` | folding the whole log, with bounded memory |
//! | `rebuild.rs`, `rebuilds.rs`, `upgrade.rs` | making tables anew; the record of it; doing it for a new version |
//! | `verify.rs`, `compare.rs` | comparing the live tables with a fresh fold |
//! | `status.rs` | what people want to know |

mod as_of;
mod checkpoint;
mod compare;
mod erasing;
mod fold;
mod handle;
mod inline;
mod lead;
mod log;
mod projection;
mod rebuild;
mod rebuilds;
mod replay;
mod rows;
mod runner;
mod seats;
mod spill;
mod status;
mod table;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
mod together;
mod upgrade;
mod verify;
mod wait;

pub use checkpoint::State;
pub use compare::Difference;
pub use fold::Failure;
pub use handle::{EngineError, Options, Projections};
pub use lead::Running;
pub(crate) use log::{Entry, position};
pub(crate) use projection::row_set;
pub use projection::{Definition, FoldError, Projection, RowSet, Timing};
pub use rebuild::{Rebuilding, Rebuilt};
pub use rebuilds::{Rebuild, RebuildState, Stage};
pub use replay::Replayed;
pub(crate) use rows::row;
#[doc(hidden)]
pub use rows::shown;
pub use rows::{Column, CopyBuffer, Index, Indexed, Key, KeyColumn, Row};
pub use status::{Phase, Skip, Status};
pub use table::{AnyTable, Table};
pub use verify::Verified;
pub use wait::Waited;
