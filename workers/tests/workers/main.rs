//! Imports and the demo, against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod blobs;
mod catalogue;
mod demo;
mod fx;
mod jobs;
mod manga;
mod manga_tellings;
mod mfc;
mod notify;
mod pictures;
mod policies;
mod policies_stepped;
mod support;
