//! Every fault of real processes once, at a size that continuous integration can bear: three servers on a
//! PostgreSQL of their own, and clients that do not give up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use faults::faults::{Fault, all};
use faults::real;
use faults::report::Report;
use faults::server::Program;

/// Two halves beside each other: most of a fault is waiting.
const HALVES: usize = 2;

/// What needs root (a small file system) or libfaketime, where nobody sees to it that they are there.
const MAY_BE_SKIPPED: &[&str] = &["disk_full", "clock_jumps"];

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false")
}

async fn half(of: usize) {
    let seed = faults::seed();
    println!("seed {seed}: FAULTS_SEED={seed} repeats it");
    let program = Program::find().unwrap();
    let faults: Vec<Box<dyn Fault>> = all()
        .into_iter()
        .filter(|fault| !fault.is_for_full_size())
        .enumerate()
        .filter(|(at, _)| at % HALVES == of)
        .map(|(_, fault)| fault)
        .collect();
    let count = faults.len();
    let mut report = Report::default();
    real::round(&program, seed, faults, None, &mut report).await.unwrap_or_else(|error| {
        panic!("seed {seed}: {error:#}\nthe servers' log: {}", program.log().display())
    });
    println!("{} refused, {} sent more than once, {} told", report.refused, report.repeated, report.told);
    println!("{}", report.summary());
    let complaints = report.complaints.join("\n");
    assert!(complaints.is_empty(), "seed {seed}:\n{complaints}\nlog: {}", program.log().display());
    assert_eq!((report.lost, report.doubled), (0, 0));
    assert_eq!(report.tried + report.skipped.len(), count);
    let known = report.skipped.iter().all(|name| MAY_BE_SKIPPED.contains(name));
    assert!(
        known && (report.skipped.is_empty() || !in_ci()),
        "in CI everything has to be tried: {:?}",
        report.skipped
    );
    assert!(report.in_place > 10, "only {} writes in place were accepted", report.in_place);
    assert!(report.told > 20, "only {} things had to be told", report.told);
    assert!(report.acknowledged > 300, "only {} writes were accepted", report.acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_the_first_half_of_the_faults() {
    half(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_the_second_half_of_the_faults() {
    half(1).await;
}
