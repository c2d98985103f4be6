//! Tables that are ordinary rows and not folded from the log: people, sessions, settings, lists.
//!
//! One file per table. Every function takes the connection or pool it runs on, so that a caller can put
//! several of them in one transaction. All times are UTC.

pub mod app_settings;
pub mod cron;
pub mod erasures;
pub mod external_lookups;
pub mod figure_types;
pub mod fx_rates;
pub mod notifications;
pub mod passwords;
pub mod policies;
pub mod price_checks;
pub mod server_job_runs;
pub mod sessions;
pub mod users;
pub mod wish_alerts;
