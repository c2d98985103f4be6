//! Servers that die, one after another, under clients that do not give up.

use crate::beside;
use crate::checks::{self, Acknowledged, Others};
use crate::client::{Address, Person};
use crate::generator::{Catalogue, Generator, Role, Shared};
use crate::history::{self, Seen};
use crate::judge::judge;
use crate::load::{Client, Tally, keep_asking, people};
use crate::market::Market;
use crate::notifications;
use crate::report::Report;
use crate::server::{Program, Server, Started};
use crate::uploads::{self, Keeper, Uploads};
use anyhow::{Context, ensure};
use database::testing::TestDb;
use projections::engine::Projections;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use sqlx::PgPool;
use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// Every named point at which the program can die.
pub const POINTS: &[&str] = &[
    "append.before_commit",
    "append.after_commit",
    "append.before_acknowledge",
    "projections.before_rows",
    "projections.before_commit",
    "projections.after_commit",
    "rebuild.before_swap",
    "rebuild.amid_swap",
    "erasure.after_account",
    "erasure.after_end",
    "erasure.amid_blanking",
    "erasure.before_finish",
    "policies.before_commit",
    "policies.after_commit",
    "blobs.after_lease",
    "blobs.after_file",
    "cleanup.after_condemn",
    "cleanup.before_file",
    "cleanup.after_file",
];
/// Those on the way of a rebuild, which somebody has to ask for.
const REBUILD: &str = "rebuild.";
/// Those on the way of an erasure, likewise.
const ERASURE: &str = "erasure.";
/// Those on the way of an upload, which is passed less often than others.
const UPLOAD: &str = "blobs.";
/// Those on the way of the cleanup of files, which an admin asks for.
const CLEANUP: &str = "cleanup.";
/// How much somebody does before they ask to be erased.
const REQUESTS_BEFORE_LEAVING: u32 = 12;
/// After so many requests a point that was not reached is given up.
const REQUESTS_PER_FAULT: u64 = 150;
/// Requests before the first fault and after the last.
const REQUESTS_IN_PEACE: u64 = 100;
/// How long a fault may take.
const FAULT_WITHIN: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(3);
const ABORTED: i32 = 6;
const KILLED: i32 = 9;

/// How a server dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// The server dies at a named point, at that pass.
    At(&'static str, u64),
    /// It dies at a point of a rebuild that begins after so many requests.
    Rebuilding(&'static str, &'static str, u64),
    /// It dies at a point of an erasure that begins after so many requests.
    Erasing(&'static str, u64),
    /// It dies at a point of the cleanup of files, which begins after so many requests.
    Cleaning(&'static str, u64),
    /// A rebuild by another process dies there, and the server is killed afterwards.
    Beside(&'static str, u64),
    /// `kill -9` of the server, after so many requests and microseconds.
    Kill(u64, u64),
}

/// How large a campaign is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Repeats the faults and every client's choices.
    pub seed: u64,
    /// How often every point is tried.
    pub rounds: u64,
}

impl Plan {
    /// The faults of the campaign, in their order.
    #[must_use]
    pub fn faults(&self) -> Vec<Death> {
        let names: Vec<&'static str> = projections::all().iter().map(|definition| definition.name).collect();
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut faults = Vec::new();
        for _ in 0..self.rounds {
            for point in POINTS {
                let after = rng.random_range(3..20);
                if point.starts_with(REBUILD) {
                    let name = names.choose(&mut rng).copied().unwrap_or_default();
                    faults.push(Death::Rebuilding(point, name, after));
                    faults.push(Death::Beside(point, after));
                } else if point.starts_with(ERASURE) {
                    faults.push(Death::Erasing(point, after));
                } else if point.starts_with(CLEANUP) {
                    faults.push(Death::Cleaning(point, after));
                } else {
                    let most = if point.starts_with(UPLOAD) { 5 } else { 15 };
                    faults.push(Death::At(point, rng.random_range(1..=most)));
                }
            }
            for _ in 0..3 {
                faults.push(Death::Kill(rng.random_range(1..30), rng.random_range(0..20_000)));
            }
        }
        faults.shuffle(&mut rng);
        faults
    }
}

/// Runs a campaign on an empty, migrated database.
///
/// # Errors
/// What kept it from being carried out; what it found wrong is in the report.
pub async fn run(program: &Program, db: &TestDb, plan: Plan) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut stage = Stage::new(program, db, plan.seed);
    let models = stage.begin().await?;
    for fault in plan.faults() {
        let (begun, before) = (Instant::now(), stage.tally.answered.load(Ordering::Relaxed));
        stage.suffer(&fault, &mut report).await.with_context(|| format!("{fault:?}"))?;
        // Nobody folds now: every checkpoint and its tables are as the dead process left them.
        let complaints = checks::verify(&models).await?;
        report.complaints.extend(complaints.into_iter().map(|one| format!("after {fault:?}: {one}")));
        let answered = stage.tally.answered.load(Ordering::Relaxed).saturating_sub(before);
        println!("{fault:?}: {answered} answers in {} ms", begun.elapsed().as_millis());
    }
    let mut server = stage.start(None).await?.map_err(|status| anyhow::anyhow!("died unasked: {status}"))?;
    stage.requests(REQUESTS_IN_PEACE, &mut server).await?;
    let (people, beside, others) = stage.end().await?;
    notifications::reacted(&db.pool).await?;
    let waiting = stage.market.take().map(|(market, _)| market.people()).unwrap_or_default();
    let compared = notifications::check(&db.pool, &waiting).await?;
    report.told = compared.told;
    report.complaints.extend(compared.complaints);
    let left = std::mem::take(&mut *stage.leavers.lock().unwrap_or_else(PoisonError::into_inner));
    report.complaints.extend(checks::erased(&db.pool, &left.people).await?);
    let others = Others { forgotten: left.commands, ..others };
    report.complaints.extend(stage.files().await?);
    checks::caught_up(&db.pool).await?;
    judge(program, (&db.pool, &db.url), &models, (people, beside), &others, &mut report).await?;
    drop(server);
    Ok(report)
}

/// The one server, whichever process it is, and everybody who talks to it.
struct Stage<'a> {
    program: &'a Program,
    db: &'a TestDb,
    address: watch::Sender<Option<String>>,
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<anyhow::Result<Client>>>,
    admin: Option<Person>,
    reader: Option<JoinHandle<anyhow::Result<Seen>>>,
    writer: Option<JoinHandle<anyhow::Result<Vec<Acknowledged>>>>,
    market: Option<(Market, JoinHandle<anyhow::Result<()>>)>,
    uploads: Option<(Keeper, JoinHandle<anyhow::Result<()>>)>,
    shared: Shared,
    leavers: Arc<Mutex<Leavers>>,
    seed: u64,
}

/// People who asked to be erased, and the commands they had sent.
#[derive(Debug, Default)]
struct Leavers {
    people: Vec<Uuid>,
    commands: HashSet<String>,
}

impl<'a> Stage<'a> {
    fn new(program: &'a Program, db: &'a TestDb, seed: u64) -> Self {
        Self {
            program,
            db,
            address: watch::Sender::new(None),
            tally: Arc::default(),
            clients: Vec::new(),
            admin: None,
            reader: None,
            writer: None,
            market: None,
            uploads: None,
            shared: Shared::new(Catalogue::default().into()),
            leavers: Arc::default(),
            seed,
        }
    }

    /// Starts the first server, makes the accounts and lets everybody begin; ends with that server killed.
    async fn begin(&mut self) -> anyhow::Result<Projections> {
        // A campaign before this one may have left files, of which this database knows nothing.
        let _none_before = std::fs::remove_dir_all(self.program.files());
        let mut server =
            self.start(None).await?.map_err(|status| anyhow::anyhow!("died unasked: {status}"))?;
        let models = checks::read_models(&self.db.pool).await?;
        let address = self.address.subscribe();
        for (at, one) in (1_u64..).zip(people(&self.db.pool, std::slice::from_ref(&address)).await?) {
            if one.1 == Role::Admin {
                self.admin = Some(one.2.clone());
            }
            let seed = self.seed.wrapping_mul(1_000).wrapping_add(at * 10);
            let asking = keep_asking(one, seed, self.shared.clone(), self.tally.clone());
            self.clients.push(tokio::spawn(asking));
        }
        self.reader = Some(tokio::spawn(history::follow(self.db.options(), self.tally.clone())));
        let (pool, shared, tally) = (self.db.pool.clone(), self.shared.clone(), self.tally.clone());
        self.writer = Some(tokio::spawn(beside::keep_writing(pool, self.seed, shared, tally)));
        let mut rng = StdRng::seed_from_u64(self.seed);
        let market = Market::open(&[self.address.subscribe()], &mut rng, &self.tally).await?;
        let looking = market.keep_looking(self.db.pool.clone(), self.seed, self.shared.clone());
        self.market = Some((market, tokio::spawn(looking)));
        let uploads = Uploads::open(&[self.address.subscribe()], self.seed, &self.tally).await?;
        let uploads = Keeper::new(uploads.into());
        let sending = tokio::spawn(uploads::keep_sending(uploads.clone(), self.tally.clone()));
        self.uploads = Some((uploads, sending));
        self.requests(REQUESTS_IN_PEACE, &mut server).await?;
        self.address.send_replace(None);
        server.kill()?;
        server.ended().await?;
        Ok(models)
    }

    /// A server that everybody knows of; the error is the end of one that died before.
    async fn start(&self, crash_at: Option<&str>) -> anyhow::Result<Result<Server, ExitStatus>> {
        match self.program.serve(&self.db.url, crash_at).await? {
            Started::Ready(server) => {
                self.address.send_replace(Some(server.base().to_owned()));
                Ok(Ok(*server))
            }
            Started::Died(status) => Ok(Err(status)),
        }
    }

    /// Waits until so many requests more were answered.
    async fn requests(&self, more: u64, server: &mut Server) -> anyhow::Result<()> {
        let until = self.tally.answered.load(Ordering::Relaxed).saturating_add(more);
        let begun = Instant::now();
        while self.tally.answered.load(Ordering::Relaxed) < until {
            tokio::select! {
                status = server.ended() => anyhow::bail!("the server died unasked: {}", status?),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.nobody_gave_up()?;
            ensure!(begun.elapsed() < FAULT_WITHIN, "nobody gets answers");
        }
        Ok(())
    }

    /// A client only ends early with an error, which [`end`](Self::end) tells.
    fn nobody_gave_up(&self) -> anyhow::Result<()> {
        ensure!(self.clients.iter().all(|client| !client.is_finished()), "a client gave up");
        ensure!(self.writer.as_ref().is_none_or(|writer| !writer.is_finished()), "the other writer gave up");
        let looking = self.market.as_ref().map(|(_, looking)| looking);
        ensure!(looking.is_none_or(|looking| !looking.is_finished()), "whoever looks at stores gave up");
        let sending = self.uploads.as_ref().map(|(_, sending)| sending);
        ensure!(sending.is_none_or(|sending| !sending.is_finished()), "whoever keeps files gave up");
        Ok(())
    }

    /// Starts a server, lets the fault happen to it, and notes how it died.
    async fn suffer(&mut self, fault: &Death, report: &mut Report) -> anyhow::Result<()> {
        let outcome = self.suffer_unchecked(fault, report).await;
        self.address.send_replace(None);
        if outcome.is_err() {
            // What a client complains of says more than that it ended.
            for client in self.clients.drain(..) {
                if client.is_finished() {
                    client.await??;
                }
            }
            if let Some(writer) = self.writer.take_if(|writer| writer.is_finished()) {
                writer.await??;
            }
            if let Some((_, looking)) = self.market.take_if(|(_, looking)| looking.is_finished()) {
                looking.await??;
            }
            if let Some((_, sending)) = self.uploads.take_if(|(_, sending)| sending.is_finished()) {
                sending.await??;
            }
        }
        outcome
    }

    async fn suffer_unchecked(&self, fault: &Death, report: &mut Report) -> anyhow::Result<()> {
        let crash_at = match fault {
            Death::At(point, pass) => Some(format!("{point}:{pass}")),
            Death::Rebuilding(point, ..) | Death::Erasing(point, _) | Death::Cleaning(point, _) => {
                Some((*point).to_owned())
            }
            Death::Beside(..) | Death::Kill(..) => None,
        };
        let status = match self.start(crash_at.as_deref()).await? {
            Ok(server) => self.await_death(server, fault, report).await?,
            Err(status) => status,
        };
        report.tried += 1;
        match (fault, status.signal()) {
            (
                Death::At(point, _)
                | Death::Rebuilding(point, ..)
                | Death::Erasing(point, _)
                | Death::Cleaning(point, _),
                Some(ABORTED),
            ) => {
                *report.died_at.entry(point).or_default() += 1;
            }
            // Not reached in all that time, so it was killed.
            (_, Some(KILLED)) => {}
            (_, _) => anyhow::bail!("the server ended by itself: {status}"),
        }
        Ok(())
    }

    async fn await_death(
        &self,
        mut server: Server,
        fault: &Death,
        report: &mut Report,
    ) -> anyhow::Result<ExitStatus> {
        let start = self.tally.answered.load(Ordering::Relaxed);
        let begun = Instant::now();
        let mut asked = None;
        let mut cleaning = JoinSet::new();
        loop {
            tokio::select! {
                status = server.ended() => return status,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.nobody_gave_up()?;
            ensure!(begun.elapsed() < FAULT_WITHIN, "neither death nor answers");
            let since = self.tally.answered.load(Ordering::Relaxed).saturating_sub(start);
            match fault {
                Death::Kill(after, micros) if since >= *after => {
                    tokio::time::sleep(Duration::from_micros(*micros)).await;
                    return self.kill(server).await;
                }
                Death::Rebuilding(_, name, after) if since >= *after && asked.is_none() => {
                    let admin = self.admin.clone().context("there is no admin")?;
                    let path = format!("/api/admin/projections/{name}/rebuild");
                    asked = Some(tokio::spawn(async move { admin.nudge(&path).await }));
                }
                Death::Erasing(_, after) if since >= *after && asked.is_none() => {
                    asked = Some(tokio::spawn(leave(
                        self.seed.wrapping_add(*after),
                        self.address.subscribe(),
                        self.db.pool.clone(),
                        self.shared.clone(),
                        self.leavers.clone(),
                    )));
                }
                // Somebody has to register and live a little first.
                Death::Erasing(..) => {}
                Death::Cleaning(_, after) if since >= *after && cleaning.is_empty() => {
                    let admin = self.admin.clone().context("there is no admin")?;
                    let (uploads, _) = self.uploads.as_ref().context("nobody keeps files")?;
                    cleaning.spawn(uploads::keep_cleaning(uploads.clone(), admin, self.db.pool.clone()));
                }
                // Something has to be without a name for days first.
                Death::Cleaning(..) => {}
                Death::Beside(point, after) if since >= *after => {
                    let output = self.program.run(&self.db.url, &["rebuild"], Some(point)).await?;
                    ensure!(
                        output.status.signal() == Some(ABORTED),
                        "the rebuild ended otherwise: {} {}",
                        output.status,
                        String::from_utf8_lossy(&output.stderr)
                    );
                    *report.died_at.entry(point).or_default() += 1;
                    return self.kill(server).await;
                }
                _ if since >= REQUESTS_PER_FAULT => return self.kill(server).await,
                _ => {}
            }
        }
    }

    async fn kill(&self, mut server: Server) -> anyhow::Result<ExitStatus> {
        // It may be gone already: then its own end is the answer.
        let _ = server.kill();
        server.ended().await
    }

    /// What is wrong with the files that are stored, now that nobody sends any more.
    async fn files(&self) -> anyhow::Result<Vec<String>> {
        let (uploads, _) = self.uploads.as_ref().context("nobody keeps files")?;
        let admin = self.admin.as_ref().context("there is no admin")?;
        uploads.lock().await.check(admin, &self.db.pool, &self.program.files()).await
    }

    /// Lets everybody finish what they are at.
    async fn end(&mut self) -> anyhow::Result<(Vec<Client>, Vec<Acknowledged>, Others)> {
        self.tally.stop();
        let mut clients = Vec::new();
        for client in self.clients.drain(..) {
            clients.push(client.await??);
        }
        let writer = self.writer.take().context("nobody wrote beside the server")?;
        writer.await??;
        if let Some((_, looking)) = &mut self.market {
            looking.await??;
        }
        if let Some((_, sending)) = &mut self.uploads {
            sending.await??;
        }
        let theirs: HashSet<Uuid> = clients.iter().map(|client| client.person.id).collect();
        let beside = self.tally.told().into_iter().filter(|one| !theirs.contains(&one.actor)).collect();
        let reader = self.reader.take().context("nobody followed the log")?;
        Ok((clients, beside, Others { seen: reader.await??, ..Others::default() }))
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
        self.reader.iter().for_each(JoinHandle::abort);
        self.writer.iter().for_each(JoinHandle::abort);
        self.market.iter().for_each(|(_, looking)| looking.abort());
        self.uploads.iter().for_each(|(_, sending)| sending.abort());
    }
}

/// Somebody comes, does this and that, and asks to be erased. Whatever fails on the way, the fault tells.
async fn leave(seed: u64, address: Address, pool: PgPool, shared: Shared, leavers: Arc<Mutex<Leavers>>) {
    let id = Uuid::now_v7().simple().to_string();
    let name = format!("leaver-{}", id.get(..20).unwrap_or(&id));
    let Ok(person) = Person::register(std::slice::from_ref(&address), &name).await else { return };
    let mut generator = Generator::new(seed, &name, Role::Collector, shared);
    for _ in 0..REQUESTS_BEFORE_LEAVING {
        let request = generator.request();
        let Ok(delivered) = person.deliver(&request, &mut || None).await else { return };
        if request.is_logged() {
            generator.learn(&request, &delivered.answer);
        } else {
            generator.learn_in_place(&request, &delivered.answer, delivered.sent);
        }
    }
    let sql = "SELECT command_id::text FROM command_records WHERE actor = $1";
    let Ok(commands) = sqlx::query_scalar::<_, String>(sql).bind(person.id).fetch_all(&pool).await else {
        return;
    };
    {
        let mut leavers = leavers.lock().unwrap_or_else(PoisonError::into_inner);
        leavers.people.push(person.id);
        leavers.commands.extend(commands);
    }
    person.leave().await;
}
