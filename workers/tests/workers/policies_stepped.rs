//! Policies led through their crash and stall points by a seed, in processes that die and lose their connections.
//!
//! Each runner of a policy is a thread with a runtime and a pool of its own, and has one task, which stops at every
//! named point and wherever it would wait for time to pass. When all of them stand still, the seed picks what happens
//! next: one goes on, a price moves, a process dies or starts, a connection is ended. So one seed is one course of
//! events, and `SIM_SEED=…` repeats it. Afterwards everybody must have been told exactly what the prices and the
//! stock say, once. `SIM_SCHEDULES` is how many, from a random seed on.

use crate::policies::Market;
use crate::support::Ledger;
use domain::figure::Stock;
use domain::ids::{FigureId, UserId};
use event_store::crash::{self, Steps};
use event_store::{EventStore, Options};
use futures::FutureExt;
use futures::future::BoxFuture;
use projections::engine::Projections;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sqlx::postgres::PgPoolOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use workers::fx::Fx;
use workers::policies::{Policies, Policy, PriceAlerts, RestockAlerts};

const FEW: u64 = 20;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many runners there are of each of the two policies.
const RUNNERS: usize = 4;
const MOST_STEPS: usize = 2_000;
const MUST_MEET: &[&str] = &[
    "policies.after_commit",
    "policies.before_commit",
    "policies.held",
    "policies.idle",
    "policies.read",
    "policies.rest",
    "fault: died at policies.after_commit",
    "fault: died at policies.before_commit",
    "fault: a connection is ended",
    "told of a price",
    "told of a restock",
];

#[derive(Default)]
struct Standing {
    parked: BTreeMap<usize, (&'static str, oneshot::Sender<()>)>,
    free: bool,
}

/// Where everybody stands until they are told to go on.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<Standing>>);

impl Board {
    fn with<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn standing(&self) -> BTreeMap<usize, &'static str> {
        self.with(|inner| inner.parked.iter().map(|(runner, (point, _))| (*runner, *point)).collect())
    }

    /// Tells one to go on, or lets it be forgotten where it stood.
    fn leave(&self, runner: usize) -> Option<oneshot::Sender<()>> {
        self.with(|inner| inner.parked.remove(&runner)).map(|(_, go)| go)
    }

    fn let_all_go(&self) {
        let parked = self.with(|inner| {
            inner.free = true;
            std::mem::take(&mut inner.parked)
        });
        for (_, go) in parked.into_values() {
            let _ = go.send(());
        }
    }
}

/// The points of one runner.
struct Points {
    board: Board,
    runner: usize,
}

impl Steps for Points {
    fn reach(&self, point: &'static str) -> BoxFuture<'static, ()> {
        let (board, runner) = (self.board.clone(), self.runner);
        async move {
            let told = board.with(|inner| {
                let (go, told) = oneshot::channel();
                (!inner.free && inner.parked.insert(runner, (point, go)).is_none()).then_some(told)
            });
            match told {
                Some(told) => drop(told.await),
                // Nobody leads any more: whoever has nothing to do waits as long as it takes to look again.
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        .boxed()
    }
}

fn policy(runner: usize) -> Box<dyn Policy> {
    if runner.is_multiple_of(2) { Box::new(PriceAlerts) } else { Box::new(RestockAlerts) }
}

/// A process with one policy. Dropped, it is dead.
struct Runner {
    die: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Runner {
    fn start(runner: usize, board: &Board, ledger: &Ledger, fx: &Fx) -> Self {
        let (die, death) = oneshot::channel::<()>();
        let points = Arc::new(Points { board: board.clone(), runner });
        let database = ledger.db.options().application_name(&format!("runner {runner}"));
        let fx = fx.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            crash::step_through(points);
            runtime.block_on(async {
                let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(database);
                let store = EventStore::open(pool.clone(), Options::default()).await.unwrap();
                let options = projections::engine::Options::default();
                let models =
                    Projections::open(&pool, store.clone(), projections::all(), options).await.unwrap();
                let policies = Policies::new(&pool, &store, &models, &fx, vec![policy(runner)]);
                let _running = policies.run();
                let _ = death.await;
            });
            // Nothing is finished and nothing is said goodbye to.
            runtime.shutdown_background();
        });
        Self { die: Some(die), thread: Some(thread) }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        drop(self.die.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One course of events.
struct Schedule<'m> {
    market: &'m Market,
    random: StdRng,
    board: Board,
    runners: BTreeMap<usize, Runner>,
    figure: FigureId,
    /// Whoever waits, and for what price.
    people: Vec<(UserId, Option<u32>)>,
    hours: i64,
    price: Option<u32>,
    stock: Option<Stock>,
    /// Who has to be told of what.
    due: BTreeSet<(UserId, String)>,
    restocked_on: BTreeSet<i64>,
    met: BTreeMap<String, u64>,
}

impl Schedule<'_> {
    fn meet(&mut self, what: impl Into<String>) {
        *self.met.entry(what.into()).or_default() += 1;
    }

    /// Waits until every runner stands somewhere.
    async fn settle(&self) {
        let all = async {
            while self.board.standing().len() < self.runners.len() {
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            panic!("somebody never comes to a point: {:?}", self.board.standing());
        }
    }

    fn start(&mut self, runner: usize) {
        let started = Runner::start(runner, &self.board, &self.market.ledger, &self.market.fx);
        self.runners.insert(runner, started);
    }

    /// A price or the stock moves, and by our own reckoning somebody has to be told.
    async fn observe(&mut self) {
        self.hours += self.random.random_range(1..9);
        let at = self.market.begun + chrono::TimeDelta::hours(self.hours);
        let price: Option<u32> = self.random.random_bool(0.7).then(|| self.random.random_range(40..60));
        let stock = [Stock::OutOfStock, Stock::OutOfStock, Stock::InStock];
        let stock = stock.choose(&mut self.random).copied().filter(|_| self.random.random_bool(0.6));
        if let Some(stock) = stock
            && self.stock.replace(stock) == Some(Stock::OutOfStock)
            && stock == Stock::InStock
            && self.restocked_on.insert(at.timestamp().div_euclid(86_400))
        {
            let told = self.people.iter().map(|(person, _)| (*person, format!("stock {at}")));
            self.due.extend(told);
        }
        if let Some(price) = price
            && let Some(before) = self.price.replace(price)
            // Nobody is told of a price at which every store that was asked is sold out.
            && stock != Some(Stock::OutOfStock)
        {
            let crossed = |target: u32| before > target && price <= target;
            let told = self.people.iter().filter(|(_, target)| target.is_some_and(crossed));
            self.due.extend(told.map(|(person, _)| (*person, format!("price {at}"))));
        }
        let price = price.map(|price| format!("{price} EUR"));
        self.market.seen(self.figure, self.hours, price.as_deref(), stock).await;
        self.market.ledger.shown().await;
    }

    async fn die(&mut self, runner: usize, point: &str) {
        self.meet(format!("fault: died at {point}"));
        drop(self.runners.remove(&runner));
        drop(self.board.leave(runner));
        self.left(runner).await;
    }

    /// Ends what a runner has open in the database; whether it had anything.
    async fn cut(&mut self, runner: usize) -> bool {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name = $1 AND datname = current_database() AND state LIKE 'idle in transaction%'";
        let name = format!("runner {runner}");
        let cut: i64 =
            sqlx::query_scalar(sql).bind(name).fetch_one(&self.market.ledger.db.pool).await.unwrap();
        self.left(runner).await;
        cut > 0
    }

    /// Waits until nothing of a runner holds anything any more.
    async fn left(&self, runner: usize) {
        database::testing::eventually("its transaction is over", async || {
            let sql = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 \
                       AND datname = current_database() AND state LIKE 'idle in transaction%')";
            let asked = sqlx::query_scalar(sql).bind(format!("runner {runner}"));
            asked.fetch_one(&self.market.ledger.db.pool).await.unwrap()
        })
        .await;
    }

    async fn play(&mut self) {
        let mut prices_left = self.random.random_range(6..14);
        let mut faults_left = self.random.random_range(0..5);
        let mut calm = 0;
        for runner in 0..RUNNERS {
            self.start(runner);
        }
        for _ in 0..MOST_STEPS {
            self.settle().await;
            if prices_left > 0 && self.random.random_ratio(1, 6) {
                prices_left -= 1;
                self.observe().await;
            }
            if let Some(dead) = (0..RUNNERS).find(|runner| !self.runners.contains_key(runner))
                && self.random.random_ratio(1, 4)
            {
                self.start(dead);
                continue;
            }
            let standing: Vec<(usize, &'static str)> = self.board.standing().into_iter().collect();
            let Some((runner, point)) = standing.choose(&mut self.random).copied() else { continue };
            let busy = !matches!(point, "policies.idle" | "policies.rest");
            if busy && faults_left > 0 && self.random.random_ratio(1, 5) {
                faults_left -= 1;
                if self.random.random_bool(0.5) {
                    self.die(runner, point).await;
                    continue;
                }
                if self.cut(runner).await {
                    self.meet("fault: a connection is ended");
                }
            }
            self.meet(point);
            let go = self.board.leave(runner).unwrap();
            let _ = go.send(());
            let idle = self.runners.len() == RUNNERS && standing.iter().all(|(_, at)| *at == "policies.idle");
            calm = if idle && prices_left == 0 { calm + 1 } else { 0 };
            if calm > 2 * RUNNERS {
                break;
            }
        }
        self.settle().await;
        self.finish().await;
    }

    async fn finish(&mut self) {
        self.board.let_all_go();
        for runner in 0..RUNNERS {
            if !self.runners.contains_key(&runner) {
                self.start(runner);
            }
        }
        let all = self.market.policies(vec![Box::new(PriceAlerts), Box::new(RestockAlerts)]);
        self.market.settled(&all).await;
        self.runners.clear();
        let mut told = BTreeSet::new();
        for (person, _) in self.people.clone() {
            for one in self.market.told(person).await {
                let what = if one.event_type == "wishlist_back_in_stock" { "stock" } else { "price" };
                self.meet(if what == "stock" { "told of a restock" } else { "told of a price" });
                assert!(told.insert((person, format!("{what} {}", one.created_at))), "told twice: {one:?}");
            }
        }
        assert_eq!(told, self.due);
        assert_eq!(self.market.ledger.count("SELECT count(*) FROM policy_parked").await, 0);
    }
}

async fn run(market: &Market, seed: u64) -> BTreeMap<String, u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let figure = market.figure(&format!("Harbour Pilot {seed}")).await;
    let mut people = Vec::new();
    for target in [None, Some(random.random_range(45..55)), Some(random.random_range(45..55))] {
        let person = market.person(&format!("p{}-{}", seed % 100_000_000, people.len())).await;
        let text = target.map(|target: u32| format!("{target} EUR"));
        market.wish(person, figure, text.as_deref()).await;
        people.push((person, target));
    }
    market.ledger.shown().await;
    let mut schedule = Schedule {
        market,
        random,
        board: Board::default(),
        runners: BTreeMap::new(),
        figure,
        people,
        hours: 0,
        price: None,
        stock: None,
        due: BTreeSet::new(),
        restocked_on: BTreeSet::new(),
        met: BTreeMap::new(),
    };
    schedule.play().await;
    schedule.met
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_course_of_events_everybody_is_told_once_of_everything() {
    let market = Market::new().await;
    let all = market.policies(vec![Box::new(PriceAlerts), Box::new(RestockAlerts)]);
    {
        // They begin at the head: before the first price.
        let _running = all.run();
        market.settled(&all).await;
    }
    let seed: Option<u64> = std::env::var("SIM_SEED").ok().map(|seed| seed.parse().unwrap());
    let schedules: u64 = std::env::var("SIM_SCHEDULES").ok().map_or(FEW, |many| many.parse().unwrap());
    let (first, schedules) = match seed {
        Some(seed) => (seed, 1),
        None if schedules == FEW => (1, FEW),
        None => (rand::random_range(1..u64::MAX / 2), schedules),
    };
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + schedules {
        println!("SIM_SEED={seed}");
        for (what, times) in run(&market, seed).await {
            *met.entry(what).or_default() += times;
        }
    }
    for (what, times) in &met {
        println!("{times:>8}  {what}");
    }
    let missed: Vec<_> = MUST_MEET.iter().filter(|what| !met.contains_key(**what)).collect();
    assert!(missed.is_empty() || schedules < FEW, "no schedule came across {missed:?}");
}
