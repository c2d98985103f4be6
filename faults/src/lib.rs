//! Faults on purpose: the real server under random commands, dying at named points and at random moments,
//! and what must hold afterwards.
//!
//! | file | responsibility |
//! |---|---|
//! | `server.rs` | the real program as a process |
//! | `generator.rs` | random requests, and a small model of what came of them |
//! | `client.rs` | sending a request until it is answered |
//! | `beside.rs` | another process that writes |
//! | `campaign.rs` | servers that die, one after another, under clients that do not give up |
//! | `checks.rs` | what must hold afterwards: the log, the acknowledged writes, the tables |
//!
//! A seed repeats the faults and every client's choices; how the clients' requests fall between each other
//! and which moment a kill hits stay the machine's own.

#![allow(clippy::indexing_slicing, reason = "only JSON is indexed, which gives null for what is not there")]

pub mod beside;
pub mod campaign;
pub mod checks;
pub mod client;
pub mod generator;
pub mod server;

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
