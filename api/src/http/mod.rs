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
pub mod cabinet_share;
pub mod calendar;
pub mod compare;
pub mod cote;
pub mod currencies;
pub mod docs;
pub mod documents;
pub mod entities;
pub mod exports;
pub mod external;
pub mod figure_import;
pub mod figure_types;
pub mod figures;
pub mod following;
pub mod forecast;
pub mod fx;
pub mod gift_list;
pub mod health;
pub mod identities;
pub mod imports;
pub mod live;
pub mod locations;
pub mod mal_lookup;
pub mod manga;
pub mod me;
pub mod metrics;
pub mod notification_channels;
pub mod notification_routing;
pub mod notifications;
pub mod own_deliveries;
pub mod owned;
pub mod photos;
pub mod preorders;
pub mod price_chart;
pub mod profiles;
pub mod render_worker;
pub mod restore;
pub mod scans;
pub mod sessions;
pub mod share_links;
pub mod stats;
pub mod timeline;
pub mod web_push;
pub mod wishlist;
pub mod wishlist_import;
pub mod year_in_review;
