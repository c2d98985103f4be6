//! What the server takes of memory, without PostgreSQL.

use crate::commands::fold_everything;
use crate::ground::Ground;
use crate::history::{LogWriter, catalogue, piece};
use crate::people::{self, Cookies};
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section};
use crate::site::{Line, Site};
use anyhow::Context;
use domain::ids::{PieceId, UserId};
use domain::stream::StreamId;
use hyper::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// The scenario.
pub struct Memory;

const DATABASE: &str = "bench_memory";
const PEOPLE: usize = 1_000;
const PIECES: usize = 100;
const CLIENTS: usize = 16;
/// The allocator gives back what the start needed and nothing else does after ten seconds.
const AT_REST_AFTER: Duration = Duration::from_secs(20);

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// One client's share of the work: everybody changes a piece.
async fn work(
    mut line: Line,
    client: usize,
    people: Arc<Vec<(UserId, PieceId)>>,
    cookies: Arc<Cookies>,
) -> anyhow::Result<()> {
    for (user, piece) in people.iter().skip(client).step_by(CLIENTS) {
        let cookie = cookies.get(user).context("somebody signed in")?;
        let body = json!({"notes": "Moved to the cabinet in the hall."}).to_string();
        line.send(Method::PATCH, &format!("/api/me/owned/{piece}"), cookie, Some(body)).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl Scenario for Memory {
    fn title(&self) -> &'static str {
        "Memory of the server"
    }

    fn word(&self) -> &'static str {
        "memory"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        progress.at("memory: writing a thousand collections");
        ground.database(DATABASE, None).await?;
        let pool = ground.pool(DATABASE);
        let mut log = LogWriter::new(&pool).await?;
        let made = catalogue(&mut log, 200).await?;
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            let user = UserId(log.id());
            let mut last = None;
            for n in 0..PIECES {
                let id = PieceId(log.id());
                let event = piece(id, made.figure(n)?.id, false)?;
                log.tell(StreamId::Collection(user), Some(user), event).await?;
                last = Some(id);
            }
            people.push((user, last.context("pieces")?));
        }
        log.finish().await?;
        pool.close().await;
        fold_everything(ground, DATABASE).await?;
        let users: Vec<UserId> = people.iter().map(|(user, _)| *user).collect();
        let cookies = people::sign_in(ground, DATABASE, &users, false).await?;

        progress.at("memory: the server at rest");
        let site = Site::open(ground, DATABASE).await?;
        site.settle(ground, DATABASE).await?;
        tokio::time::sleep(AT_REST_AFTER).await;
        let at_rest = megabytes(site.memory()?);
        progress.at("memory: a thousand people at work");
        let (people, cookies) = (Arc::new(people), Arc::new(cookies));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(work(site.line().await?, client, people.clone(), cookies.clone()));
        }
        while let Some(done) = clients.join_next().await {
            done??;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let warm = megabytes(site.memory()?);
        drop(site);
        ground.drop(&[DATABASE]).await?;
        let row = |what: &str, bytes: f64| vec![what.to_owned(), format!("{bytes:.0} MB")];
        Ok(Section {
            heads: ["the server", "resident memory"].map(str::to_owned).to_vec(),
            rows: vec![
                row("at rest", at_rest),
                row(&format!("with {PEOPLE} warm collections of {PIECES} pieces"), warm),
            ],
            notes: vec![format!(
                "The release build as it is run. Every one of the people changed a piece, {CLIENTS} at a time."
            )],
            goals: vec![
                Goal::at_most("memory of the server at rest", at_rest, 40.0, " MB"),
                Goal::at_most("memory of the server with 1,000 warm aggregates", warm, 150.0, " MB"),
            ],
        })
    }
}
