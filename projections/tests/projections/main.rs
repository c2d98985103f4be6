//! What the read models promise, tried on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod across;
mod alike;
mod bounded;
mod catalogue;
mod erasing;
mod indexes;
mod leading;
mod passing;
mod poison;
mod rebuilding;
mod rolling;
mod stepped;
mod support;
mod verifying;
mod waiting;
