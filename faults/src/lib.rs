//! Faults on purpose: the real server under random commands, dying at named points and at random moments,
//! and what must hold afterwards.
//!
//! | file | responsibility |
//! |---|---|
//! | `server.rs` | the real program as a process |
//! | `generator.rs` | random requests, and a small model of what came of them |
//! | `client.rs` | sending a request until it is answered |
//! | `beside.rs` | another process that writes |
//! | `market.rs` | prices and stock that move, and people who wait for them |
//! | `uploads.rs` | somebody who keeps files, and the cleanup of those that nothing names |
//! | `load.rs` | people who ask one request after the other, and what they were told |
//! | `campaign.rs` | servers that die at named points, one after another |
//! | `real/` | three servers on a PostgreSQL of their own, and everybody around them |
//! | `faults/` | what goes wrong there, one file per fault |
//! | `history.rs` | what concurrent clients saw, and whether the log explains it |
//! | `notifications.rs` | what people had to be told, reckoned from the log, and what they were told |
//! | `checks.rs` | what must hold afterwards: the log, the acknowledged writes, the tables |
//! | `judge.rs` | what must hold at the very end |
//! | `report.rs` | what came of it |
//!
//! `docs/faults.md` tells what is tried and promised.
//!
//! A seed repeats the faults and every client's choices; how the clients' requests fall between each other
//! and which moment a kill hits stay the machine's own.

#![allow(clippy::indexing_slicing, reason = "only JSON is indexed, which gives null for what is not there")]

pub mod beside;
pub mod campaign;
pub mod checks;
pub mod client;
pub mod faults;
pub mod generator;
pub mod history;
pub mod judge;
pub mod load;
pub mod market;
pub mod notifications;
pub mod real;
pub mod report;
pub mod server;
pub mod uploads;

/// The seed to use: what `FAULTS_SEED` says, else a fresh one.
#[must_use]
pub fn seed() -> u64 {
    setting("FAULTS_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()))
}

/// A number from the environment.
#[must_use]
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}
