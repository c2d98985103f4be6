//! Resources for those who run the instance.

pub mod difference;
pub mod events;
pub mod projections;
pub mod stats;
pub mod streams;
pub mod users;
