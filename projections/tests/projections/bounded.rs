//! What is folded from the beginning of the log comes to the same however little of it is kept in memory.

use crate::support::{Ledger, differences, figure, raised, reached, stretch, user};
use domain::stream::Position;
use projections::engine::{Definition, Projections, Waited};
use std::collections::BTreeMap;

/// A log that merges, deletes, renames and erases across everything that was put away long before.
async fn long(ledger: &Ledger) -> Position {
    let mut events = Vec::new();
    for part in 0..12 {
        events.extend(stretch(part));
    }
    ledger.append(&events).await;
    let one = user(1).uuid();
    let end = crate::support::in_collection(user(1), domain::collection::CollectionEvent::PersonErased {});
    let erased = (
        "collection".to_owned(),
        one.to_string(),
        Some(one),
        end.1.event_type().to_owned(),
        end.1.to_json().unwrap(),
    );
    ledger.append_raw(&[erased]).await;
    ledger.append(&stretch(12)).await
}

async fn bounded(ledger: &Ledger) -> Projections {
    ledger.projections_with(projections::all(), Some(0)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_keeps_next_to_nothing_in_memory_comes_to_the_same_rows_indexes_and_constraints() {
    let ledger = Ledger::new().await;
    let (roomy, tight) = (ledger.projections().await, bounded(&ledger).await);
    long(&ledger).await;
    ledger.fold_all(&roomy).await;
    let (rows, shape) = (ledger.dump(&roomy).await, ledger.shape().await);
    tight.rebuild(&[], |_| ()).await.unwrap();
    assert_eq!(ledger.dump(&roomy).await, rows);
    assert_eq!(ledger.shape().await, shape);
    roomy.rebuild(&[], |_| ()).await.unwrap();
    assert_eq!(ledger.dump(&roomy).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_keeps_next_to_nothing_in_memory_finds_what_differs_and_nothing_else() {
    let ledger = Ledger::new().await;
    let tight = bounded(&ledger).await;
    long(&ledger).await;
    ledger.fold_all(&tight).await;
    assert_eq!(differences(&tight).await, []);
    sqlx::query("UPDATE figures SET name = 'Nobody' WHERE id = $1")
        .bind(figure(3).uuid())
        .execute(ledger.pool())
        .await
        .unwrap();
    let found = differences(&tight).await;
    assert_eq!(found.iter().map(|(_, one)| one.column).collect::<Vec<_>>(), [Some("name")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_leaves_nothing_behind_and_does_not_keep_others_from_anything() {
    let ledger = Ledger::new().await;
    let projections = bounded(&ledger).await;
    let running = projections.run();
    let head = long(&ledger).await;
    reached(&projections, head).await;
    let shape = ledger.shape().await;
    let verifying = {
        let projections = projections.clone();
        tokio::spawn(async move { projections.verify(&[], |_| (), |_, _| ()).await.unwrap() })
    };
    let next = ledger.append(&stretch(13)).await;
    reached(&projections, next).await;
    let verified = tokio::time::timeout(crate::support::PATIENCE, verifying).await.unwrap().unwrap();
    assert!(verified.iter().all(|one| one.differences == 0 && one.position >= head), "{verified:?}");
    assert_eq!(ledger.shape().await, shape);
    running.stop().await;
}

/// Differences are told one by one, so a table that is wholly wrong takes no more memory than one that is right.
#[tokio::test(flavor = "multi_thread")]
async fn differences_are_told_in_the_order_of_their_keys() {
    let ledger = Ledger::new().await;
    let projections = bounded(&ledger).await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    sqlx::query("UPDATE figures SET height_mm = 1").execute(ledger.pool()).await.unwrap();
    let found = differences(&projections).await;
    let keys: Vec<_> = found.iter().map(|(_, one)| one.key[0].to_string()).collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(keys.len(), 8);
    assert_eq!(keys, sorted);
}

/// Versions as they stand in the database.
async fn versions(projections: &Projections) -> BTreeMap<String, u32> {
    let all = projections.status().await.unwrap();
    all.into_iter().map(|one| (one.name, one.version)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_rebuilt_with_as_little_memory() {
    let ledger = Ledger::new().await;
    let before = bounded(&ledger).await;
    let head = long(&ledger).await;
    ledger.fold_all(&before).await;
    let rows = ledger.dump(&before).await;
    let newer: Vec<Definition> = projections::all().into_iter().map(raised).collect();
    let after = ledger.projections_with(newer.clone(), Some(0)).await;
    let running = after.run();
    database::testing::eventually("all are rebuilt", async || {
        let versions = versions(&after).await;
        newer.iter().all(|one| versions[one.name] == one.version)
    })
    .await;
    let names: Vec<&str> = newer.iter().map(|one| one.name).collect();
    assert_eq!(after.wait_for(&names, head, crate::support::PATIENCE).await, Waited::Reached);
    running.stop().await;
    assert_eq!(ledger.dump(&after).await, rows);
}
