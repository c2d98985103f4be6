//! Rebuilds, as other processes see them and call them off.

use crate::support::{Ledger, PATIENCE, catalogued, on_figure, raised, reached, status, stretch};
use database::testing::eventually;
use domain::figure::FigureEvent;
use projections::engine::{
    Definition, EngineError, Phase, Projections, RebuildState, Rebuilt, Stage, Status, Waited,
};
use projections::entities::Entities;
use projections::figures::Figures;
use sqlx::{Postgres, Transaction};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Keeps a rebuild of the figures from its swap until it is dropped.
async fn reader(ledger: &Ledger) -> Transaction<'static, Postgres> {
    let mut reading = ledger.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM figures").execute(&mut *reading).await.unwrap();
    reading
}

fn rebuild(of: &Projections) -> JoinHandle<Result<Vec<Rebuilt>, EngineError>> {
    let projections = of.clone();
    tokio::spawn(async move { projections.begin_rebuild(&["figures"], "alice").await?.run(|_| ()).await })
}

async fn figures(projections: &Projections) -> Status {
    status(projections, "figures").await
}

async fn at_the_swap(projections: &Projections) {
    eventually("the rebuild waits for its swap", async || {
        let rebuild = figures(projections).await.rebuild;
        rebuild.is_some_and(|rebuild| rebuild.is_running() && rebuild.stage == Stage::Swapping)
    })
    .await;
}

async fn shadows(ledger: &Ledger) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'shadow_')")
        .fetch_one(ledger.pool())
        .await
        .unwrap()
}

async fn no_shadows(ledger: &Ledger) {
    eventually("the shadow tables are gone", async || shadows(ledger).await == 0).await;
}

async fn folded() -> (Ledger, Projections, Projections) {
    let ledger = Ledger::new().await;
    let (one, two) = (ledger.projections().await, ledger.projections().await);
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&one).await;
    (ledger, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_sees_a_rebuild_and_calls_it_off() {
    let (ledger, one, two) = folded().await;
    sqlx::query("UPDATE figures SET name = 'Touched'").execute(ledger.pool()).await.unwrap();
    assert!(matches!(two.cancel_rebuild("figures", "bob").await, Err(EngineError::NotRebuilding("figures"))));
    let reading = reader(&ledger).await;
    let rebuilding = rebuild(&one);
    at_the_swap(&two).await;
    let seen = figures(&two).await;
    assert_eq!(seen.phase, Phase::Rebuilding);
    let rebuild = seen.rebuild.unwrap();
    assert_eq!((rebuild.asked_by.as_str(), rebuild.state), ("alice", RebuildState::Running));
    assert!(matches!(two.rebuild(&["figures"], |_| ()).await, Err(EngineError::Busy("figures"))));
    two.cancel_rebuild("figures", "bob").await.unwrap();
    // From here on it is not swapped, whether or not its process has heard of it.
    let cancelled = figures(&one).await.rebuild.unwrap();
    assert_eq!((cancelled.state, cancelled.cancelled_by.as_deref()), (RebuildState::Cancelled, Some("bob")));
    reading.commit().await.unwrap();
    let outcome = timeout(PATIENCE, rebuilding).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(EngineError::CalledOff("figures"))), "{outcome:?}");
    no_shadows(&ledger).await;
    let touched: i64 = sqlx::query_scalar("SELECT count(*) FROM figures WHERE name = 'Touched'")
        .fetch_one(ledger.pool())
        .await
        .unwrap();
    assert_eq!(touched, 8, "the live tables are as they were");
    two.rebuild(&["figures"], |_| ()).await.unwrap();
    let done = figures(&one).await.rebuild.unwrap();
    assert_eq!((done.state, done.cancelled_by), (RebuildState::Done, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_whose_process_is_gone_is_told_as_cut_off_and_cleared_by_the_leader() {
    let (ledger, one, two) = folded().await;
    let reading = reader(&ledger).await;
    let rebuilding = rebuild(&one);
    at_the_swap(&two).await;
    rebuilding.abort();
    eventually("it is told as cut off", async || {
        figures(&two).await.rebuild.is_some_and(|rebuild| rebuild.state == RebuildState::Interrupted)
    })
    .await;
    assert!(matches!(two.cancel_rebuild("figures", "bob").await, Err(EngineError::NotRebuilding(_))));
    assert_eq!(shadows(&ledger).await, 1);
    let running = two.run();
    no_shadows(&ledger).await;
    drop((reading, running));
    // Whoever has just cleared up is not in the way.
    one.rebuild(&["figures"], |_| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_a_frozen_process_is_ended_for_it() {
    let (_ledger, one, two) = folded().await;
    // It has its locks and never goes on.
    let frozen = one.begin_rebuild(&["figures"], "alice").await.unwrap();
    two.cancel_rebuild("figures", "bob").await.unwrap();
    // It waits until the frozen one's connection has been ended.
    two.rebuild(&["figures"], |_| ()).await.unwrap();
    let outcome = frozen.run(|_| ()).await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(figures(&two).await.rebuild.unwrap().state, RebuildState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_asked_for_in_the_moment_another_is_seen_to_end_is_not_refused() {
    let (_ledger, one, two) = folded().await;
    for round in 0..10 {
        let rebuilding = rebuild(&one);
        eventually("it begins", async || {
            let seen = two.rebuilds().await.unwrap().remove("figures");
            seen.is_some_and(|seen| {
                seen.asked_by == "alice" && (seen.is_running() || rebuilding.is_finished())
            })
        })
        .await;
        while two.rebuilds().await.unwrap()["figures"].is_running() {
            tokio::task::yield_now().await;
        }
        two.rebuild(&["figures"], |_| ()).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        timeout(PATIENCE, rebuilding).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_rebuilt_together_one_that_fails_or_is_called_off_does_not_stop_the_others() {
    let (ledger, one, two) = folded().await;
    ledger.append(&[on_figure(666, FigureEvent::NsfwMarked { is_nsfw: true })]).await;
    let outcome = one.rebuild(&["figures", "entities"], |_| ()).await;
    assert!(matches!(outcome, Err(EngineError::Failed { projection: "figures", .. })), "{outcome:?}");
    let known = two.rebuilds().await.unwrap();
    assert_eq!(known["figures"].state, RebuildState::Failed);
    assert!(known["figures"].error.as_ref().unwrap().contains("figure.nsfw_marked"));
    assert_eq!(known["entities"].state, RebuildState::Done);
    assert_eq!(known["entities"].started_at.date_naive(), known["figures"].started_at.date_naive());
    no_shadows(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_release_has_outgrown_is_rebuilt_with_one_reading() {
    let ledger = Ledger::new().await;
    let definitions = || vec![Definition::of::<Entities>(), Definition::of::<Figures>()];
    let before = ledger.projections_of(definitions()).await;
    let head = ledger.append(&stretch(0)).await;
    ledger.fold_all(&before).await;
    let after = ledger.projections_of(definitions().into_iter().map(raised).collect()).await;
    let running = after.run();
    eventually("both are rebuilt", async || {
        let known = after.rebuilds().await.unwrap();
        known.len() == 2 && known.values().all(|rebuild| rebuild.state == RebuildState::Done)
    })
    .await;
    reached(&after, head).await;
    let readings: i64 = sqlx::query_scalar("SELECT count(DISTINCT rebuild_id) FROM projection_rebuilds")
        .fetch_one(ledger.pool())
        .await
        .unwrap();
    assert_eq!(readings, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_whose_rebuild_was_called_off_waits_until_somebody_asks_for_it() {
    let ledger = Ledger::new().await;
    let before = ledger.projections_of(vec![Definition::of::<Figures>()]).await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&before).await;
    let newer = raised(Definition::of::<Figures>());
    let after = ledger.projections_of(vec![newer]).await;
    let reading = reader(&ledger).await;
    let running = after.run();
    at_the_swap(&before).await;
    assert_eq!(figures(&before).await.rebuild.unwrap().asked_by, "a newer release");
    before.cancel_rebuild("figures", "bob").await.unwrap();
    reading.commit().await.unwrap();
    no_shadows(&ledger).await;
    running.stop().await;
    // The next process of that release leaves it alone, too.
    let again = ledger.projections_of(vec![newer]).await;
    let running = again.run();
    let head = ledger.append(&[catalogued(77, "Later", |_| ())]).await;
    let waited = again.wait_for(&["figures"], head, std::time::Duration::from_secs(1)).await;
    assert_eq!(waited, Waited::Behind(vec!["figures".to_owned()]));
    assert_eq!(figures(&again).await.rebuild.unwrap().state, RebuildState::Cancelled);
    again.rebuild(&["figures"], |_| ()).await.unwrap();
    reached(&again, head).await;
    assert_eq!(figures(&again).await.version, newer.version);
    running.stop().await;
}
