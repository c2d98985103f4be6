//! Tables that are ordinary rows and not folded from the log: people, sessions, settings, lists.
//!
//! One file per table. Every function takes the connection or pool it runs on, so that a caller can put
//! several of them in one transaction. All times are UTC.

pub mod api_keys;
pub mod app_settings;
pub mod blobs;
pub mod cron;
pub mod erasures;
pub mod external_lookups;
pub mod figure_types;
pub mod following;
pub mod fx_rates;
pub mod gift_reservations;
pub mod manga_links;
pub mod manga_servers;
pub mod manga_tellings;
pub mod notification_channels;
pub mod notification_deliveries;
pub mod notification_settings;
pub mod notification_subscriptions;
pub mod notifications;
pub mod oidc_flows;
pub mod oidc_identities;
pub mod password_resets;
pub mod passwords;
pub mod policies;
pub mod price_checks;
pub mod renders;
pub mod server_job_runs;
pub mod sessions;
pub mod share_links;
pub mod tokens;
pub mod users;
pub mod web_push_subscriptions;
pub mod wish_alerts;
