//! What the clock or the outside world starts: jobs, the price sweep, exchange rates, policies, notifications, imports,
//! and the demo collection.

pub mod channels;
pub mod deliveries;
pub mod demo;
pub mod fx;
pub mod imports;
pub mod jobs;
pub mod outbound;
pub mod policies;
pub mod provider;
pub mod sweep;
