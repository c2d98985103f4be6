//! Three servers on one PostgreSQL, each behind a network of its own, and everybody who keeps them busy.

use super::ground::Ground;
use super::proxy::Proxy;
use crate::beside;
use crate::checks::{self, Acknowledged, Others};
use crate::client::{Address, Person};
use crate::generator::{Catalogue, Request, Role, Shared};
use crate::history::{self, History, Seen};
use crate::load::{Client, Tally, keep_asking, people};
use crate::market::Market;
use crate::notifications;
use crate::server::{Program, Server, Started};
use anyhow::{Context, bail, ensure};
use nix::sys::signal::Signal;
use projections::engine::Projections;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How many servers there are.
pub const SERVERS: usize = 3;
/// How many wishes the witnesses write to, and how many witnesses there are.
const REGISTERS: usize = 3;
const WITNESSES: u64 = 4;
/// How long anything may take to happen.
const PATIENCE: Duration = Duration::from_secs(90);
/// How soon a server answers writes in full once nothing hinders it.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// How long one question of the stage waits.
const ONE_TRY: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Held by the process that folds.
const LEADER_LOCK: i64 = 0x7072_6f6a_6563_0002;

/// One server with its way to PostgreSQL.
pub struct Node {
    /// Its way to PostgreSQL.
    pub proxy: Proxy,
    url: String,
    server: Option<Server>,
    address: watch::Sender<Option<String>>,
}

/// Everything and everybody.
pub struct Stage<'p> {
    /// The database.
    pub ground: Ground,
    /// The servers.
    pub nodes: Vec<Node>,
    /// How far everybody is.
    pub tally: Arc<Tally>,
    /// What was seen to be wrong so far.
    pub complaints: Vec<String>,
    /// What the servers are.
    pub program: &'p Program,
    history: Arc<History>,
    models: Projections,
    /// An account that only the stage uses, to see whether servers are well.
    probe: Person,
    probed: AtomicU64,
    registers: Vec<Uuid>,
    witness: Uuid,
    clients: Vec<JoinHandle<anyhow::Result<Client>>>,
    witnesses: Vec<JoinHandle<anyhow::Result<()>>>,
    follower: JoinHandle<anyhow::Result<Seen>>,
    writer: JoinHandle<anyhow::Result<Vec<Acknowledged>>>,
    market: Market,
    looking: JoinHandle<anyhow::Result<()>>,
    minds: StdRng,
    /// The longest that servers took to be well again, by what they took it after.
    pub slowest: Duration,
}

impl<'p> Stage<'p> {
    /// Makes it and lets everybody begin. A seed repeats what everybody chooses.
    ///
    /// # Errors
    /// When something does not come about.
    pub async fn new(program: &'p Program, seed: u64) -> anyhow::Result<Self> {
        let ground = Ground::new().await?;
        let mut nodes = Vec::new();
        for _ in 0..SERVERS {
            let proxy = Proxy::start(ground.socket()?).await?;
            let url = ground.url_through(proxy.port());
            let mut node = Node { proxy, url, server: None, address: watch::Sender::new(None) };
            node.start(program).await?;
            nodes.push(node);
        }
        let models = checks::read_models(&ground.pool).await?;
        let addresses: Vec<Address> = nodes.iter().map(|node| node.address.subscribe()).collect();
        let tally = Arc::new(Tally::default());
        let shared: Shared = Shared::new(Catalogue::default().into());
        let probe = Person::register(&addresses, "probe").await?;
        let registers = registers(&probe, &tally).await?;
        let witness = Person::register(&addresses, "witness").await?;
        let mut clients = Vec::new();
        for (at, one) in (1_u64..).zip(people(&ground.pool, &addresses).await?) {
            // Everybody has a server of their own, until it fails them.
            let (name, role, person) = one;
            let one = (name, role, person.at(&turned(&addresses, at)));
            let seed = seed.wrapping_mul(1_000).wrapping_add(at * 10);
            // The admin merges what others add, which the witnesses' wishes must not meet.
            ensure!(at < 4 || role == Role::Admin, "the admin is the fourth");
            clients.push(tokio::spawn(keep_asking(one, seed, shared.clone(), tally.clone())));
        }
        // Whatever else holds everybody up, this one is at a write in place.
        let settler = Person::register(&turned(&addresses, seed), "settler").await?;
        let one = ("settler".to_owned(), Role::Settler, settler);
        let own = seed.wrapping_mul(1_000).wrapping_add(400);
        clients.push(tokio::spawn(keep_asking(one, own, shared.clone(), tally.clone())));
        let mut minds = StdRng::seed_from_u64(seed);
        let market = Market::open(&addresses, &mut minds, &tally).await?;
        let looking = tokio::spawn(market.keep_looking(ground.pool.clone(), seed, shared.clone()));
        let history = Arc::new(History::default());
        let mut witnesses = Vec::new();
        for at in 1..=WITNESSES {
            let named = (format!("w{at}"), seed.wrapping_mul(1_000).wrapping_add(500 + at));
            let person = witness.at(&turned(&addresses, at));
            let going = history::witness(person, named, registers.clone(), history.clone(), tally.clone());
            witnesses.push(tokio::spawn(going));
        }
        let follower = tokio::spawn(history::follow(ground.options(), tally.clone()));
        let writer =
            tokio::spawn(beside::keep_writing(ground.pool.clone(), seed, shared.clone(), tally.clone()));
        Ok(Self {
            ground,
            nodes,
            tally,
            complaints: Vec::new(),
            program,
            history,
            models,
            probe,
            probed: AtomicU64::new(0),
            registers,
            witness: witness.id,
            clients,
            witnesses,
            follower,
            writer,
            market,
            looking,
            minds,
            slowest: Duration::ZERO,
        })
    }

    /// Lets the load go on until so many requests more were answered, for at most a time.
    ///
    /// # Errors
    /// When somebody gave up meanwhile.
    pub async fn load(&mut self, more: u64, at_most: Duration) -> anyhow::Result<()> {
        let until = self.tally.answered.load(Ordering::Relaxed).saturating_add(more);
        let begun = Instant::now();
        while self.tally.answered.load(Ordering::Relaxed) < until && begun.elapsed() < at_most {
            tokio::time::sleep(LOOK_EVERY).await;
            self.nobody_gave_up().await?;
        }
        Ok(())
    }

    async fn nobody_gave_up(&mut self) -> anyhow::Result<()> {
        if let Some(at) = self.clients.iter().position(JoinHandle::is_finished) {
            let ended = self.clients.swap_remove(at).await?.map(drop);
            bail!("somebody gave up: {:#}", ended.err().context("without a word")?);
        }
        if let Some(at) = self.witnesses.iter().position(JoinHandle::is_finished) {
            let ended = self.witnesses.swap_remove(at).await?;
            bail!("a witness gave up: {:#}", ended.err().context("without a word")?);
        }
        if self.follower.is_finished() {
            let ended = (&mut self.follower).await?.map(drop);
            bail!("the reader of the log gave up: {:#}", ended.err().context("without a word")?);
        }
        if self.looking.is_finished() {
            let ended = (&mut self.looking).await?;
            bail!("whoever looks at stores gave up: {:#}", ended.err().context("without a word")?);
        }
        ensure!(!self.writer.is_finished(), "whoever writes beside the servers gave up");
        Ok(())
    }

    /// `kill -9` of a server.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub async fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.kill().await
    }

    /// Starts a server that was killed.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(&mut self, node: usize) -> anyhow::Result<()> {
        let program = self.program;
        self.node(node)?.start(program).await
    }

    /// Stops a server in its tracks, or lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&mut self, node: usize, frozen: bool) -> anyhow::Result<()> {
        let server = self.node(node)?.server.as_ref().context("no server to freeze")?;
        server.signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT })
    }

    fn node(&mut self, node: usize) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(node).context("no such server")
    }

    /// The server that folds.
    ///
    /// # Errors
    /// When none does, for long.
    pub async fn leader(&self) -> anyhow::Result<usize> {
        let begun = Instant::now();
        loop {
            let holder: Option<i32> = sqlx::query_scalar(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
                 AND classid::bigint = $1 AND objid::bigint = $2",
            )
            .bind(LEADER_LOCK >> 32)
            .bind(LEADER_LOCK & 0xffff_ffff)
            .fetch_optional(&mut self.ground.connection().await?)
            .await?;
            let leader = self
                .nodes
                .iter()
                .position(|node| holder.is_some_and(|pid| node.proxy.backends().contains(&pid)));
            if let Some(leader) = leader {
                return Ok(leader);
            }
            ensure!(begun.elapsed() < PATIENCE, "no server folds");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How long it takes until a write through a server is answered in full: it is on record, and the read
    /// models show it.
    ///
    /// # Errors
    /// When that does not happen within a minute and a half.
    pub async fn current(&self, node: usize) -> anyhow::Result<Duration> {
        let address = self.nodes.get(node).context("no such server")?.address.subscribe();
        let person = self.probe.at(&[address]);
        let figure = self.registers.first().context("no figures")?;
        let begun = Instant::now();
        let key = format!("probe-{}", self.probed.fetch_add(1, Ordering::Relaxed));
        let path = format!("/api/me/wishlist/{figure}");
        // One request until it is answered in full, and by nobody else: another server may be frozen.
        let request = Request::plain("probe", Method::PUT, path, json!({"note": key}), &key);
        loop {
            match person.try_once(&request, ONE_TRY).await {
                Some(answer) if matches!(answer.status, 200 | 201) => {
                    let elapsed = begun.elapsed();
                    let (actor, status, position) = (self.probe.id, answer.status, answer.position);
                    self.tally.heard(Some(Acknowledged { actor, key, kind: "probe", status, position }));
                    return Ok(elapsed);
                }
                Some(answer) if !matches!(answer.status, 202 | 503) => {
                    bail!("a write is answered by {} {}", answer.status, answer.body);
                }
                _ => {}
            }
            ensure!(begun.elapsed() < PATIENCE, "server {node} does not answer writes in full");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Sees that every server is well without anybody's help, lets everybody hold their breath, and compares
    /// what they were told with what is there.
    ///
    /// # Errors
    /// When something cannot be looked at.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        for at in 0..self.nodes.len() {
            let server = self.node(at)?.server.as_mut().context("a server was left dead")?;
            if let Some(status) = server.died()? {
                bail!("server {at} died unasked: {status}");
            }
            let took = self.current(at).await?;
            self.slowest = self.slowest.max(took);
            if took > RECOVERED_WITHIN {
                self.complaints.push(format!("server {at} took {took:?} to be well again"));
            }
        }
        self.nobody_gave_up().await?;
        let tally = self.tally.clone();
        let silence = tokio::time::timeout(PATIENCE * 2, tally.gate.write()).await;
        let _silence = silence.context("somebody waits for an answer for ever")?;
        checks::caught_up(&self.ground.pool).await?;
        self.complaints.extend(checks::verify(&self.models).await?);
        let verdict = checks::log(&self.ground.pool, &self.tally.told(), &Others::default()).await?;
        self.complaints.extend(verdict.complaints);
        let log = history::written(&self.ground.pool, self.witness).await?;
        self.complaints.extend(self.history.check(&log));
        self.notified().await?;
        self.market.change_minds(&mut self.minds).await
    }

    /// Compares what people were told with what the log says they had to be; how many things that is.
    ///
    /// # Errors
    /// When the policies do not react to everything there is.
    pub async fn notified(&mut self) -> anyhow::Result<usize> {
        notifications::reacted(&self.ground.pool).await?;
        let compared = notifications::check(&self.ground.pool, &self.market.people()).await?;
        self.complaints.extend(compared.complaints);
        Ok(compared.told)
    }

    /// Lets everybody finish, and gives what is needed to judge it all.
    ///
    /// # Errors
    /// When somebody ended with an error.
    pub async fn end(&mut self) -> anyhow::Result<(Vec<Client>, Vec<Acknowledged>, Others)> {
        self.tally.stop();
        let mut clients = Vec::new();
        for client in self.clients.drain(..) {
            clients.push(client.await??);
        }
        for witness in self.witnesses.drain(..) {
            witness.await??;
        }
        (&mut self.writer).await??;
        (&mut self.looking).await??;
        let seen = (&mut self.follower).await??;
        let theirs: std::collections::HashSet<Uuid> = clients.iter().map(|client| client.person.id).collect();
        let beside = self.tally.told().into_iter().filter(|one| !theirs.contains(&one.actor)).collect();
        let log = history::written(&self.ground.pool, self.witness).await?;
        self.complaints.extend(self.history.check(&log));
        Ok((clients, beside, Others { seen, ..Others::default() }))
    }

    /// The read models, as the stage reads them.
    #[must_use]
    pub const fn models(&self) -> &Projections {
        &self.models
    }

    /// How many requests the witnesses made.
    #[must_use]
    pub fn witnessed(&self) -> usize {
        self.history.len()
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
        self.witnesses.iter().for_each(JoinHandle::abort);
        self.follower.abort();
        self.writer.abort();
        self.looking.abort();
    }
}

impl Node {
    async fn start(&mut self, program: &Program) -> anyhow::Result<()> {
        match program.serve(&self.url, None).await? {
            Started::Ready(server) => {
                self.address.send_replace(Some(server.base().to_owned()));
                self.server = Some(*server);
                Ok(())
            }
            Started::Died(status) => bail!("a server died at its start: {status}"),
        }
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("there is no server to kill")?;
        if let Some(status) = server.died()? {
            bail!("a server died unasked: {status}");
        }
        server.kill()?;
        self.address.send_replace(None);
        server.ended().await?;
        Ok(())
    }
}

/// The same addresses, beginning with another one.
fn turned(addresses: &[Address], by: u64) -> Vec<Address> {
    let mut turned = addresses.to_vec();
    let by = usize::try_from(by).unwrap_or_default() % turned.len().max(1);
    turned.rotate_left(by);
    turned
}

/// The figures whose wishes the witnesses write to; nobody else knows of them.
async fn registers(probe: &Person, tally: &Tally) -> anyhow::Result<Vec<Uuid>> {
    let mut figures = Vec::new();
    for at in 0..REGISTERS {
        let key = format!("register-{at}");
        let body = json!({"name": format!("Register {at}"), "figure_type": "other"});
        let request = Request::plain("probe", Method::POST, "/api/figures".to_owned(), body, &key);
        let answer = probe.deliver(&request, &mut || None).await?.answer;
        ensure!(answer.status == 201, "no figure for the witnesses: {}", answer.body);
        figures.push(answer.body["id"].as_str().context("a figure without id")?.parse()?);
        tally.heard(Some(Acknowledged {
            actor: probe.id,
            key,
            kind: "probe",
            status: answer.status,
            position: answer.position,
        }));
    }
    Ok(figures)
}
