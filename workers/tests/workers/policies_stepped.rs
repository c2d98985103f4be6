//! Policies led through their crash and stall points by a seed, in processes that die and lose their connections.
//!
//! Each runner of a policy is a thread with a runtime and a pool of its own, and has one task, which stops at every
//! named point and wherever it would wait for time to pass. When all of them stand still, the seed picks what happens
//! next: one goes on, a price moves, a process dies, stalls or starts, a connection is ended, the policies begin to
//! fail or to panic, what they set aside is due again. So one seed is one course of events, and `SIM_SEED=…` repeats
//! it. Afterwards everybody must have been told exactly what the prices and the stock say, once. `SIM_SCHEDULES` is
//! how many, from a random seed on.

use crate::policies::{Humour, Market, Mood};
use crate::support::Ledger;
use async_trait::async_trait;
use domain::figure::Stock;
use domain::ids::{FigureId, UserId};
use domain::money::rates::Rates;
use domain::stream::{Event, Position, Recorded};
use event_store::crash::{self, Steps};
use event_store::{EventStore, Options};
use futures::FutureExt;
use futures::future::BoxFuture;
use projections::engine::Projections;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sqlx::PgConnection;
use sqlx::postgres::PgPoolOptions;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use workers::fx::Fx;
use workers::policies::{Beginning, Effect, Policies, Policy, PriceAlerts, RestockAlerts, Unable};

const FEW: u64 = 20;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many runners there are of each of the two policies.
const RUNNERS: usize = 4;
const MOST_STEPS: usize = 2_000;
const MUST_MEET: &[&str] = &[
    "policies.after_commit",
    "policies.before_commit",
    "policies.due",
    "policies.held",
    "policies.idle",
    "policies.passed_over",
    "policies.read",
    "policies.rest",
    "policies.retry_after_commit",
    "policies.retry_before_commit",
    "policies.retry_held",
    "fault: died at policies.after_commit",
    "fault: died at policies.before_commit",
    "fault: died at policies.retry_before_commit",
    "fault: stalled at policies.due",
    "fault: a connection is ended",
    "set aside: not today",
    "set aside: it panicked; the log has more",
    "set aside: an earlier event of its stream is set aside",
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

/// A policy that does what it does, and then may fail after all.
struct Moody {
    policy: Box<dyn Policy>,
    mood: Mood,
}

#[async_trait]
impl Policy for Moody {
    fn name(&self) -> &'static str {
        self.policy.name()
    }

    fn begins(&self) -> Beginning {
        self.policy.begins()
    }

    fn reads(&self) -> &'static [&'static str] {
        self.policy.reads()
    }

    fn aggregates(&self) -> &'static [&'static str] {
        self.policy.aggregates()
    }

    fn hears(&self, event: &Event) -> bool {
        self.policy.hears(event)
    }

    async fn concerned(
        &self,
        transaction: &mut PgConnection,
        heard: &[&Recorded],
    ) -> Result<HashSet<Position>, Unable> {
        self.policy.concerned(transaction, heard).await
    }

    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        rates: &Rates,
    ) -> Result<Vec<Effect>, Unable> {
        let effects = self.policy.react(transaction, event, rates).await?;
        self.mood.show().await?;
        Ok(effects)
    }
}

fn policy(runner: usize, mood: Mood) -> Box<dyn Policy> {
    let policy: Box<dyn Policy> =
        if runner.is_multiple_of(2) { Box::new(PriceAlerts) } else { Box::new(RestockAlerts) };
    Box::new(Moody { policy, mood })
}

/// What is set aside is due now, as far as nobody is at it.
async fn make_due(market: &Market) {
    tried_again(market, "now()", "true").await;
}

/// What is set aside is tried again when the seed says so, and not when the clock does.
async fn stop_the_clock(market: &Market) {
    tried_again(market, "'9999-01-01'", "next_try_at > now()").await;
}

async fn tried_again(market: &Market, at: &str, which: &str) {
    let sql = format!(
        "UPDATE policy_parked AS parked SET next_try_at = {at} \
         FROM (SELECT policy, position FROM policy_parked WHERE {which} FOR UPDATE SKIP LOCKED) AS free \
         WHERE parked.policy = free.policy AND parked.position = free.position"
    );
    sqlx::query(&sql).execute(&market.ledger.db.pool).await.unwrap();
}

async fn set_aside(market: &Market) -> i64 {
    market.ledger.count("SELECT count(*) FROM policy_parked").await
}

/// A process with one policy. Dropped, it is dead.
struct Runner {
    die: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Runner {
    fn start(runner: usize, board: &Board, ledger: &Ledger, fx: &Fx, mood: &Mood) -> Self {
        let (die, death) = oneshot::channel::<()>();
        let points = Arc::new(Points { board: board.clone(), runner });
        let database = ledger.db.options().application_name(&format!("runner {runner}"));
        let (fx, mood) = (fx.clone(), mood.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            crash::step_through(points);
            runtime.block_on(async {
                let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(database);
                let store = EventStore::open(pool.clone(), Options::default()).await.unwrap();
                let options = projections::engine::Options::default();
                let models =
                    Projections::open(&pool, store.clone(), projections::all(), options).await.unwrap();
                let policies = Policies::new(&pool, &store, &models, &fx, vec![policy(runner, mood)]);
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
    mood: Mood,
    /// Who does not go on, for how many steps.
    stalled: BTreeMap<usize, u32>,
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
        let market = self.market;
        let started = Runner::start(runner, &self.board, &market.ledger, &market.fx, &self.mood);
        self.runners.insert(runner, started);
    }

    /// A price or the stock moves, and by our own reckoning somebody has to be told.
    async fn observe(&mut self) {
        let price: Option<u32> = self.random.random_bool(0.7).then(|| self.random.random_range(40..60));
        let stock = [Stock::OutOfStock, Stock::OutOfStock, Stock::InStock];
        let stock = stock.choose(&mut self.random).copied().filter(|_| self.random.random_bool(0.6));
        self.observe_these(price, stock).await;
    }

    async fn observe_these(&mut self, price: Option<u32>, stock: Option<Stock>) {
        self.hours += self.random.random_range(1..9);
        let at = self.market.begun + chrono::TimeDelta::hours(self.hours);
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
        self.stalled.remove(&runner);
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

    /// Who may go on, and where they stand.
    fn ready(&mut self) -> Vec<(usize, &'static str)> {
        self.stalled.retain(|_, steps| {
            *steps -= 1;
            *steps > 0
        });
        self.board.standing().into_iter().filter(|(runner, _)| !self.stalled.contains_key(runner)).collect()
    }

    fn change_mood(&mut self) {
        let humours = [Humour::Well, Humour::Well, Humour::Fails, Humour::Panics];
        self.mood.turn(*humours.choose(&mut self.random).unwrap());
    }

    async fn note_what_is_set_aside(&mut self) {
        let sql = "SELECT DISTINCT reason FROM policy_parked ORDER BY reason";
        for (reason,) in self.market.ledger.rows::<(String,)>(sql).await {
            self.meet(format!("set aside: {reason}"));
        }
    }

    async fn play(&mut self) {
        let mut prices_left = self.random.random_range(6..14);
        let mut faults_left = self.random.random_range(10..20);
        let mut calm = 0;
        for runner in 0..RUNNERS {
            self.start(runner);
        }
        for _ in 0..MOST_STEPS {
            self.settle().await;
            stop_the_clock(self.market).await;
            if self.random.random_ratio(1, 15) {
                self.change_mood();
            }
            if self.random.random_ratio(1, 10) {
                self.note_what_is_set_aside().await;
                make_due(self.market).await;
            }
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
            let standing = self.ready();
            let Some((runner, point)) = standing.choose(&mut self.random).copied() else { continue };
            let busy = !matches!(point, "policies.idle" | "policies.rest");
            // Not all of them before anything is set aside.
            let one_in = if point == "policies.due" || point.starts_with("policies.retry") { 4 } else { 8 };
            if busy && faults_left > 0 && self.random.random_ratio(1, one_in) {
                faults_left -= 1;
                match self.random.random_range(0..3) {
                    0 => {
                        self.die(runner, point).await;
                        continue;
                    }
                    1 => {
                        self.meet(format!("fault: stalled at {point}"));
                        self.stalled.insert(runner, self.random.random_range(10..60));
                        continue;
                    }
                    _ if self.cut(runner).await => self.meet("fault: a connection is ended"),
                    _ => {}
                }
            }
            self.meet(point);
            let go = self.board.leave(runner).unwrap();
            let _ = go.send(());
            let idle = standing.len() == RUNNERS && standing.iter().all(|(_, at)| *at == "policies.idle");
            calm = if idle && prices_left == 0 { calm + 1 } else { 0 };
            if calm > 2 * RUNNERS {
                if set_aside(self.market).await == 0 {
                    break;
                }
                self.mood.turn(Humour::Well);
                make_due(self.market).await;
            }
        }
        self.settle().await;
        self.finish().await;
    }

    async fn finish(&mut self) {
        self.mood.turn(Humour::Well);
        self.board.let_all_go();
        for runner in 0..RUNNERS {
            if !self.runners.contains_key(&runner) {
                self.start(runner);
            }
        }
        let all = self.market.policies(vec![Box::new(PriceAlerts), Box::new(RestockAlerts)]);
        self.market.settled(&all).await;
        database::testing::eventually("nothing is set aside", async || {
            make_due(self.market).await;
            set_aside(self.market).await == 0
        })
        .await;
        // Whatever is remembered wrongly shows at the next price.
        self.observe_these(Some(39), None).await;
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
        assert_eq!(set_aside(self.market).await, 0);
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
        mood: Mood::new(Humour::Well),
        stalled: BTreeMap::new(),
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

/// Has one go on, by one step at least, until it stands at a point.
async fn lead(board: &Board, runner: usize, to: &str) {
    let standing = async || {
        database::testing::eventually(to, async || board.standing().contains_key(&runner)).await;
        board.standing()[&runner]
    };
    for _ in 0..MOST_STEPS {
        standing().await;
        let _ = board.leave(runner).unwrap().send(());
        if standing().await == to {
            return;
        }
    }
    panic!("it never comes to {to}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wakes_late_does_not_react_again_to_what_another_took_back() {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let figure = market.figure("Harbour Pilot Mina").await;
    market.wish(alice, figure, Some("90 EUR")).await;
    market.ledger.shown().await;
    let (board, mood) = (Board::default(), Mood::new(Humour::Well));
    let (early, late) = (0, 2);
    let start = |runner| Runner::start(runner, &board, &market.ledger, &market.fx, &mood);
    let (_early, _late) = (start(early), start(late));
    lead(&board, early, "policies.idle").await;
    market.price(figure, 0, "100 EUR").await;
    market.ledger.shown().await;
    lead(&board, early, "policies.idle").await;
    assert_eq!(set_aside(&market).await, 0);
    // It comes down and goes up again; neither can be reacted to.
    mood.turn(Humour::Fails);
    market.price(figure, 1, "80 EUR").await;
    market.price(figure, 2, "120 EUR").await;
    market.ledger.shown().await;
    lead(&board, early, "policies.idle").await;
    assert_eq!(set_aside(&market).await, 2);

    mood.turn(Humour::Well);
    make_due(&market).await;
    lead(&board, late, "policies.due").await;
    while set_aside(&market).await > 0 {
        lead(&board, early, "policies.idle").await;
    }
    lead(&board, late, "policies.idle").await;
    market.price(figure, 3, "70 EUR").await;
    market.ledger.shown().await;
    lead(&board, early, "policies.idle").await;
    lead(&board, early, "policies.idle").await;
    let told = market.told(alice).await;
    let prices: Vec<_> = told.iter().map(|one| one.payload["price"]["amount"].as_str().unwrap()).collect();
    assert_eq!(prices, ["80.00", "70.00"]);
    assert_eq!(set_aside(&market).await, 0);
}
