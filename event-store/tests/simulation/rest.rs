//! Waiting until nothing moves any more.

use crate::board::{Board, Place, Who};
use crate::schedule::{PATIENCE, Schedule};
use std::time::Duration;

impl Schedule<'_> {
    /// Waits until nothing moves any more by itself.
    pub async fn settle(&self) {
        let settled = async {
            loop {
                let moves = self.board.moves();
                let (pending, leaving) = self.board.outside();
                if !leaving.is_empty() && self.any_alive(&leaving).await {
                    tokio::time::sleep(Duration::from_micros(300)).await;
                    continue;
                }
                self.board.left_if(&leaving);
                if pending > 0 && self.waiting_for_the_lock().await < pending {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                    continue;
                }
                for _ in 0..2 {
                    for handle in
                        self.processes.iter().flatten().map(|p| &p.handle).chain([&self.wire.handle])
                    {
                        // Each time it yields, everything that arrived has been looked at.
                        let looked = handle.spawn(async {
                            for _ in 0..3 {
                                tokio::task::yield_now().await;
                            }
                        });
                        let _ = looked.await;
                    }
                }
                if self.board.moves() == moves && self.board.outside() == (pending, Vec::new()) {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            panic!("it never comes to rest: {}", self.board.describe());
        }
    }

    pub async fn any_alive(&self, backends: &[i32]) -> bool {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY($1))")
            .bind(backends)
            .fetch_one(&self.ground.db.pool)
            .await
            .unwrap()
    }

    pub async fn waiting_for_the_lock(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .fetch_one(&self.ground.db.pool)
        .await
        .unwrap()
    }

    pub async fn until(&self, so: impl Fn(&Board) -> bool) {
        let asking = async {
            while !so(&self.board) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("what was waited for never came");
    }

    /// Waits until a killed backend is gone, and noticed unless its connection stands still anyway.
    pub async fn until_gone(&self, process: usize, backend: i32) {
        let asking = async {
            let unnoticed = || {
                let at_wire = |(_, p): &(u64, Place)| p.process == process && p.who == Who::Wire;
                self.board.appender_is(backend) && !self.board.parked().iter().any(at_wire)
            };
            while self.any_alive(&[backend]).await || unnoticed() {
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the backend never went");
        self.board.appender_left(backend);
    }
}
