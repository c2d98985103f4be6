//! The domain of Figure Ledger: what can happen to figures, collections, pre-orders and wishes, and when.
//!
//! Pure: no I/O, no clock, no randomness; time and ids arrive as arguments. `docs/events.md` is the map of
//! the events, `commands` holds what people can ask for, the other modules the aggregates that decide.

pub mod claim;
pub mod collection;
pub mod commands;
pub mod dates;
pub mod entity;
pub mod figure;
mod framework;
pub mod gtin;
pub mod ids;
pub mod money;
pub mod picture;
pub mod policies;
pub mod preorder;
pub mod refusal;
pub mod slug;
pub mod stream;
pub mod text;
pub mod upcast;
pub mod world;
