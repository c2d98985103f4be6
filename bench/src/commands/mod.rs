//! The same command by every means: a collector adds a piece of a figure that they wished for.
//!
//! Written each time: the piece, the line in the feed, and the wish taken off; durable and readable when the
//! command is answered.

mod ceiling;
mod ours;
mod plain;
mod stock;

use crate::ground::Ground;
use crate::history::{Catalogue, LogWriter, MadeFigure, catalogue};
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

pub use ours::Ours;

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
    if quick { [(1, 200), (16, 2_000), (64, 5_000)] } else { [(1, 400), (16, 4_000), (64, 10_000)] }
}

/// Everybody's wishes, taken one by one, each person's far apart.
pub struct Wishes(VecDeque<Planned>);

impl Wishes {
    /// So many people with so many wishes each; written to the log.
    async fn write(
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

    fn take(&mut self, count: usize) -> Vec<Planned> {
        self.0.drain(..count.min(self.0.len())).collect()
    }
}

/// The scenario.
pub struct Commands;

/// The database that the others are copies of.
const SEED: &str = "bench_seed";

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
        let rounds = if ground.quick { 3 } else { 5 };
        // A round more, to warm up.
        let needed: usize = levels.iter().map(|(_, count)| count).sum::<usize>() * (rounds + 1);
        let each = 16;
        progress.at("commands: writing a catalogue and everybody's wishes");
        ground.database(SEED, None).await?;
        let pool = ground.pool(SEED);
        let mut log = LogWriter::new(&pool).await?;
        let catalogue = catalogue(&mut log, 1_000).await?;
        let (wishes, users) = Wishes::write(&mut log, &catalogue, needed.div_ceil(each), each).await?;
        log.finish().await?;
        let store = event_store::EventStore::open(pool.clone(), event_store::Options::default()).await?;
        let read_models =
            Projections::open(&pool, store.clone(), projections::all(), Options::default()).await?;
        read_models.rebuild(&[], |_| ()).await?;
        drop((read_models, store));
        pool.close().await;
        for name in ["bench_ours", "bench_plain", "bench_ceiling", "bench_stock"] {
            ground.database(name, Some(SEED)).await?;
        }
        progress.at("commands: opening the contenders");
        let contenders: Vec<Box<dyn Contender>> = vec![
            Box::new(stock::Stock::open(ground, "bench_stock", &users).await?),
            Box::new(plain::Plain::open(ground, "bench_plain").await?),
            Box::new(ceiling::Ceiling::open(ground, "bench_ceiling").await?),
            Box::new(Ours::open(ground, "bench_ours", &users).await?),
        ];
        ground.settle().await?;
        let measured = rates(&contenders, &levels, rounds, wishes, progress).await?;
        drop(contenders);
        ground.drop(&["bench_ours", "bench_plain", "bench_ceiling", "bench_stock", SEED]).await?;
        Ok(section(&levels, rounds, &measured))
    }
}

/// Commands per second of each contender at each level.
async fn rates(
    contenders: &[Box<dyn Contender>],
    levels: &[(usize, usize)],
    rounds: usize,
    mut wishes: Wishes,
    progress: &Progress,
) -> anyhow::Result<Vec<(&'static str, Vec<f64>)>> {
    let mut rates = vec![vec![Vec::new(); levels.len()]; contenders.len()];
    for round in 0..=rounds {
        for (level, (clients, count)) in levels.iter().enumerate() {
            let work = wishes.take(*count);
            // Interleaved, and not always in the same order.
            for turn in 0..contenders.len() {
                let place = (turn + round) % contenders.len().max(1);
                let Some(contender) = contenders.get(place) else { continue };
                let took = contender.round(*clients, work.clone()).await?;
                #[allow(clippy::cast_precision_loss)]
                let rate = work.len() as f64 / took.as_secs_f64();
                progress.at(format!(
                    "commands: round {round} of {rounds}, {clients} clients, {}: {}/s",
                    contender.name(),
                    number(rate)
                ));
                if round > 0
                    && let Some(list) = rates.get_mut(place).and_then(|levels| levels.get_mut(level))
                {
                    list.push(rate);
                }
            }
        }
    }
    let medians = |levels: &Vec<Vec<f64>>| levels.iter().map(|all| median(all)).collect();
    Ok(contenders.iter().map(|contender| contender.name()).zip(rates.iter().map(medians)).collect())
}

fn section(levels: &[(usize, usize)], rounds: usize, measured: &[(&'static str, Vec<f64>)]) -> Section {
    let of = |name: &str, level: usize| {
        let found = measured.iter().find(|(contender, _)| *contender == name);
        found.and_then(|(_, rates)| rates.get(level)).copied().unwrap_or_default()
    };
    let mut heads = vec!["commands/s".to_owned()];
    for (clients, _) in levels {
        heads.push(format!("{clients} clients"));
        heads.push("× plain SQL".to_owned());
    }
    let rows = measured.iter().map(|(name, rates)| {
        let mut row = vec![(*name).to_owned()];
        for (level, rate) in rates.iter().enumerate() {
            row.push(number(*rate));
            row.push(format!("{:.2}", rate / of(plain::NAME, level)));
        }
        row
    });
    let mut goals = Vec::new();
    let mut goal = |clients: usize, level: usize, other: &str, least: f64| {
        let ratio = of(ours::NAME, level) / of(other, level);
        goals.push(Goal::at_least(format!("{clients} clients: ours / {other}"), ratio, least, " ×"));
    };
    goal(16, 1, plain::NAME, 1.3);
    goal(16, 1, stock::NAME, 3.0);
    goal(16, 1, ceiling::NAME, 0.7);
    goal(64, 2, plain::NAME, 2.0);
    goal(64, 2, stock::NAME, 7.0);
    goal(64, 2, ceiling::NAME, 0.7);
    let time = of(plain::NAME, 0) / of(ours::NAME, 0);
    goals.push(Goal::at_most("1 client: time of a command, ours / plain SQL", time, 1.0, " ×"));
    Section {
        heads,
        rows: rows.collect(),
        notes: vec![format!(
            "Medians of {rounds} interleaved rounds, after one to warm up. Every command adds a piece of a \
             wished figure, by another user each time."
        )],
        goals,
    }
}

/// The time that a contender writes.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
