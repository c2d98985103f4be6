//! The same command by every means: a collector adds a piece of a figure that they wished for.
//!
//! Written each time: the piece, the line in the feed, and the wish taken off; durable and readable when the
//! command is answered.

mod ceiling;
mod ours;
mod plain;
mod stock;
mod web;

use crate::cpu::Cpu;
use crate::ground::Ground;
use crate::history::{Catalogue, LogWriter, MadeFigure, catalogue};
use crate::people;
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section, median, number};
use chrono::{DateTime, NaiveDate, Utc};
use domain::collection::CollectionEvent;
use domain::ids::UserId;
use domain::stream::StreamId;
use projections::engine::{Options, Projections};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub use ours::{Ours, by, touch};
pub use plain::Plain;
pub use web::request;

/// One command to come.
#[derive(Clone)]
pub struct Planned {
    /// Who adds it.
    pub user: UserId,
    /// The figure, which they wish for.
    pub figure: MadeFigure,
    /// How many events their stream has by then, as the contender that writes all events leaves it.
    pub version: i64,
    /// How many pieces they have added before.
    pub before: i32,
}

/// What every contender writes of a piece.
pub struct Facts;

impl Facts {
    /// The price.
    pub const PRICE: i64 = 15_800;
    /// Its currency.
    pub const CURRENCY: &'static str = "JPY";
    /// The condition.
    pub const CONDITION: &'static str = "mib_sealed";
    /// The cabinet.
    pub const LOCATION: &'static str = "Detolf 1";
    /// The cabinet, as it is compared.
    pub const LOCATION_KEY: &'static str = "detolf 1";
    /// How it came.
    pub const ORIGIN: &'static str = "purchased";

    /// When it was bought.
    pub fn bought_on() -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 5, 1).unwrap_or_default()
    }

    /// The line in the feed.
    pub fn told(planned: &Planned, piece: uuid::Uuid) -> serde_json::Value {
        let MadeFigure { id, name, slug, .. } = &planned.figure;
        serde_json::json!({
            "figure": {"id": id, "name": name, "slug": slug, "is_nsfw": false},
            "piece_id": piece, "price_amount": Self::PRICE.to_string(), "price_currency": Self::CURRENCY,
            "origin": Self::ORIGIN, "location": Self::LOCATION,
        })
    }
}

/// One way to do it.
#[async_trait::async_trait]
pub trait Contender: Send + Sync {
    /// What it is called in the table.
    fn name(&self) -> &'static str;
    /// A process of its own, when it has one beside PostgreSQL.
    fn process(&self) -> Option<u32> {
        None
    }
    /// Does this work with so many clients; how long it took.
    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration>;
}

/// Lets so many clients, each one command at a time, do the work.
pub async fn closed_loop<F>(
    clients: usize,
    work: Vec<Planned>,
    one: impl Fn(Planned) -> F + Send + Sync + 'static,
) -> anyhow::Result<Duration>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (work, one, next) = (Arc::new(work), Arc::new(one), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (work, one, next) = (work.clone(), one.clone(), next.clone());
        tasks.spawn(async move {
            while let Some(planned) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                one(planned.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(begun.elapsed())
}

/// Numbers of clients, and how many commands a round of each has.
fn levels(quick: bool) -> [(usize, usize); 3] {
    if quick { [(1, 100), (16, 1_200), (64, 3_000)] } else { [(1, 400), (16, 4_000), (64, 10_000)] }
}

/// Everybody's wishes, taken one by one, each person's far apart.
pub struct Wishes(VecDeque<Planned>);

impl Wishes {
    /// So many people with so many wishes each; written to the log.
    pub async fn write(
        log: &mut LogWriter<'_>,
        catalogue: &Catalogue,
        people: usize,
        each: usize,
    ) -> anyhow::Result<(Self, Vec<UserId>)> {
        let users: Vec<UserId> = (0..people).map(|_| UserId(log.id())).collect();
        for (place, user) in users.iter().enumerate() {
            for n in 0..each {
                let figure_id = catalogue.figure(place * 7 + n)?.id;
                let wished = CollectionEvent::Wished { figure_id, target: None, note: None };
                log.tell(StreamId::Collection(*user), Some(*user), wished).await?;
            }
        }
        let mut wishes = VecDeque::new();
        for n in 0..each {
            for (place, user) in users.iter().enumerate() {
                let figure = catalogue.figure(place * 7 + n)?.clone();
                let version = i64::try_from(each + 2 * n)?;
                wishes.push_back(Planned { user: *user, figure, version, before: i32::try_from(n)? });
            }
        }
        Ok((Self(wishes), users))
    }

    /// The next of them.
    pub fn take(&mut self, count: usize) -> Vec<Planned> {
        self.0.drain(..count.min(self.0.len())).collect()
    }
}

/// Makes a database in which people have wishes, so many commands' worth, and all read models are at the head.
pub async fn wishing(
    ground: &Ground,
    database: &str,
    figures: usize,
    commands: usize,
) -> anyhow::Result<(Wishes, Vec<UserId>)> {
    const EACH: usize = 16;
    ground.database(database, None).await?;
    let pool = ground.pool(database);
    let mut log = LogWriter::new(&pool).await?;
    let catalogue = catalogue(&mut log, figures).await?;
    let written = Wishes::write(&mut log, &catalogue, commands.div_ceil(EACH), EACH).await?;
    log.finish().await?;
    pool.close().await;
    fold_everything(ground, database).await?;
    Ok(written)
}

/// Folds a log that was written past the engine, and looks at what the planner needs to know.
pub async fn fold_everything(ground: &Ground, database: &str) -> anyhow::Result<()> {
    let pool = ground.pool(database);
    let store = event_store::EventStore::open(pool.clone(), event_store::Options::default()).await?;
    let read_models = Projections::open(&pool, store.clone(), projections::all(), Options::default()).await?;
    read_models.rebuild(&[], |_| ()).await?;
    sqlx::query("ANALYZE").execute(&pool).await?;
    drop((read_models, store));
    pool.close().await;
    Ok(())
}

/// The scenario.
pub struct Commands;

/// The database that the others are copies of.
const SEED: &str = "bench_seed";
/// Each contender's own.
const COPIES: [&str; 5] = ["bench_ours", "bench_web", "bench_plain", "bench_ceiling", "bench_stock"];

#[async_trait::async_trait]
impl Scenario for Commands {
    fn title(&self) -> &'static str {
        "Commands per second, durable and readable"
    }

    fn word(&self) -> &'static str {
        "commands"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let levels = levels(ground.quick);
        let rounds = if ground.quick { 3 } else { 7 };
        // A round more, to warm up.
        let needed: usize = levels.iter().map(|(_, count)| count).sum::<usize>() * (rounds + 1);
        progress.at("commands: writing a catalogue and everybody's wishes");
        let (wishes, users) = wishing(ground, SEED, 1_000, needed).await?;
        let cookies = people::sign_in(ground, SEED, &users, false).await?;
        for name in COPIES {
            ground.database(name, Some(SEED)).await?;
        }
        progress.at("commands: opening the contenders");
        let contenders: Vec<Box<dyn Contender>> = vec![
            Box::new(stock::Stock::open(ground, "bench_stock", &users).await?),
            Box::new(plain::Plain::open(ground, "bench_plain").await?),
            Box::new(ceiling::Ceiling::open(ground, "bench_ceiling").await?),
            Box::new(Ours::open(ground, "bench_ours", &users).await?),
            Box::new(web::Web::open(ground, "bench_web", cookies).await?),
        ];
        ground.settle().await?;
        let mut cpu = Cpu::new(ground).await?;
        let measured = rates(&contenders, &levels, rounds, wishes, progress, &mut cpu).await?;
        drop(contenders);
        ground.drop(&COPIES).await?;
        ground.drop(&[SEED]).await?;
        Ok(section(&levels, rounds, &measured))
    }
}

/// What one contender was measured to do at each level.
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// Commands per second.
    pub rates: Vec<f64>,
    /// Microseconds of processor time for a command: the server's and the client process's.
    cpu: Vec<(f64, f64)>,
}

/// Measures each contender at each level, in turn, so that whatever else the machine does hits all of them.
pub async fn rates(
    contenders: &[Box<dyn Contender>],
    levels: &[(usize, usize)],
    rounds: usize,
    mut wishes: Wishes,
    progress: &Progress,
    cpu: &mut Cpu,
) -> anyhow::Result<Vec<Measured>> {
    let mut rates = vec![vec![Vec::new(); levels.len()]; contenders.len()];
    for round in 0..=rounds {
        for (level, (clients, count)) in levels.iter().enumerate() {
            let work = wishes.take(*count);
            // Interleaved, and not always in the same order.
            for turn in 0..contenders.len() {
                let place = (turn + round) % contenders.len().max(1);
                let Some(contender) = contenders.get(place) else { continue };
                let before = cpu.used(contender.process()).await?;
                let took = contender.round(*clients, work.clone()).await?;
                let (server, own) = cpu.used(contender.process()).await?.since(&before);
                #[allow(clippy::cast_precision_loss)]
                let commands = work.len() as f64;
                let rate = commands / took.as_secs_f64();
                let cost = (server * 1e6 / commands, own * 1e6 / commands);
                progress.at(format!(
                    "round {round} of {rounds}, {clients} clients, {}: {}/s ({:.0} + {:.0} µs)",
                    contender.name(),
                    number(rate),
                    cost.0,
                    cost.1
                ));
                if round > 0
                    && let Some(list) = rates.get_mut(place).and_then(|levels| levels.get_mut(level))
                {
                    list.push((rate, cost));
                }
            }
        }
    }
    let median_of = |all: &[(f64, (f64, f64))], of: fn(&(f64, (f64, f64))) -> f64| {
        median(&all.iter().map(of).collect::<Vec<_>>())
    };
    Ok(contenders
        .iter()
        .zip(rates)
        .map(|(contender, levels)| Measured {
            name: contender.name(),
            rates: levels.iter().map(|all| median_of(all, |one| one.0)).collect(),
            cpu: levels
                .iter()
                .map(|all| (median_of(all, |one| one.1.0), median_of(all, |one| one.1.1)))
                .collect(),
        })
        .collect())
}

fn section(levels: &[(usize, usize)], rounds: usize, measured: &[Measured]) -> Section {
    let of = |name: &str, level: usize| {
        let found = measured.iter().find(|contender| contender.name == name);
        found.and_then(|contender| contender.rates.get(level)).copied().unwrap_or_default()
    };
    let mut heads = vec!["commands/s".to_owned()];
    for (clients, _) in levels {
        heads.push(format!("{clients} clients"));
        heads.push("× plain SQL".to_owned());
    }
    heads.push("CPU of PostgreSQL".to_owned());
    heads.push("of the clients' process".to_owned());
    let rows = measured.iter().map(|contender| {
        let mut row = vec![contender.name.to_owned()];
        for (level, rate) in contender.rates.iter().enumerate() {
            row.push(number(*rate));
            row.push(format!("{:.2}", rate / of(plain::NAME, level)));
        }
        let (server, own) = contender.cpu.last().copied().unwrap_or_default();
        row.push(format!("{server:.0} µs"));
        row.push(format!("{own:.0} µs"));
        row
    });
    let mut goals = Vec::new();
    for (level, clients, plain, stock) in [(1, 16, 1.3, 3.0), (2, 64, 2.0, 7.0)] {
        for (against, least) in [(plain::NAME, plain), (stock::NAME, stock), (ceiling::NAME, 0.7)] {
            goals.push(Goal::at_least(
                format!("{clients} clients: ours / {against}"),
                of(ours::NAME, level) / of(against, level),
                least,
                " ×",
            ));
        }
    }
    goals.push(Goal::at_least(
        "64 clients: ours over HTTP, signed in / plain SQL",
        of(web::NAME, 2) / of(plain::NAME, 2),
        1.0,
        " ×",
    ));
    Section {
        heads,
        rows: rows.collect(),
        notes: vec![format!(
            "Medians of {rounds} interleaved rounds, after one to warm up. Every command adds a piece of a \
             wished figure, by another user each time. A command of ours is answered when pieces, wishes, the feed \
             and the catalogue can be read; a round ends when all other read models hold it too. CPU is \
             processor time for one command with the most clients."
        )],
        goals,
    }
}

/// The time that a contender writes.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
