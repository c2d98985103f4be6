//! A release is rolled out under load: two programs of different builds on one database.
//!
//! The one to come folds the figures otherwise and under a higher version, and every figure that it has folded
//! bears a mark; so the rows themselves say if the wrong one has folded them.

use super::Fault;
use crate::checks::{self, Acknowledged, Others};
use crate::client::{Address, Person};
use crate::generator::{Catalogue, Shared};
use crate::history;
use crate::load::{Tally, keep_asking, people};
use crate::market::Market;
use crate::notifications;
use crate::real::stage::Stage;
use crate::server::{Program, Server, Started};
use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use database::testing::TestDb;
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many requests are answered before, while both serve, and after.
const REQUESTS: u64 = 150;
/// How long any step of it may take.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What readers ask for, all of it of the read model that changes hands.
const READ: &[&str] = &["/api/figures?limit=50", "/api/figures?q=mina", "/api/figures/facets"];

/// The program is replaced by one that folds otherwise.
pub struct RolledOut;

#[async_trait(?Send)]
impl Fault for RolledOut {
    fn name(&self) -> &'static str {
        "rolled_out"
    }

    fn tries(&self) -> &'static str {
        "another build with a read model of a higher version takes over under load, and the old one ends"
    }

    fn is_for_full_size(&self) -> bool {
        true
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let next = Program::find_next()?;
        let db = TestDb::new().await;
        let mut rollout = Rollout::begin(stage.program, &db, rng.random()).await?;
        rollout.load(REQUESTS).await?;
        let before = version(&db.pool).await?;
        let ((), old_rows) = (rollout.join(&next).await?, rollout.reads_so_far());
        let begun = Instant::now();
        while version(&db.pool).await? == before {
            ensure!(begun.elapsed() < PATIENCE, "the new release never takes over");
            rollout.load(1).await?;
        }
        let (took, beside) = (begun.elapsed(), rollout.reads_so_far());
        rollout.load(REQUESTS).await?;
        rollout.retire().await?;
        rollout.load(REQUESTS).await?;
        let versions = rollout.versions.clone();
        let reads = rollout.end(&next, stage).await?;
        println!(
            "  taken over after {} ms; {old_rows} reads before, {} meanwhile, {} in all, each answered",
            took.as_millis(),
            beside - old_rows,
            reads
        );
        if versions != [before, before + 1] {
            stage.complaints.push(format!("the figures went through the versions {versions:?}"));
        }
        Ok(())
    }
}

async fn version(pool: &PgPool) -> anyhow::Result<i32> {
    let sql = "SELECT version FROM projection_checkpoints WHERE projection = 'figures'";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

type Reading = JoinHandle<anyhow::Result<()>>;

struct Rollout<'d> {
    db: &'d TestDb,
    since: i64,
    addresses: [watch::Sender<Option<String>>; 2],
    old: Option<Box<Server>>,
    new: Option<Box<Server>>,
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<anyhow::Result<crate::load::Client>>>,
    market: Market,
    looking: JoinHandle<anyhow::Result<()>>,
    follower: JoinHandle<anyhow::Result<history::Seen>>,
    reads: Arc<std::sync::atomic::AtomicU64>,
    reader: Person,
    readers: Vec<Reading>,
    /// Every version of the figures that was seen, in the order in which it was.
    versions: Vec<i32>,
}

impl<'d> Rollout<'d> {
    /// The old release serves, under load.
    async fn begin(program: &Program, db: &'d TestDb, seed: u64) -> anyhow::Result<Self> {
        let old = serve(program, db).await?;
        let demo = program.run(&db.url, &["demo"], None).await?;
        ensure!(demo.status.success(), "demo: {}", String::from_utf8_lossy(&demo.stderr));
        let since = checks::caught_up(&db.pool).await?;
        let addresses = [watch::Sender::new(Some(old.base().to_owned())), watch::Sender::new(None)];
        let known: Vec<Address> = addresses.iter().map(watch::Sender::subscribe).collect();
        let (tally, shared) = (Arc::new(Tally::default()), Shared::new(Catalogue::default().into()));
        let mut clients = Vec::new();
        let mut reader = None;
        for (at, one) in (1_u64..).zip(people(&db.pool, &known).await?) {
            reader.get_or_insert_with(|| one.2.clone());
            let seed = seed.wrapping_mul(1_000).wrapping_add(at * 10);
            clients.push(tokio::spawn(keep_asking(one, seed, shared.clone(), tally.clone())));
        }
        let market = Market::open(&known, &mut StdRng::seed_from_u64(seed), &tally).await?;
        let looking = tokio::spawn(market.keep_looking(db.pool.clone(), seed, shared));
        let follower = tokio::spawn(history::follow(db.options(), tally.clone()));
        let mut rollout = Self {
            db,
            since,
            addresses,
            old: Some(old),
            new: None,
            tally,
            clients,
            market,
            looking,
            follower,
            reads: Arc::default(),
            reader: reader.context("nobody reads")?,
            readers: Vec::new(),
            versions: Vec::new(),
        };
        rollout.read_through(0)?;
        Ok(rollout)
    }

    /// The new release serves beside the old one.
    async fn join(&mut self, program: &Program) -> anyhow::Result<()> {
        let new = serve(program, self.db).await?;
        self.at(1)?.send_replace(Some(new.base().to_owned()));
        self.new = Some(new);
        self.read_through(1)
    }

    /// Nobody is sent to the old one any more, and it ends in peace.
    async fn retire(&mut self) -> anyhow::Result<()> {
        self.at(0)?.send_replace(None);
        if let Some(reader) = self.readers.first_mut() {
            tokio::time::timeout(PATIENCE, reader).await???;
        }
        let mut old = self.old.take().context("it is gone")?;
        old.signal(Signal::SIGTERM)?;
        let status = tokio::time::timeout(PATIENCE, old.ended()).await.context("it does not end")??;
        ensure!(status.success(), "the old release ended with {status}");
        Ok(())
    }

    fn at(&self, which: usize) -> anyhow::Result<&watch::Sender<Option<String>>> {
        self.addresses.get(which).context("no such server")
    }

    /// Somebody reads through one of the two, without a pause, for as long as it is there. Every answer counts.
    fn read_through(&mut self, which: usize) -> anyhow::Result<()> {
        let address = self.at(which)?.subscribe();
        let (person, tally, reads) = (self.reader.clone(), self.tally.clone(), self.reads.clone());
        self.readers.push(tokio::spawn(async move {
            for path in READ.iter().cycle() {
                let here = address.borrow().clone().filter(|_| !tally.is_over());
                let Some(base) = here else { break };
                person.read_once(&base, path).await?;
                reads.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(())
        }));
        Ok(())
    }

    fn reads_so_far(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Lets everybody go on until so many requests more were answered.
    async fn load(&mut self, more: u64) -> anyhow::Result<()> {
        let until = self.tally.answered.load(Ordering::Relaxed).saturating_add(more);
        let begun = Instant::now();
        while self.tally.answered.load(Ordering::Relaxed) < until {
            let version = version(&self.db.pool).await?;
            if self.versions.last() != Some(&version) {
                self.versions.push(version);
            }
            if let Some(at) = self.clients.iter().position(JoinHandle::is_finished) {
                let ended = self.clients.swap_remove(at).await?.map(drop);
                bail!("somebody gave up: {:#}", ended.err().context("without a word")?);
            }
            if let Some(at) =
                self.readers.iter().position(|reader| reader.is_finished() && self.old.is_some())
            {
                self.readers.swap_remove(at).await?.context("a read was not answered")?;
                bail!("a reader gave up");
            }
            ensure!(begun.elapsed() < PATIENCE, "nobody gets answers");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Lets everybody finish, and compares; how many reads were answered.
    async fn end(mut self, next: &Program, stage: &mut Stage<'_>) -> anyhow::Result<u64> {
        let pool = &self.db.pool;
        self.tally.stop();
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        for client in self.clients.drain(..) {
            let client = client.await??;
            stage.complaints.extend(checks::belongings(&client.person, &client.name, &client.model).await?);
        }
        for reader in self.readers.drain(1..) {
            reader.await?.context("a read was not answered")?;
        }
        (&mut self.looking).await??;
        let seen = (&mut self.follower).await??;
        acknowledged.extend(self.tally.told());
        checks::caught_up(pool).await?;
        let others = Others { since: self.since, seen, ..Others::default() };
        let verdict = checks::log(pool, &acknowledged, &others).await?;
        stage.complaints.extend(verdict.complaints);
        notifications::reacted(pool).await?;
        stage.complaints.extend(notifications::check(pool, &self.market.people()).await?.complaints);
        // Whoever had folded with the other release's fold would be found out here, by rows with or without marks.
        let output = next.run(&self.db.url, &["verify"], None).await?;
        if !output.status.success() {
            stage.complaints.push(format!("verify: {}", String::from_utf8_lossy(&output.stdout)));
        }
        let counts: BTreeMap<String, i64> = sqlx::query_as(
            "SELECT 'figures', count(*) FROM events WHERE event_type = 'figure.catalogued' \
             UNION ALL SELECT 'marked', count(*) FROM figure_aliases WHERE namespace = 'next'",
        )
        .fetch_all(pool)
        .await?
        .into_iter()
        .collect();
        if counts.get("figures") != counts.get("marked") {
            stage.complaints.push(format!("not all figures were folded by the new release: {counts:?}"));
        }
        let mut new = self.new.take().context("it is gone")?;
        new.signal(Signal::SIGTERM)?;
        tokio::time::timeout(PATIENCE, new.ended()).await.context("it does not end")??;
        Ok(self.reads_so_far())
    }
}

async fn serve(program: &Program, db: &TestDb) -> anyhow::Result<Box<Server>> {
    match program.serve(&db.url, None).await? {
        Started::Ready(server) => Ok(server),
        Started::Died(status) => bail!("a server died at its start: {status}"),
    }
}

impl Drop for Rollout<'_> {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
        self.readers.iter().for_each(JoinHandle::abort);
        self.looking.abort();
        self.follower.abort();
    }
}
