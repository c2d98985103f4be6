//! What the clock or the outside world starts: jobs, the price sweep, exchange rates, policies, notifications, imports,
//! stored files and pictures, and the demo collection.

pub mod anilist;
pub mod blobs;
pub mod channels;
pub mod deliveries;
pub mod demo;
pub mod fx;
pub mod imports;
pub mod jobs;
pub mod manga;
pub mod outbound;
pub mod pictures;
pub mod policies;
pub mod provider;
pub mod renders;
pub mod sources;
pub mod sweep;
