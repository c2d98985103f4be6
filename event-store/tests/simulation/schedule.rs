//! One schedule: who exists, who goes on next, what breaks.

use crate::board::{Board, Go, Place, Who};
use crate::commands::{Do, Things};
use crate::model;
use crate::process::Process;
use crate::requests::{Attempt, Outcome, Request, WishMany, told};
use crate::wire::Wire;
use chrono::Utc;
use database::testing::TestDb;
use domain::ids::{CommandId, FigureId};
use domain::stream::{Position, Recorded};
use domain::world::Circumstances;
use event_store::{EventStore, Execution, Idempotency, Options};
use futures::FutureExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// Longer than anything here takes; whoever waits longer waits for nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);
const MOST_STEPS: usize = 4_000;
/// Clients of one process.
const SLOTS: usize = 2;

const POINTS: &[&str] = &[
    "append.after_commit",
    "append.before_acknowledge",
    "append.before_commit",
    "append.before_lock",
    "append.collect",
    "append.judged",
    "append.locked",
    "command.answered",
    "command.confirmed",
    "command.decided",
    "command.loaded",
];

/// In a simulation no time passes: whoever pauses goes on when it is told to. And a snapshot is encoded on
/// another thread, so it has to be waited for.
const ALWAYS: &[&str] = &[
    "append.pause",
    "append.resolve",
    "command.pause",
    "snapshot.before_encode",
    "snapshot.before_save",
    "wire.answer",
    "wire.commit",
    "wire.orphan",
];

struct Client {
    process: usize,
    slot: usize,
    requests: VecDeque<Request>,
    current: Option<usize>,
    /// How readily it goes on, out of a thousand.
    weight: u32,
}

enum Act {
    Send(usize),
    Go(u64, Place, Go),
    Die(usize),
    Start(usize),
    KillBackend(usize, i32),
    DeleteSnapshots,
}

/// Where all schedules of a run take place.
pub struct Ground {
    pub db: TestDb,
    pub store: EventStore,
}

pub struct Schedule<'g> {
    pub ground: &'g Ground,
    pub board: Board,
    pub wire: Wire,
    random: StdRng,
    told: bool,
    things: Things,
    options: Options,
    pub processes: Vec<Option<Process>>,
    clients: Vec<Client>,
    pub attempts: Vec<Attempt>,
    outcomes: Arc<Mutex<Vec<(usize, Outcome)>>>,
    /// What a reader that asks again and again has seen of the log.
    pub seen: Vec<Recorded>,
    from: Position,
    wire_weight: u32,
    appender_weights: Vec<u32>,
    faults: usize,
    met: BTreeMap<String, u64>,
}

impl Ground {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let store = EventStore::open(db.pool.clone(), Options::default()).await.unwrap();
        Self { db, store }
    }

    /// Runs the schedule of a seed to its end and checks what came of it. Gives what it came across.
    pub async fn run(&self, seed: u64, told: bool) -> BTreeMap<String, u64> {
        let mut schedule = Schedule::new(self, seed, told).await;
        let outcome = std::panic::AssertUnwindSafe(schedule.play()).catch_unwind().await;
        if let Err(panic) = outcome {
            println!("SIM_SEED={seed} repeats what failed here; {}", schedule.board.describe());
            std::panic::resume_unwind(panic);
        }
        schedule.board.let_all_go();
        for process in std::mem::take(&mut schedule.processes).into_iter().flatten() {
            process.kill().await;
        }
        // What it leaves behind must not stand in the way of the next one.
        let left = async {
            while schedule.board.is_connected() || schedule.any_alive(&schedule.board.outside().1).await {
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("it leaves something behind");
        let Schedule { wire, met, .. } = schedule;
        tokio::task::spawn_blocking(move || drop(wire)).await.unwrap();
        met
    }
}

impl<'g> Schedule<'g> {
    async fn new(ground: &'g Ground, seed: u64, told: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let things = Things::new(seed, &mut random);
        let count = if random.random_bool(0.6) { 2 } else { 3 };
        let board = Board::default();
        let wire = Wire::new(&board, &ground.db.options(), count);
        let held = random.random_range(0.3..0.9);
        let points =
            POINTS.iter().copied().filter(|_| random.random_bool(held)).chain(ALWAYS.iter().copied());
        board.hold_at(points.collect());
        let from = ground.store.head().await.unwrap();
        let options = Options {
            // Nothing is to happen because time passed.
            queue_wait: PATIENCE,
            give_up_after: PATIENCE,
            poll_every: PATIENCE * 60,
            snapshot_every: 3,
            cache_bytes: if random.random_bool(0.2) { 2 << 10 } else { 1 << 20 },
            ..Options::default()
        };
        let weight = |random: &mut StdRng| [1_000, 1_000, 1_000, 200, 30][random.random_range(0..5_usize)];
        let mut clients = Vec::new();
        for process in 0..count {
            for slot in 0..SLOTS {
                let weight = weight(&mut random);
                clients.push(Client { process, slot, requests: VecDeque::new(), current: None, weight });
            }
        }
        let wire_weight = weight(&mut random);
        // The slower an appender, the more commands share a commit.
        let appender_weights =
            (0..count).map(|_| [1_000, 300, 50][random.random_range(0..3_usize)]).collect();
        let faults = random.random_range(0..4);
        let mut schedule = Self {
            ground,
            board,
            wire,
            random,
            told,
            things,
            options,
            processes: (0..count).map(|_| None).collect(),
            clients,
            attempts: Vec::new(),
            outcomes: Arc::default(),
            seen: Vec::new(),
            from,
            wire_weight,
            appender_weights,
            faults,
            met: BTreeMap::new(),
        };
        schedule.requests(seed);
        schedule
    }

    /// What the clients will ask for.
    fn requests(&mut self, seed: u64) {
        for n in 0..self.clients.len() {
            for each in 0..self.random.random_range(1..4) {
                let command = self.things.command(&mut self.random);
                let slot = self.clients[n].slot;
                let key = self.random.random_bool(0.5).then(|| format!("{seed}-{n}-{each}"));
                let request = Request { command, slot, key, body: 1, again: false };
                // The same request, or another with its key, from another process at the same time.
                if request.key.is_some() && self.random.random_bool(0.4) {
                    let mut twin = request.clone();
                    if self.random.random_bool(0.25) {
                        twin.body = 2;
                        twin.command = self.things.command(&mut self.random);
                    }
                    let other = (n + SLOTS) % self.clients.len();
                    self.clients[other].requests.push_back(twin);
                }
                self.clients[n].requests.push_back(request);
            }
        }
    }

    fn meet(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.told {
            println!("{what}");
        }
        *self.met.entry(what).or_default() += 1;
    }

    async fn play(&mut self) {
        if self.random.random_bool(0.3) {
            let figures = (0..60).map(|_| FigureId(Uuid::from_u128(self.random.random()))).collect();
            let how = Execution::new(self.circumstances(0));
            self.attempts.push(Attempt::before_all(how.circumstances));
            self.ground.store.execute(&WishMany(self.things.owners[0], figures), &how).await.unwrap();
        }
        for process in 0..self.processes.len() {
            self.start(process).await;
        }
        for _ in 0..MOST_STEPS {
            self.settle().await;
            self.hear().await;
            let acts = self.acts();
            let Some(act) = self.choose(acts) else {
                self.finish().await;
                return;
            };
            self.act(act).await;
        }
        panic!("it does not come to an end");
    }

    fn circumstances(&mut self, slot: usize) -> Circumstances {
        Circumstances {
            actor: Some(self.things.actors[slot]),
            is_admin: false,
            now: Utc::now(),
            command_id: CommandId(Uuid::from_u128(self.random.random())),
        }
    }

    async fn start(&mut self, process: usize) {
        let database = self
            .ground
            .db
            .options()
            .socket(self.wire.folder(process))
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        let started = Process::start(process, &self.board, database, self.options.clone()).await;
        self.processes[process] = Some(started);
    }

    /// Reads on, as a follower of the log does.
    async fn read(&mut self) {
        let after = self.seen.last().map_or(self.from, |e| e.position);
        let new = self.ground.store.read_after(after, 10_000).await.unwrap();
        self.seen.extend(new.into_iter().map(Result::unwrap));
    }

    /// What clients were told meanwhile, and what is in the log by then.
    async fn hear(&mut self) {
        let mut told = std::mem::take(&mut *self.outcomes.lock().unwrap());
        told.sort_by_key(|(attempt, _)| *attempt);
        self.read().await;
        for (attempt, outcome) in told {
            self.over(attempt, outcome);
        }
    }

    fn over(&mut self, attempt: usize, outcome: Outcome) {
        let what = match &outcome {
            Outcome::Done { replayed: true, .. } => "replayed",
            Outcome::Done { events, .. } if events.is_empty() => "unchanged",
            Outcome::Done { .. } => "done",
            Outcome::Refused(_) => "refused",
            Outcome::KeyReused => "key reused",
            Outcome::Rejected => "rejected",
            Outcome::NotNow(_) => "not now",
            Outcome::Lost => "lost",
        };
        self.meet(format!("answer: {what}"));
        if self.told {
            println!("    {attempt}: {outcome:?}");
        }
        let lost = matches!(outcome, Outcome::Lost | Outcome::NotNow(_));
        self.attempts[attempt].after = Some(self.seen.len());
        self.attempts[attempt].sent_by_then = self.attempts.len();
        self.attempts[attempt].outcome = Some(outcome);
        for client in &mut self.clients {
            if client.current == Some(attempt) {
                client.current = None;
            }
        }
        let Attempt { request, process, .. } = self.attempts[attempt].clone();
        if lost && request.key.is_some() && !request.again {
            // Whoever sits at this slot elsewhere is the same person, and tries again there.
            let slot = request.slot;
            let others = self.clients.iter_mut().filter(|c| c.slot == slot && c.process != process);
            if let Some(other) = others.into_iter().next() {
                other.requests.push_front(Request { again: true, ..request });
                self.meet("a request sent again to another process");
            }
        }
    }

    fn acts(&mut self) -> Vec<(u32, Act)> {
        let mut acts = Vec::new();
        for (n, client) in self.clients.iter().enumerate() {
            if self.processes[client.process].is_some()
                && client.current.is_none()
                && !client.requests.is_empty()
            {
                acts.push((client.weight, Act::Send(n)));
            }
        }
        let mut wanted = Vec::new();
        for (id, place) in self.board.parked() {
            let weight = match place.who {
                Who::Client(slot) => {
                    let own = self.clients.iter().find(|c| c.process == place.process && c.slot == slot);
                    own.map_or(1_000, |c| c.weight)
                }
                Who::Beside => self.appender_weights[place.process],
                Who::Wire => self.wire_weight,
            };
            wanted.push((weight, Act::Go(id, place, Go::On)));
            if place.point == "wire.orphan" {
                wanted.push((weight, Act::Go(id, place, Go::Cut)));
            } else if place.who == Who::Wire && self.faults > 0 {
                let weight = if place.point == "wire.answer" { 400 } else { 150 };
                wanted.push((weight, Act::Go(id, place, Go::Cut)));
            }
        }
        let busy = !acts.is_empty() || !wanted.is_empty();
        acts.extend(wanted);
        for (process, running) in self.processes.iter().enumerate() {
            if running.is_none() {
                acts.push((300, Act::Start(process)));
            } else if busy && self.faults > 0 {
                acts.push((20, Act::Die(process)));
                if let Some(backend) = self.board.appender(process) {
                    acts.push((40, Act::KillBackend(process, backend)));
                }
            }
        }
        if busy && self.faults > 0 {
            acts.push((20, Act::DeleteSnapshots));
        }
        acts
    }

    fn choose(&mut self, acts: Vec<(u32, Act)>) -> Option<Act> {
        let all: u32 = acts.iter().map(|(weight, _)| weight).sum();
        let mut at = self.random.random_range(0..all.max(1));
        acts.into_iter().find_map(|(weight, act)| {
            let chosen = at < weight;
            at = at.saturating_sub(weight);
            chosen.then_some(act)
        })
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Send(client) => self.send(client),
            Act::Go(id, place, go) => {
                self.meet(place.point);
                if self.told {
                    println!("  {place:?} {go:?}");
                }
                if go == Go::Cut && place.point != "wire.orphan" {
                    self.faults -= 1;
                    let what = if place.point == "wire.commit" { "a commit" } else { "an answer" };
                    self.meet(format!("fault: {what} is cut off"));
                }
                self.board.go(id, go);
                if place.point == "snapshot.before_encode" {
                    let then = Place { point: "snapshot.before_save", ..place };
                    self.until(|board| board.parked().iter().any(|(_, place)| *place == then)).await;
                }
            }
            Act::Die(process) => {
                self.faults -= 1;
                self.meet("fault: a process dies");
                let dying = self.processes[process].take().unwrap();
                dying.kill().await;
                self.board.died(process);
                // Whoever had an answer before has it.
                self.settle().await;
                self.hear().await;
                let open: Vec<usize> = self
                    .clients
                    .iter_mut()
                    .filter(|c| c.process == process)
                    .filter_map(|c| c.current.take())
                    .collect();
                for attempt in open {
                    self.over(attempt, Outcome::Lost);
                }
            }
            Act::Start(process) => self.start(process).await,
            Act::KillBackend(process, backend) => {
                self.faults -= 1;
                self.meet("fault: a backend is killed");
                if self.told {
                    println!("  the appender of {process}");
                }
                let kill = sqlx::query("SELECT pg_terminate_backend($1)").bind(backend);
                kill.execute(&self.ground.db.pool).await.unwrap();
                self.until_gone(process, backend).await;
            }
            Act::DeleteSnapshots => {
                self.faults -= 1;
                self.meet("fault: snapshots are deleted");
                sqlx::query("DELETE FROM snapshots").execute(&self.ground.db.pool).await.unwrap();
            }
        }
    }

    fn send(&mut self, client: usize) {
        let request = self.clients[client].requests.pop_front().unwrap();
        let circumstances = self.circumstances(request.slot);
        let attempt = self.attempts.len();
        let (process, slot) = (self.clients[client].process, self.clients[client].slot);
        if self.told {
            println!("  {attempt}: process {process}, client {slot} sends {request:?}");
        }
        self.clients[client].current = Some(attempt);
        let mut how = Execution::new(circumstances);
        how.idempotency = request.key.as_ref().map(|key| {
            let key = key.clone();
            Idempotency { key, request_hash: [request.body; 32] }
        });
        let (command, outcomes, board) = (request.command.clone(), self.outcomes.clone(), self.board.clone());
        let before = self.seen.len();
        self.attempts.push(Attempt {
            request,
            process,
            circumstances,
            before,
            after: None,
            sent_by_then: usize::MAX,
            outcome: None,
        });
        self.processes[process].as_ref().unwrap().run(slot, move |store| {
            async move {
                let outcome = told(store.execute(&command, &how).await);
                outcomes.lock().unwrap().push((attempt, outcome));
                board.moved();
            }
            .boxed()
        });
        self.board.moved();
    }

    /// Everything is done: now it must all fit together.
    async fn finish(&mut self) {
        for process in 0..self.processes.len() {
            if self.processes[process].is_none() {
                continue;
            }
            // What each process believes by now, where it still remembers something outdated too.
            let command = Do::Look { owners: self.things.owners };
            let client = self.clients.iter().position(|c| c.process == process).unwrap();
            let request =
                Request { command, slot: self.clients[client].slot, key: None, body: 1, again: false };
            self.clients[client].requests.push_back(request);
            self.send(client);
            self.board.let_all_go();
            self.settle().await;
            self.hear().await;
        }
        let log = self.ground.store.read_after(self.from, 100_000).await.unwrap();
        let log: Vec<Recorded> = log.into_iter().map(Result::unwrap).collect();
        assert_eq!(self.seen, log, "the reader has not seen what is in the log");
        let found = model::check(&self.attempts, &log, &self.things, self.ground).await;
        for what in found {
            self.meet(what);
        }
    }
}
