//! `kill -9` of the PostgreSQL that a server keeps in its data folder, and starts again by itself.

use super::Fault;
use crate::client::Person;
use crate::generator::Request;
use crate::real::stage::Stage;
use crate::server::Started;
use anyhow::{Context, ensure};
use async_trait::async_trait;
use database::cluster::Cluster;
use database::testing::ScratchFolder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const KILLS: u32 = if cfg!(debug_assertions) { 1 } else { 2 };
const WRITES: u64 = 15;
/// How soon a write is accepted again, while the program notices, recovers and serves.
const BACK_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 15 });

/// A server's own PostgreSQL dies.
pub struct OwnPostgresKilled;

#[async_trait(?Send)]
impl Fault for OwnPostgresKilled {
    fn name(&self) -> &'static str {
        "own_postgres_killed"
    }

    fn tries(&self) -> &'static str {
        "kill -9 of the PostgreSQL in a server's own data folder: the server starts it again"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let folder = ScratchFolder::new();
        let mut server = match stage.program.serve_folder(folder.path()).await? {
            Started::Ready(server) => server,
            Started::Died(status) => anyhow::bail!("the server died at its start: {status}"),
        };
        let (_here, address) = watch::channel(Some(server.base().to_owned()));
        let person = Person::register(&[address], "own").await?;
        let cluster = Cluster::join_or_start(folder.path()).await?;
        let pool = sqlx::PgPool::connect_lazy_with(cluster.options());
        let data: PathBuf =
            sqlx::query_scalar::<_, String>("SHOW data_directory").fetch_one(&pool).await?.into();
        let mut names = BTreeSet::new();
        let mut slowest = Duration::ZERO;
        for kills_left in (0..=KILLS).rev() {
            for _ in 0..WRITES {
                let name = format!("Box {}", names.len());
                let body = json!({"name": name});
                let key = format!("own-{}", names.len());
                let path = "/api/me/locations".to_owned();
                let request = Request::plain("own", Method::POST, path, body, &key);
                let begun = Instant::now();
                let answer = person.deliver(&request, &mut || None).await?.answer;
                ensure!(answer.is_accepted(), "{request:?}: {} {}", answer.status, answer.body);
                slowest = slowest.max(begun.elapsed());
                names.insert(name);
            }
            if kills_left > 0 {
                tokio::time::sleep(Duration::from_micros(rng.random_range(0..20_000))).await;
                let file = std::fs::read_to_string(data.join("postmaster.pid"))?;
                let pid = file.lines().next().and_then(|pid| pid.trim().parse().ok());
                kill(Pid::from_raw(pid.context("no postmaster")?), Signal::SIGKILL)?;
            }
        }
        println!("  {} writes, the slowest took {} ms", names.len(), slowest.as_millis());
        let recorded: Vec<String> = sqlx::query_scalar(
            "SELECT payload->'cabinet_created'->>'name' FROM events \
             WHERE event_type = 'collection.cabinet_created' AND owner_id = $1",
        )
        .bind(person.id)
        .fetch_all(&pool)
        .await?;
        let once: BTreeSet<String> = recorded.iter().cloned().collect();
        if once != names || recorded.len() != names.len() {
            stage.complaints.push(format!("of {names:?} the log has {recorded:?}"));
        }
        if slowest > BACK_WITHIN {
            stage.complaints.push(format!("a write took {slowest:?} with a PostgreSQL of its own"));
        }
        pool.close().await;
        server.kill()?;
        server.ended().await?;
        Ok(cluster.release().await?)
    }
}
