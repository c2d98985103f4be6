//! A simulated process: a thread, a runtime, a store. It can be killed at any moment.

use crate::board::{Board, CLIENT, Points};
use event_store::{EventStore, Options, crash};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce(EventStore) -> BoxFuture<'static, ()> + Send>;

pub struct Process {
    jobs: mpsc::UnboundedSender<(usize, Job)>,
    die: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    pub handle: tokio::runtime::Handle,
}

impl Process {
    pub async fn start(number: usize, board: &Board, database: PgConnectOptions, options: Options) -> Self {
        let (jobs, mut work) = mpsc::unbounded_channel::<(usize, Job)>();
        let (die, mut death) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let points = Arc::new(Points { board: board.clone(), process: number });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            crash::step_through(points);
            runtime.block_on(async {
                let pool = PgPoolOptions::new()
                    .max_connections(6)
                    .test_before_acquire(false)
                    .connect_lazy_with(database);
                let store = EventStore::open(pool, options).await.unwrap();
                let _ = ready.send(tokio::runtime::Handle::current());
                loop {
                    tokio::select! {
                        Some((client, job)) = work.recv() => {
                            tokio::spawn(CLIENT.scope(client, job(store.clone())));
                        }
                        _ = &mut death => return,
                    }
                }
            });
            // Nothing is finished and nothing is said goodbye to.
            runtime.shutdown_background();
        });
        let handle = tokio::time::timeout(Duration::from_secs(60), started).await.unwrap().unwrap();
        Self { jobs, die: Some(die), thread: Some(thread), handle }
    }

    pub fn run(
        &self,
        client: usize,
        job: impl FnOnce(EventStore) -> BoxFuture<'static, ()> + Send + 'static,
    ) {
        self.jobs.send((client, Box::new(job))).unwrap();
    }

    /// Kills it, and waits until nothing of it runs.
    pub async fn kill(mut self) {
        drop(self.die.take());
        let thread = self.thread.take().unwrap();
        tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    }
}
