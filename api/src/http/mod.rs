//! One file per resource: its routes, what it takes, what it shows.
//!
//! Each file has, in this order: `routes()`, the types a request is read into, the types an answer is
//! written from (fields carry the documented column names), and the handlers, each under its
//! `#[utoipa::path]` with examples, refusals by [`problems!`](crate::problems) and who may call it.

pub mod achievements;
pub mod activity;
pub mod admin;
pub mod api_keys;
pub mod as_of;
pub mod auth;
pub mod auth_oidc;
pub mod auth_reset;
pub mod cote;
pub mod currencies;
pub mod docs;
pub mod entities;
pub mod exports;
pub mod figure_types;
pub mod figures;
pub mod forecast;
pub mod fx;
pub mod health;
pub mod identities;
pub mod imports;
pub mod live;
pub mod locations;
pub mod me;
pub mod metrics;
pub mod notification_channels;
pub mod notification_routing;
pub mod notifications;
pub mod owned;
pub mod preorders;
pub mod price_chart;
pub mod restore;
pub mod sessions;
pub mod stats;
pub mod timeline;
pub mod web_push;
pub mod wishlist;
pub mod year_in_review;
