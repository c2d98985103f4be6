//! What the log promises, tried on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod appending;
mod confirming;
mod crashes;
mod erasing;
mod framework;
mod guards;
mod idempotency;
mod lost;
mod reading;
mod snapshots;
mod support;
