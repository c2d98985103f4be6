//! Who folds, and that nothing is folded twice or missed whoever does.

use crate::support::{
    Ledger, PATIENCE, catalogued, differences, figure, leader_is_dethroned, reached, stretch,
};
use database::testing::eventually;
use domain::commands::SetWish;
use domain::ids::{CommandId, UserId};
use domain::stream::Position;
use domain::world::Circumstances;
use event_store::Execution;
use projections::engine::{Options, Projections, Waited};
use sqlx::Row;
use uuid::Uuid;

/// Somebody wishes for a figure, through the store of the process that folds.
async fn wish(ledger: &Ledger) -> Position {
    let user_id = UserId(Uuid::now_v7());
    let command = SetWish { user_id, figure_id: figure(1), expected: None, target: None, note: None };
    let circumstances = Circumstances {
        actor: None,
        is_admin: false,
        now: chrono::Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    };
    ledger.store.execute(&command, &Execution::new(circumstances)).await.unwrap().position
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_folded_exactly_once_across_restarts() {
    let ledger = Ledger::new().await;
    for part in 0..5 {
        let projections = ledger.projections().await;
        let head = ledger.append(&stretch(part)).await;
        let running = projections.run();
        // Stopped at a moment of no meaning: some projections are done by then, some are not.
        projections.wait_for(&["figures"], head, PATIENCE).await;
        running.stop().await;
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
        leader_is_dethroned(&ledger).await;
        let head = ledger.append(&stretch(2 * part + 1)).await;
        reached(&one, head).await;
        reached(&two, head).await;
    }
    running.0.stop().await;
    running.1.stop().await;
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
    running.stop().await;
    let names = sqlx::query("SELECT name FROM figures ORDER BY name").fetch_all(ledger.pool()).await.unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    assert_eq!(names.len(), 8 + 1, "none of the stretch in between: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_checkpoint_was_moved_is_left_behind_alone_and_the_others_are_folded_together_on() {
    let ledger = Ledger::new().await;
    let head = ledger.append(&stretch(0)).await;
    // Nothing but a fold that comes to nothing tells it of what is done to a checkpoint.
    let options = Options { poll_every: PATIENCE, ..Options::default() };
    let projections =
        Projections::open(ledger.pool(), ledger.store.clone(), projections::all(), options).await.unwrap();
    let running = projections.run();
    reached(&projections, head).await;
    let names = projections.definitions().iter().map(|one| one.name);
    let others: Vec<&str> = names.filter(|name| *name != "entities").collect();
    // Whoever is folded alone has a time of its own; whoever is folded with others, that of the event.
    let alone = async || {
        let sql = "SELECT projection FROM projection_checkpoints WHERE projection <> 'entities' \
                   AND updated_at <> (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1)";
        sqlx::query_scalar::<_, String>(sql).fetch_all(ledger.pool()).await.unwrap()
    };
    eventually("all are folded together", async || {
        reached(&projections, wish(&ledger).await).await;
        alone().await.is_empty()
    })
    .await;
    sqlx::query(
        "UPDATE projection_checkpoints SET state = 'paused', updated_at = clock_timestamp() \
         WHERE projection = 'entities'",
    )
    .execute(ledger.pool())
    .await
    .unwrap();
    for _ in 0..3 {
        let at = wish(&ledger).await;
        assert_eq!(projections.wait_for(&others, at, PATIENCE).await, Waited::Reached);
        assert_eq!(alone().await, Vec::<String>::new());
    }
    projections.resume("entities").await.unwrap();
    reached(&projections, ledger.store.head().await.unwrap()).await;
    running.stop().await;
    assert_eq!(differences(&projections).await, []);
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
    running.stop().await;
    let head = ledger.append(&stretch(2)).await;
    reached(&two, head).await;
    assert!(two.is_leading() && !one.is_leading());
    drop(following);
}
