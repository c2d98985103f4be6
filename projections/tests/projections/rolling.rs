//! A release is rolled out: processes of two versions on one database.

use crate::support::{Ledger, PATIENCE, differences, on_figure, raised, reached, status, stretch};
use database::testing::eventually;
use domain::figure::FigureEvent;
use projections::engine::{Definition, Projections, State, Waited};
use std::sync::atomic::{AtomicU32, Ordering};

/// A release that folds the figures otherwise.
fn newer() -> Vec<Definition> {
    let all = projections::all().into_iter();
    all.map(|one| if one.name == "figures" { raised(one) } else { one }).collect()
}

/// Names of all read models, to wait for.
fn names() -> Vec<&'static str> {
    projections::all().iter().map(|one| one.name).collect()
}

async fn version(of: &Projections) -> u32 {
    status(of, "figures").await.version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_rolled_out_under_load_and_nobody_waits_in_vain_and_nothing_is_lost() {
    let ledger = Ledger::new().await;
    let old = ledger.projections().await;
    let own = version(&old).await;
    let running_old = old.run();
    let head = ledger.append(&stretch(0)).await;
    reached(&old, head).await;
    let part = AtomicU32::new(1);
    // Every write must become readable through both processes, whoever folds; every query must find its rows.
    let write = async |through: &[&Projections]| {
        let head = ledger.append(&stretch(part.fetch_add(1, Ordering::Relaxed).into())).await;
        for process in through {
            assert_eq!(process.wait_for(&names(), head, PATIENCE).await, Waited::Reached);
        }
        let found: i64 =
            sqlx::query_scalar("SELECT count(*) FROM figures").fetch_one(ledger.pool()).await.unwrap();
        assert!(found >= 8);
    };
    for _ in 0..2 {
        write(&[&old]).await;
    }
    let new = ledger.projections_of(newer()).await;
    let running_new = new.run();
    let mut writes = 0;
    while version(&old).await == own || writes < 3 {
        write(&[&old, &new]).await;
        writes += 1;
        assert!(writes < 200, "the new version never takes over");
    }
    // The old one goes on with what is its own, and leaves the rest to the new one.
    eventually("the new one folds what it has rebuilt", async || {
        write(&[&old, &new]).await;
        status(&new, "figures").await.lag == 0
    })
    .await;
    assert!(old.is_leading() && !new.is_leading());
    running_old.stop().await;
    for _ in 0..3 {
        write(&[&new]).await;
    }
    assert!(new.is_leading());
    running_new.stop().await;
    assert_eq!(differences(&new).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_taken_back_leaves_what_it_rebuilt_alone_and_folds_the_rest() {
    let ledger = Ledger::new().await;
    let new = ledger.projections_of(newer()).await;
    let head = ledger.append(&stretch(0)).await;
    ledger.fold_all(&new).await;
    // The tables are of the newer release; the older one comes back.
    let old = ledger.projections().await;
    let running = old.run();
    let next = ledger.append(&stretch(1)).await;
    let others: Vec<&str> = names().into_iter().filter(|name| *name != "figures").collect();
    assert_eq!(old.wait_for(&others, next, PATIENCE).await, Waited::Reached);
    let figures = status(&old, "figures").await;
    assert_eq!((figures.position, figures.state), (head, State::Running));
    assert!(figures.version > figures.release_version);
    let running_new = new.run();
    reached(&new, next).await;
    drop((running, running_new));
    assert_eq!(differences(&new).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_cannot_be_folded_does_not_stop_the_old_one() {
    let ledger = Ledger::new().await;
    let old = ledger.projections_of(vec![Definition::of::<projections::figures::Figures>()]).await;
    ledger.append(&stretch(0)).await;
    // The old one has passed over it; the record of that is gone, so the new one meets it again.
    let poison = ledger.append(&[on_figure(666, FigureEvent::NsfwMarked { is_nsfw: true })]).await;
    let running_old = old.run();
    let stuck = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(old.wait_for(&["figures"], poison, PATIENCE).await, stuck);
    old.skip("figures", "of a figure that never was", "a test").await.unwrap();
    eventually("it goes on", async || old.wait_for(&["figures"], poison, PATIENCE).await == Waited::Reached)
        .await;
    sqlx::query("DELETE FROM projection_skips").execute(ledger.pool()).await.unwrap();
    let figures = newer().into_iter().filter(|one| one.name == "figures").collect();
    let new = ledger.projections_of(figures).await;
    let running_new = new.run();
    eventually("the rebuild fails", async || {
        let rebuild = status(&old, "figures").await.rebuild;
        rebuild.is_some_and(|rebuild| rebuild.error.is_some_and(|error| error.contains("nsfw_marked")))
    })
    .await;
    let head = ledger.append(&stretch(1)).await;
    assert_eq!(old.wait_for(&["figures"], head, PATIENCE).await, Waited::Reached);
    assert_eq!(status(&old, "figures").await.state, State::Running);
    // Once the old one is gone, nobody folds it any more, and that is shown.
    running_old.stop().await;
    eventually("it is shown as stopped", async || {
        let figures = status(&new, "figures").await;
        figures.state == State::Stopped && figures.failed_position == Some(poison)
    })
    .await;
    running_new.stop().await;
}
