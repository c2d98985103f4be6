//! Random commands, crashes at every named point and at random moments: nothing acknowledged is lost,
//! nothing is there twice, and live tables, a fresh fold and rebuilt tables are one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use faults::campaign::{self, POINTS, Plan};
use faults::server::Program;
use std::collections::BTreeSet;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_dies_what_was_acknowledged_stands_once_and_live_is_rebuild_is_verify() {
    let plan = Plan { seed: faults::seed(), rounds: faults::setting("FAULTS_ROUNDS").unwrap_or(1) };
    println!("seed {}: FAULTS_SEED={} repeats it, FAULTS_ROUNDS makes it longer", plan.seed, plan.seed);
    let program = Program::find().unwrap();
    let db = TestDb::new().await;
    let report = campaign::run(&program, &db, plan).await.unwrap_or_else(|error| {
        panic!("seed {}: {error:#}\nthe servers' log: {}", plan.seed, program.log().display())
    });
    println!("{} refused, {} repeated, died at {:?}", report.refused, report.repeated, report.died_at);
    println!("accepted and refused: {:?}", report.kinds);
    println!("{}", report.summary());
    let complaints = report.complaints.join("\n");
    assert!(complaints.is_empty(), "seed {}:\n{complaints}\nlog: {}", plan.seed, program.log().display());
    assert_eq!((report.lost, report.doubled), (0, 0));
    let reached: BTreeSet<&str> = report.died_at.keys().copied().collect();
    assert_eq!(reached, POINTS.iter().copied().collect(), "seed {}: not every point was reached", plan.seed);
    assert!(report.repeated > 0, "nothing was ever asked twice");
    assert!(report.told > 20, "only {} things had to be told", report.told);
    assert!(report.acknowledged > 300, "only {} writes were accepted", report.acknowledged);
}

#[test]
fn every_crash_point_in_the_sources_is_tried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeSet::new();
    for folder in ["api", "database", "event-store", "operational", "projections", "workers"] {
        collect(&root.join(folder).join("src"), &mut found);
    }
    assert_eq!(found, POINTS.iter().map(|point| (*point).to_owned()).collect());
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), found);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let points = text.split("crash_point!(\"").skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(points.map(str::to_owned));
        }
    }
}
