//! What holds whatever people do, in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../runner/mod.rs"]
mod runner;

mod decoding;
mod histories;
mod money;
mod values;

/// So many cases, or as many as `PROPTEST_CASES` asks for: a night is worth more than a minute.
fn cases(few: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few);
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
