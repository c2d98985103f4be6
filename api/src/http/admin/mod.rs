//! Resources for those who run the instance.

pub mod users;
