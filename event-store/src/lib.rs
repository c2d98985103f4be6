//! The log of Figure Ledger on PostgreSQL: one global order of events, written in batches, read forever.
//!
//! Start at [`EventStore`]. Which file does what:
//!
//! | file | responsibility |
//! |---|---|
//! | `store.rs` | opening a store, its options, its parts |
//! | `execute.rs` | from a command to an acknowledged append: load, decide, retry, confirm |
//! | `turns.rs` | who may decide next, within this process |
//! | `append.rs` | the queue, the one appender of a process, batching and splitting |
//! | `commit/` | one batch in one transaction, and finding out what became of it |
//! | `memory.rs` | how the log stands, remembered from batch to batch |
//! | `compound.rs` | many writes as one statement |
//! | `records.rs` | answers kept for repeated requests |
//! | `cache.rs`, `snapshot.rs` | states kept in memory and beside the log |
//! | `read.rs`, `rows.rs` | reading in global order and by stream, folding states |
//! | `owner.rs` | reading one person's events |
//! | `planning.rs` | how the statements that write are planned |
//! | `inspect.rs` | looking at the raw log |
//! | `erase.rs` | taking a person out of the log |
//! | `subscribe.rs` | learning of new events |
//! | `framework.rs` | the same log as a `cqrs_es::EventStore` |
//! | `spans.rs` | what collectors of traces are told |
//! | `crash.rs` | named points at which a fault test lets the process die, and a simulation holds its tasks |
//!
//! # Order
//! A position is given out under [`APPEND_LOCK`], which is held until the commit is visible. So whoever
//! sees a position has seen, or can see, every lower one: reading `position > checkpoint` misses nothing.

mod append;
mod cache;
mod commit;
mod compound;
pub mod crash;
mod erase;
mod error;
mod execute;
mod framework;
mod inspect;
mod judge;
mod memory;
mod owner;
mod planning;
mod read;
mod records;
mod rows;
mod snapshot;
mod spans;
mod store;
mod subscribe;
mod turns;

pub use commit::{APPEND_LOCK, FoldFailed, InlineFold};
pub use compound::Compound;
pub use erase::Blanking;
pub use error::{ExecuteError, StoreError, Undecodable};
pub use execute::{Executed, Execution, Idempotency};
pub use framework::{LedgerAggregate, LoadedAggregate};
pub use inspect::{EventFilter, LogCounts, RawEvent};
pub use owner::OwnPage;
pub use planning::BY_KEYS;
pub use read::EventChunks;
pub use records::RECORDS_KEPT;
pub use spans::SPANS;
pub use store::{EventStore, Options};
pub use subscribe::{CHANNEL, notified};
