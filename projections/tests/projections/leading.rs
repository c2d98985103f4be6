//! Who folds, and that nothing is folded twice or missed whoever does.

use crate::support::{Ledger, PATIENCE, catalogued, differences, reached, stretch};
use projections::engine::{Options, Projections};
use sqlx::Row;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_folded_exactly_once_across_restarts() {
    let ledger = Ledger::new().await;
    for part in 0..5 {
        let projections = ledger.projections().await;
        let head = ledger.append(&stretch(part)).await;
        let running = projections.run();
        // Stopped at a moment of no meaning: some projections are done by then, some are not.
        projections.wait_for(&["figures"], head, PATIENCE).await;
        drop(running);
    }
    let projections = ledger.projections().await;
    ledger.fold_all(&projections).await;
    assert_eq!(differences(&projections).await, []);
    let figures: i64 =
        sqlx::query_scalar("SELECT count(*) FROM figures").fetch_one(ledger.pool()).await.unwrap();
    assert_eq!(figures, 5 * 8 - 4, "all but the merged ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_whose_leader_is_killed_again_and_again_fold_every_event_once() {
    let ledger = Ledger::new().await;
    let (one, two) = (ledger.projections().await, ledger.projections().await);
    let running = (one.run(), two.run());
    for part in 0..6 {
        ledger.append(&stretch(2 * part)).await;
        // The leader loses its lock and does not know it yet, while the other takes over.
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND classid = x'70726f6a'::int AND objid = x'65630002'::int AND objsubid = 1",
        )
        .fetch_all(ledger.pool())
        .await
        .unwrap();
        let head = ledger.append(&stretch(2 * part + 1)).await;
        reached(&one, head).await;
        reached(&two, head).await;
    }
    drop(running);
    assert_eq!(differences(&one).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_somebody_else_moved_stops_the_fold_from_writing() {
    let ledger = Ledger::new().await;
    // It looks at its checkpoint when it is woken and finds that it was wrong, not before.
    let options = Options { poll_every: PATIENCE, ..Options::default() };
    let projections =
        Projections::open(ledger.pool(), ledger.store.clone(), projections::all(), options).await.unwrap();
    let running = projections.run();
    let head = ledger.append(&stretch(0)).await;
    reached(&projections, head).await;
    // As if another leader had folded the next stretch already.
    let ahead = head.0 + i64::try_from(stretch(1).len()).unwrap();
    sqlx::query("UPDATE projection_checkpoints SET position = $1 WHERE projection = 'figures'")
        .bind(ahead)
        .execute(ledger.pool())
        .await
        .unwrap();
    ledger.append(&stretch(1)).await;
    let last = ledger.append(&[catalogued(9_000, "Last", |_| ())]).await;
    reached(&projections, last).await;
    drop(running);
    let names = sqlx::query("SELECT name FROM figures ORDER BY name").fetch_all(ledger.pool()).await.unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    assert_eq!(names.len(), 8 + 1, "none of the stretch in between: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_one_leads() {
    let ledger = Ledger::new().await;
    let (one, two) = (ledger.projections().await, ledger.projections().await);
    let running = one.run();
    let head = ledger.append(&stretch(0)).await;
    reached(&one, head).await;
    let following = two.run();
    let head = ledger.append(&stretch(1)).await;
    reached(&two, head).await;
    assert!(one.is_leading() && !two.is_leading());
    drop(running);
    let head = ledger.append(&stretch(2)).await;
    reached(&two, head).await;
    assert!(two.is_leading() && !one.is_leading());
    drop(following);
}
