//! The API over real connections and a real database, one module per resource.
//!
//! One test binary for all of them keeps linking short. A new resource adds a file beside these and a line
//! below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

mod admin_users;
mod auth;
mod cli;
mod docs;
mod entities;
mod everywhere;
mod figure_types;
mod figures;
mod health;
mod me;
mod search;
