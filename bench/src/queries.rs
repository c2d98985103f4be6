//! Reading while others write: routes of the server beside the bare SQL, both under the same load.

use crate::commands::{Planned, Wishes, fold_everything, request};
use crate::ground::Ground;
use crate::history::{LogWriter, catalogue, piece};
use crate::people::{self, Cookies};
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section, median, percentile};
use crate::site::Site;
use anyhow::Context;
use domain::ids::{PieceId, UserId};
use domain::stream::StreamId;
use hyper::Method;
use projections::collection::{self, PieceFilter, PieceOrder};
use projections::figures::queries::{self as figures, Filter, Sort};
use projections::views::Viewer;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The scenario.
pub struct Queries;

const DATABASE: &str = "bench_queries";
const FIGURES: usize = 50_000;
const PIECES: usize = 10_000;
/// How many commands arrive in a second, whether or not those before them are answered.
const ARRIVING: u32 = 1_000;
const SENDERS: usize = 64;
/// How many events the stream has that is looked at.
const STREAM: usize = 200;

/// What is asked, over HTTP and by itself.
struct Asked {
    what: &'static str,
    /// Whose cookie it takes.
    who: UserId,
    /// A path, and the same without the server; in turn.
    questions: Vec<(String, Bare)>,
}

/// The statements of a route, sent by the same driver.
enum Bare {
    Page(UserId),
    Search(UserId, String),
    Stream(UserId),
}

impl Bare {
    async fn ask(&self, pool: &PgPool) -> anyhow::Result<usize> {
        Ok(match self {
            Self::Page(user) => {
                let (filter, order) = (PieceFilter::default(), PieceOrder::default());
                collection::list(pool, *user, &filter, order, None, 51).await?.len()
            }
            Self::Search(user, words) => {
                let filter = Filter { q: Some(words.clone()), ..Filter::default() };
                let viewer = Viewer { user_id: Some(user.uuid()), hides_nsfw: false };
                figures::list(pool, &filter, Sort::Relevance, viewer, None, 50).await?.items.len()
            }
            Self::Stream(user) => {
                let sql = "SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type, \
                           event_version, owner_id, recorded_at, metadata::text, payload::text FROM events \
                           WHERE aggregate_type = 'collection' AND aggregate_id = $1 AND sequence > 0 \
                           ORDER BY sequence LIMIT 51";
                sqlx::query(sql).bind(user.to_string()).fetch_all(pool).await?.len()
            }
        })
    }
}

/// How long each took, in milliseconds.
#[derive(Default, Clone)]
struct Times {
    http: Vec<f64>,
    sql: Vec<f64>,
}

#[async_trait::async_trait]
impl Scenario for Queries {
    fn title(&self) -> &'static str {
        "Queries while 1,000 commands arrive each second"
    }

    fn word(&self) -> &'static str {
        "queries"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let seconds = if ground.quick { 12 } else { 60 };
        progress.at("queries: writing 50,000 figures and a collection of 10,000 pieces");
        ground.database(DATABASE, None).await?;
        let pool = ground.pool(DATABASE);
        let mut log = LogWriter::new(&pool).await?;
        let made = catalogue(&mut log, FIGURES).await?;
        let (collector, other, admin) = (UserId(log.id()), UserId(log.id()), UserId(log.id()));
        for (user, count) in [(collector, PIECES), (other, STREAM)] {
            for n in 0..count {
                let event = piece(PieceId(log.id()), made.figure(n * 3)?.id, false)?;
                log.tell(StreamId::Collection(user), Some(user), event).await?;
            }
        }
        let needed = usize::try_from(ARRIVING)? * (seconds + 4);
        let (wishes, senders) = Wishes::write(&mut log, &made, needed.div_ceil(16), 16).await?;
        log.finish().await?;
        fold_everything(ground, DATABASE).await?;
        let mut cookies = people::sign_in(ground, DATABASE, &senders, false).await?;
        cookies.extend(people::sign_in(ground, DATABASE, &[collector], false).await?);
        cookies.extend(people::sign_in(ground, DATABASE, &[admin], true).await?);
        let searches = made.figures.iter().step_by(1_237).take(40).filter_map(|figure| {
            let mut words = figure.name.split(' ').map(str::to_lowercase);
            let (first, second) = (words.next()?, words.next()?);
            let path = format!("/api/figures?limit=50&q={first}+{second}");
            Some((path, Bare::Search(collector, format!("{first} {second}"))))
        });
        let asked = Arc::new(vec![
            Asked {
                what: "a page of a 10,000-piece collection",
                who: collector,
                questions: vec![("/api/me/owned?limit=50".to_owned(), Bare::Page(collector))],
            },
            Asked {
                what: "figure search over 50,000 figures",
                who: collector,
                questions: searches.collect(),
            },
            Asked {
                what: "one stream in admin",
                who: admin,
                questions: vec![(
                    format!("/api/admin/streams/collection/{other}?limit=50&states=false"),
                    Bare::Stream(other),
                )],
            },
        ]);
        let site = Arc::new(Site::open(ground, DATABASE).await?);
        site.settle(ground, DATABASE).await?;
        ground.settle().await?;
        progress.at(format!("queries: asking for {seconds} s while commands arrive"));
        let load = Load {
            site: site.clone(),
            cookies: Arc::new(cookies),
            stop: Arc::default(),
            sent: Arc::default(),
        };
        let (times, rate) =
            load.run(&pool, &asked, wishes, Duration::from_secs(u64::try_from(seconds)?)).await?;
        drop((load, site));
        pool.close().await;
        ground.drop(&[DATABASE]).await?;
        Ok(section(&asked, &times, rate))
    }
}

struct Load {
    site: Arc<Site>,
    cookies: Arc<Cookies>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
}

impl Load {
    async fn run(
        &self,
        pool: &PgPool,
        asked: &Arc<Vec<Asked>>,
        mut wishes: Wishes,
        lasting: Duration,
    ) -> anyhow::Result<(Vec<Times>, f64)> {
        let work = Arc::new(wishes.take(usize::MAX));
        let next = Arc::new(AtomicU32::new(0));
        let begun = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(self.sender(work.clone(), next.clone(), begun));
        }
        // What is loaded for the first time is not measured.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (before, since) = (self.sent.load(Ordering::Relaxed), Instant::now());
        let mut times = vec![Times::default(); asked.len()];
        let mut line = self.site.line().await?;
        let mut turn = 0_usize;
        while since.elapsed() < lasting {
            turn += 1;
            for (one, times) in asked.iter().zip(&mut times) {
                let question = one.questions.get(turn % one.questions.len().max(1)).context("a question")?;
                let cookie = self.cookies.get(&one.who).context("somebody signed in")?;
                for half in 0..2 {
                    let begun = Instant::now();
                    if (turn + half).is_multiple_of(2) {
                        line.send(Method::GET, &question.0, cookie, None).await?;
                        times.http.push(begun.elapsed().as_secs_f64() * 1_000.0);
                    } else {
                        anyhow::ensure!(question.1.ask(pool).await? > 0, "{}: nothing found", one.what);
                        times.sql.push(begun.elapsed().as_secs_f64() * 1_000.0);
                    }
                }
            }
        }
        let done = self.sent.load(Ordering::Relaxed).saturating_sub(before);
        let rate = f64::from(done) / since.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        Ok((times, rate))
    }

    /// Sends every command when its time has come.
    fn sender(
        &self,
        work: Arc<Vec<Planned>>,
        next: Arc<AtomicU32>,
        begun: Instant,
    ) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let (site, cookies, stop, sent) =
            (self.site.clone(), self.cookies.clone(), self.stop.clone(), self.sent.clone());
        async move {
            let mut line = site.line().await?;
            while !stop.load(Ordering::Relaxed) {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(planned) = work.get(usize::try_from(n)?) else { return Ok(()) };
                tokio::time::sleep_until((begun + Duration::from_secs(1) * n / ARRIVING).into()).await;
                let cookie = cookies.get(&planned.user).context("somebody signed in")?;
                line.send(Method::POST, "/api/me/owned", cookie, Some(request(planned))).await?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    }
}

fn section(asked: &[Asked], times: &[Times], rate: f64) -> Section {
    let mut section = Section {
        heads: ["milliseconds", "route, median", "bare SQL, median", "route, p99", "bare SQL, p99", "×"]
            .map(str::to_owned)
            .to_vec(),
        notes: vec![format!(
            "{:.0} commands a second were answered meanwhile, over HTTP, by the same server. One client asks \
             one thing after the other, in turn as a request of somebody signed in and as the bare statements of that \
             route, sent by the same driver from another process; {} times each.",
            rate,
            times.first().map_or(0, |times| times.sql.len())
        )],
        ..Section::default()
    };
    for (one, times) in asked.iter().zip(times) {
        let (http, sql) = (percentile(&times.http, 0.99), percentile(&times.sql, 0.99));
        let mut row = vec![one.what.to_owned()];
        row.extend(
            [median(&times.http), median(&times.sql), http, sql, http / sql].map(|n| format!("{n:.2}")),
        );
        section.rows.push(row);
        section.goals.push(Goal::at_most(format!("{}: p99 / bare SQL's", one.what), http / sql, 1.5, " ×"));
    }
    section
}
