//! What the read models promise, tried on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod catalogue;
mod erasing;
mod leading;
mod poison;
mod rebuilding;
mod support;
mod verifying;
mod waiting;
