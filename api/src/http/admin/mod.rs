//! Resources for those who run the instance.

pub mod deliveries;
pub mod difference;
pub mod events;
pub mod jobs;
pub mod manga_servers;
pub mod notifications;
pub mod policies;
pub mod projections;
pub mod renders;
pub mod settings;
pub mod stats;
pub mod streams;
pub mod users;
