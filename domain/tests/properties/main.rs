//! What holds whatever people do, in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../runner/mod.rs"]
mod runner;

mod histories;
mod values;
