//! Tables that are ordinary rows and not folded from the log: people, sessions, settings, lists.
//!
//! One file per table. Every function takes the connection or pool it runs on, so that a caller can put
//! several of them in one transaction. All times are UTC.

pub mod app_settings;
pub mod erasures;
pub mod figure_types;
pub mod passwords;
pub mod sessions;
pub mod users;
