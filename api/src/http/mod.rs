//! One file per resource: its routes, what it takes, what it shows.
//!
//! Each file has, in this order: `routes()`, the types a request is read into, the types an answer is
//! written from (fields carry the documented column names), and the handlers, each under its
//! `#[utoipa::path]` with examples, refusals by [`problems!`](crate::problems) and who may call it.

pub mod achievements;
pub mod activity;
pub mod admin;
pub mod as_of;
pub mod auth;
pub mod docs;
pub mod entities;
pub mod figure_types;
pub mod figures;
pub mod health;
pub mod imports;
pub mod locations;
pub mod me;
pub mod metrics;
pub mod owned;
pub mod preorders;
pub mod timeline;
pub mod wishlist;
