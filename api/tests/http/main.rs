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
mod admin_jobs;
mod admin_projections;
mod admin_settings;
mod admin_stats;
mod admin_streams;
mod admin_users;
mod api_keys;
mod as_of;
mod auth;
mod backup;
mod cli;
mod cli_import;
mod cli_ledger;
mod cli_people;
mod cote;
mod docs;
mod entities;
mod erasing;
mod everywhere;
mod exports;
mod figure_types;
mod figures;
mod fx;
mod health;
mod imports;
mod independent;
mod leadership;
mod locations;
mod market;
mod me;
mod metrics;
mod notifications;
mod notify;
mod notify_crash;
mod odd_pieces;
mod oidc;
mod own_writes;
mod owned;
mod password_reset;
mod poison;
mod preorders;
mod prices;
mod provider_answers;
mod queries;
mod scopes;
mod search;
mod sessions;
mod simulated_year;
mod stats;
mod timeline;
mod traces;
mod wishlist;
