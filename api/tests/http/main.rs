//! The API over real connections and a real database, one module per resource.
//!
//! One test binary for all of them keeps linking short. A new resource adds a file beside these and a line
//! below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod seed;
mod support;

mod achievements;
mod activity;
mod admin_events;
mod admin_projections;
mod admin_stats;
mod admin_streams;
mod admin_users;
mod as_of;
mod auth;
mod cli;
mod cli_import;
mod cli_ledger;
mod docs;
mod entities;
mod erasing;
mod everywhere;
mod figure_types;
mod figures;
mod health;
mod imports;
mod locations;
mod me;
mod metrics;
mod own_writes;
mod owned;
mod preorders;
mod search;
mod timeline;
mod wishlist;
