//! Two or three processes on one log, led through their crash and stall points by a seed.
//!
//! Each simulated process is a thread with a runtime, a store and a pool of its own. Its tasks stop at every
//! named point, and the appender's commits stop on the wire; when nothing moves any more, the seed picks what
//! goes on, what is cut, and who dies. So one seed is one course of events, and `SIM_SEED=…` repeats it.
//! Afterwards the log is the judge: see `model.rs`.
//!
//! | variable | |
//! |---|---|
//! | `SIM_SEED` | one schedule, told step by step |
//! | `SIM_SCHEDULES` | how many schedules, 60 unless said; with it, from a random seed on |
//! | `SIM_TOLD` | anything: tells every schedule step by step |
//!
//! Policies, which this crate does not know, are led through theirs in `workers/tests/workers/policies_stepped.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod board;
mod commands;
mod frozen;
mod model;
mod process;
mod requests;
mod rest;
mod schedule;
mod wire;

use std::collections::BTreeMap;

const FEW: u64 = 60;

/// What a run of the default size must have come across; otherwise it proves little.
const MUST_MEET: &[&str] = &[
    "append.after_commit",
    "append.before_acknowledge",
    "append.before_commit",
    "append.before_lock",
    "append.collect",
    "append.judged",
    "append.locked",
    "append.pause",
    "append.resolve",
    "command.answered",
    "command.confirmed",
    "command.decided",
    "command.loaded",
    "command.pause",
    "snapshot.before_encode",
    "snapshot.before_save",
    "wire.answer",
    "wire.commit",
    "wire.orphan",
    "answer: done",
    "answer: replayed",
    "answer: unchanged",
    "answer: refused",
    "answer: key reused",
    "answer: rejected",
    "answer: lost",
    "fault: a process dies",
    "fault: a commit is cut off",
    "fault: an answer is cut off",
    "fault: a backend is killed",
    "fault: snapshots are deleted",
    "several commands in one commit",
    "lost, and in the log",
    "lost, and not in the log",
    "a request sent again to another process",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_course_of_events_the_log_and_the_answers_agree() {
    let ground = schedule::Ground::new().await;
    if let Some(seed) = std::env::var("SIM_SEED").ok().map(|s| s.parse().expect("SIM_SEED is a number")) {
        ground.run(seed, true).await;
        return;
    }
    let schedules: u64 = std::env::var("SIM_SCHEDULES").ok().map_or(FEW, |s| s.parse().unwrap());
    let first: u64 = if schedules == FEW { 1 } else { rand::random_range(0..u64::MAX / 2) };
    println!("{schedules} schedules from SIM_SEED={first}");
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + schedules {
        for (what, times) in ground.run(seed, std::env::var_os("SIM_TOLD").is_some()).await {
            *met.entry(what).or_default() += times;
        }
        if (seed - first + 1).is_multiple_of(100) {
            println!("{} schedules", seed - first + 1);
        }
    }
    for (what, times) in &met {
        println!("{times:>8}  {what}");
    }
    let missed: Vec<_> = MUST_MEET.iter().filter(|what| !met.contains_key(**what)).collect();
    assert!(missed.is_empty() || schedules < FEW, "no schedule came across {missed:?}");
}
