//! A leader that lost its lock and does not know it, wherever its fold stands.

use crate::support::{Ledger, PATIENCE, differences, leader_is_dethroned, reached, stretch};
use database::testing::eventually;
use event_store::crash::{self, Steps};
use event_store::{EventStore, Options as StoreOptions};
use futures::FutureExt;
use futures::future::BoxFuture;
use projections::engine::{Options, Projections};
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// Holds a process at a named point, once.
struct Hold {
    point: &'static str,
    is_armed: AtomicBool,
    is_there: Notify,
    go: Notify,
}

struct Points(Arc<Hold>);

impl Steps for Points {
    fn reach(&self, point: &'static str) -> BoxFuture<'static, ()> {
        let hold = self.0.clone();
        async move {
            if point == hold.point && hold.is_armed.swap(false, Ordering::SeqCst) {
                hold.is_there.notify_one();
                hold.go.notified().await;
            } else {
                // Where it would wait for time to pass, it does, a little.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        .boxed()
    }
}

/// A process that folds, and looks after its locks only once a minute. Dropped, it is dead.
struct Process {
    die: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Process {
    fn start(ledger: &Ledger, hold: &Arc<Hold>) -> Self {
        let (die, death) = oneshot::channel::<()>();
        let (database, points) = (ledger.db.options(), Arc::new(Points(hold.clone())));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            crash::step_through(points);
            runtime.block_on(async {
                let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(database);
                let store = EventStore::open(pool.clone(), StoreOptions::default()).await.unwrap();
                let options = Options { poll_every: PATIENCE, ..Options::default() };
                let projections = Projections::open(&pool, store, projections::all(), options).await.unwrap();
                let _running = projections.run();
                let _ = death.await;
            });
            runtime.shutdown_background();
        });
        Self { die: Some(die), thread: Some(thread) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.die.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn dethroned_at(point: &'static str) {
    let ledger = Ledger::new().await;
    let head = ledger.append(&stretch(0)).await;
    let other = ledger.projections().await;
    let (is_armed, is_there, go) = (AtomicBool::new(false), Notify::new(), Notify::new());
    let hold = Arc::new(Hold { point, is_armed, is_there, go });
    let unaware = Process::start(&ledger, &hold);
    eventually("it leads and folds", async || {
        other.status().await.unwrap().iter().all(|one| one.position == head)
    })
    .await;
    let running = other.run();
    hold.is_armed.store(true, Ordering::SeqCst);
    ledger.append(&stretch(1)).await;
    timeout(PATIENCE, hold.is_there.notified()).await.expect(point);
    leader_is_dethroned(&ledger).await;
    let head = ledger.append(&stretch(2)).await;
    reached(&other, head).await;
    assert!(other.is_leading(), "{point}");
    // It wakes up, still believes that it leads, and folds beside the one that does.
    hold.go.notify_one();
    for part in 3..8 {
        reached(&other, ledger.append(&stretch(part)).await).await;
    }
    drop((running, unaware));
    assert_eq!(differences(&other).await, [], "{point}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_lock_unawares_before_it_writes_folds_nothing_twice_and_nothing_is_missed() {
    dethroned_at("projections.before_rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_lock_unawares_before_it_commits_folds_nothing_twice_and_nothing_is_missed() {
    dethroned_at("projections.before_commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_lock_unawares_after_it_committed_folds_nothing_twice_and_nothing_is_missed() {
    dethroned_at("projections.after_commit").await;
}
