//! The euro's rates: kept in memory, fetched now and then, loaded from the ECB's history.
//!
//! [`Fx`] is what everybody asks. [`refresh()`] is what the job `fx_refresh` runs, [`history`] what
//! `figure-ledger import fx` does. `docs/money.md` says what rates are for.

mod ecb;
mod fetch;
mod frankfurter;
mod handle;
pub mod history;
mod quotes;
mod refresh;

pub use fetch::{FetchError, FxSettings};
pub use handle::{Following, Fx};
pub use quotes::{NotRates, RefusedDay};
pub use refresh::{HOLDS_FOR, RefreshError, Refreshed, Urgency, refresh};
