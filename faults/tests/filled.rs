//! A catalogue imported, the demo beside it, and a thousand commands of four people at once: verify finds
//! nothing, and a rebuild leaves every table as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use faults::checks::{self, Others};
use faults::generator::{Catalogue, NONSENSE, Shared};
use faults::judge::judge;
use faults::load::{self, Tally};
use faults::report::Report;
use faults::server::{Program, Started};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

const COMMANDS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_import_demo_and_a_thousand_commands_verify_and_rebuild_find_every_table_as_it_is() {
    let seed = faults::seed();
    println!("seed {seed}: FAULTS_SEED={seed} repeats every person's choices");
    let program = Program::find().unwrap();
    let db = TestDb::new().await;
    let Started::Ready(mut server) = program.serve(&db.url, None).await.unwrap() else {
        panic!("the server died; its log: {}", program.log().display());
    };
    fill(&program, &db).await;
    let since = checks::caught_up(&db.pool).await.unwrap();

    let catalogue = Shared::new(Catalogue::default().into());
    let figures: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM figures ORDER BY id LIMIT 40").fetch_all(&db.pool).await.unwrap();
    catalogue.lock().unwrap().know(figures);
    let (_sender, address) = watch::channel(Some(server.base().to_owned()));
    let tally = Arc::new(Tally::default());
    let mut clients = Vec::new();
    for (at, one) in (1_u64..).zip(load::people(&db.pool, &[address]).await.unwrap()) {
        let seed = seed.wrapping_mul(1_000).wrapping_add(at * 10);
        let asking = load::keep_asking(one, seed, catalogue.clone(), tally.clone());
        clients.push(tokio::spawn(asking));
    }
    while tally.accepted.load(Ordering::Relaxed) < COMMANDS && !clients.iter().any(|one| one.is_finished()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tally.stop();
    let mut people = Vec::new();
    for client in clients {
        people.push(client.await.unwrap().unwrap());
    }
    checks::caught_up(&db.pool).await.unwrap();

    let models = checks::read_models(&db.pool).await.unwrap();
    let mut report = Report::default();
    let others = Others { since, ..Others::default() };
    judge(&program, (&db.pool, &db.url), &models, (people, Vec::new()), &others, &mut report).await.unwrap();
    println!("{} accepted, {} refused: {:?}", report.acknowledged, report.refused, report.kinds);
    let complaints = report.complaints.join("\n");
    assert!(complaints.is_empty(), "seed {seed}:\n{complaints}");
    assert_eq!((report.lost, report.doubled), (0, 0), "seed {seed}");
    let never: Vec<_> =
        report.kinds.iter().filter(|(kind, (accepted, _))| **kind != NONSENSE && *accepted == 0).collect();
    // The rarest are expected six times or more in a thousand.
    assert!(never.len() <= 1, "seed {seed}: never accepted, so not tried: {never:?}");
    for (table, lines) in checks::dumps(&db.pool, &models).await.unwrap() {
        let rows = lines.iter().filter(|line| line.starts_with('(')).count();
        println!("{table}: {rows} rows");
    }
    server.kill().unwrap();
    server.ended().await.unwrap();
}

/// The real catalogue, where it is at hand, and the demo.
async fn fill(program: &Program, db: &TestDb) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nendoroids.jsonl");
    if data.exists() {
        let path = data.to_str().unwrap();
        let output = program.run(&db.url, &["import", "catalogue", path], None).await.unwrap();
        assert!(output.status.success(), "import: {}", String::from_utf8_lossy(&output.stderr));
        println!("{}", String::from_utf8_lossy(&output.stdout));
    } else {
        println!("SKIPPED: the import, since {} is not there", data.display());
    }
    let output = program.run(&db.url, &["demo"], None).await.unwrap();
    assert!(output.status.success(), "demo: {}", String::from_utf8_lossy(&output.stderr));
}
