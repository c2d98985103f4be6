//! Processor time: what a command costs whatever else the machine is doing.

use crate::ground::Ground;
use sqlx::{Connection, PgConnection};
use std::collections::HashMap;

/// Reads how much processor time the server and this process have used.
pub struct Cpu {
    connection: PgConnection,
}

/// Nanoseconds so far: of each of the server's processes, and of this one with what belongs to it.
pub struct Used {
    server: HashMap<i32, u64>,
    own: u64,
}

/// The nanoseconds that all tasks of a process have run.
fn ran_by(process: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks.map(|task| ran(&task.path().join("schedstat").to_string_lossy())).sum()
}

/// The nanoseconds that a task has run; 0 when it is gone.
fn ran(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

impl Cpu {
    /// Connects.
    pub async fn new(ground: &Ground) -> anyhow::Result<Self> {
        Ok(Self { connection: PgConnection::connect_with(&ground.options("postgres")).await? })
    }

    /// What was used until now by the server and by this process, together with another one.
    pub async fn used(&mut self, other: Option<u32>) -> anyhow::Result<Used> {
        let pids: Vec<i32> =
            sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                .fetch_all(&mut self.connection)
                .await?;
        let server = pids.into_iter().map(|pid| (pid, ran(&format!("/proc/{pid}/schedstat")))).collect();
        let own = ran_by("self") + other.map_or(0, |other| ran_by(&other.to_string()));
        Ok(Used { server, own })
    }
}

impl Used {
    /// Seconds of the server and of this process since an earlier reading.
    pub fn since(&self, before: &Self) -> (f64, f64) {
        let of = |pid: &i32| before.server.get(pid).copied().unwrap_or_default();
        let server: u64 = self.server.iter().map(|(pid, now)| now.saturating_sub(of(pid))).sum();
        #[allow(clippy::cast_precision_loss)]
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        (seconds(server), seconds(self.own.saturating_sub(before.own)))
    }
}
