//! Deliveries: what people are told by channels other than the app, sent from a queue in the database.
//!
//! Every channel has senders of its own, so a slow one delays no other; a person has only a few of a channel's at a
//! time, so a slow destination delays nobody else. A try begins with a lease on record and ends with what became of
//! it. A process that ends in between leaves a lease that runs out: then it is tried again, and the receiver may get
//! it a second time, under the same id. That is the one case in which it can.

mod backoff;
mod runner;
mod told;

pub use backoff::{MOST_TRIES, rest};
pub use runner::{Deliveries, NotTried, Options, Running};
pub use told::Told;
