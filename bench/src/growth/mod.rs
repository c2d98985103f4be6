//! What a collection is worth and comes to, as the collection grows: every route that reckons, beside two million
//! price points.

mod collector;
mod plan;

use crate::commands::fold_everything;
use crate::ground::Ground;
use crate::history::{LogWriter, catalogue};
use crate::people;
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section, median, number, percentile};
use crate::site::Site;
use anyhow::Context;
use chrono::{Datelike, Utc};
use domain::ids::{FigureId, UserId};
use domain::money::rates::{RateTable, Rates};
use hyper::Method;
use operational::fx_rates::{self, FxSource};
use projections::collection;
use projections::cote::{self, CoteOrder, Range};
use projections::prices::queries as prices;
use projections::statistics;
use sqlx::PgPool;
use std::time::Instant;

/// The scenario.
pub struct Growth;

const DATABASE: &str = "bench_growth";
/// Figures whose market price moves: those that the collections begin with.
const PRICED: usize = 10_000;
/// Figures that somebody has.
const OWNED: usize = 50_000;
/// Figures that are only wished for.
const WISHED: usize = 200;
/// The size for which a time was promised.
const PROMISED: usize = 10_000;
/// What was promised, in milliseconds.
const WITHIN: f64 = 50.0;

/// What a route asks the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Cote,
    Pieces,
    Evolution,
    Stats,
    Insights,
    Year,
    Forecast,
    Prices,
    Cabinets,
}

impl Asks {
    /// Every route, the charts beside their numbers.
    fn routes(year: i32, figure: FigureId) -> Vec<(Self, String)> {
        let history = format!("/api/figures/{figure}/prices");
        [
            (Self::Cote, "/api/me/cote".to_owned()),
            (Self::Pieces, "/api/me/cote/pieces?limit=50".to_owned()),
            (Self::Evolution, "/api/me/cote/evolution?range=all".to_owned()),
            (Self::Evolution, "/api/me/cote/evolution.svg?range=all".to_owned()),
            (Self::Stats, "/api/me/stats".to_owned()),
            (Self::Stats, "/api/me/stats.svg".to_owned()),
            (Self::Insights, "/api/me/stats/insights".to_owned()),
            (Self::Year, format!("/api/me/year-in-review/{year}")),
            (Self::Year, format!("/api/me/year-in-review/{year}.svg")),
            (Self::Forecast, "/api/me/preorders/forecast".to_owned()),
            (Self::Cabinets, "/api/me/locations".to_owned()),
            (Self::Prices, history.clone()),
            (Self::Prices, format!("{history}.svg")),
        ]
        .into()
    }

    /// The statements of it.
    async fn bare(
        self,
        pool: &PgPool,
        user: UserId,
        today: &RateTable,
        figure: FigureId,
    ) -> anyhow::Result<()> {
        match self {
            Self::Cote => {
                cote::worth(pool, user, false).await?;
                cote::sold(pool, user).await?;
            }
            Self::Pieces => {
                cote::ranking(pool, user, Some(today), false, CoteOrder::default(), None, 51).await?;
            }
            Self::Evolution => {
                cote::evolution(pool, user, Range::All, Utc::now().date_naive()).await?;
            }
            Self::Stats => {
                statistics::statistics(pool, user, false).await?;
            }
            Self::Insights => {
                let bounds = [25, 50, 100, 150, 200, 300, 500].map(Into::into);
                statistics::insights(pool, user, Some(today), &bounds, false).await?;
            }
            Self::Year => {
                statistics::year_in_review(pool, user, Utc::now().year(), false).await?;
            }
            Self::Forecast => {
                statistics::due(pool, user, false).await?;
            }
            Self::Prices => {
                prices::history(pool, figure.uuid(), None, 5_000).await?;
            }
            Self::Cabinets => {
                collection::locations(pool, user).await?;
            }
        }
        Ok(())
    }
}

/// Somebody with so many pieces, and how long each route took them, in milliseconds.
struct Collector {
    pieces: usize,
    user: UserId,
    times: Vec<Vec<f64>>,
}

#[async_trait::async_trait]
impl Scenario for Growth {
    fn title(&self) -> &'static str {
        "Worth and statistics as a collection grows"
    }

    fn word(&self) -> &'static str {
        "growth"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let (sizes, points, rounds): (&[usize], _, _) = match ground.quick {
            true => (&[1_000, PROMISED], 200_000, 50),
            false => (&[1_000, PROMISED, 100_000], 2_000_000, 300),
        };
        #[allow(clippy::cast_precision_loss)]
        let told = number(points as f64);
        progress.at(format!("growth: writing {told} price points and the collections"));
        ground.database(DATABASE, None).await?;
        let pool = ground.pool(DATABASE);
        let tables = collector::rates()?;
        fx_rates::store(&pool, &tables, FxSource::File, Utc::now(), &|_, _| ()).await?;
        let today = tables.first().cloned().context("rates")?;
        let rates: Rates = tables.into_iter().collect();
        let mut log = LogWriter::new(&pool).await?;
        let made = catalogue(&mut log, OWNED + WISHED).await?;
        let mut collectors = Vec::new();
        for pieces in sizes {
            let user = collector::collection(&mut log, &made, &rates, OWNED, *pieces).await?;
            collectors.push(Collector { pieces: *pieces, user, times: Vec::new() });
        }
        for place in 0..PRICED {
            collector::market(&mut log, &made, place, points / PRICED).await?;
        }
        log.finish().await?;
        pool.close().await;
        progress.at("growth: folding");
        fold_everything(ground, DATABASE).await?;
        let users: Vec<UserId> = collectors.iter().map(|one| one.user).collect();
        let cookies = people::sign_in(ground, DATABASE, &users, false).await?;
        let site = Site::open(ground, DATABASE).await?;
        site.settle(ground, DATABASE).await?;
        ground.settle().await?;
        let figure = made.figure(1)?.id;
        let routes = Asks::routes(Utc::now().year(), figure);
        let mut line = site.line().await?;
        for one in &mut collectors {
            // Beyond what was promised, fewer will do: each takes longer.
            let rounds = if one.pieces > PROMISED { rounds / 10 } else { rounds };
            progress.at(format!("growth: asking {rounds} times for everything of {} pieces", one.pieces));
            let cookie = cookies.get(&one.user).context("somebody signed in")?;
            one.times = vec![Vec::new(); routes.len()];
            // What is loaded for the first time is not measured.
            for round in 0..rounds + 10 {
                for ((_, path), times) in routes.iter().zip(&mut one.times) {
                    let begun = Instant::now();
                    line.send(Method::GET, path, cookie, None).await?;
                    if round >= 10 {
                        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
                    }
                }
            }
        }
        #[allow(clippy::cast_precision_loss)]
        let memory = site.memory()? as f64 / f64::from(1 << 20);
        drop((line, site));
        let mut section = section(&routes, &collectors, &told, memory);
        let promised = collectors.iter().find(|one| one.pieces == PROMISED).context("the promised size")?;
        let dearest =
            routes.iter().zip(&promised.times).max_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)));
        let ((asks, path), _) = dearest.context("a route")?;
        let options = ground.options(DATABASE).options(plan::TELLING);
        let pool = ground.pool_of(options, 1);
        let plans = plan::of(&pool, asks.bare(&pool, promised.user, &today, figure)).await;
        pool.close().await;
        section.notes.push(match plans {
            Ok(plans) => format!("The plans of the dearest, `{path}`:\n```\n{}\n```", plans.join("\n\n")),
            Err(error) => format!("No plan of the dearest, `{path}`: {error}"),
        });
        ground.drop(&[DATABASE]).await?;
        Ok(section)
    }
}

fn section(routes: &[(Asks, String)], collectors: &[Collector], points: &str, memory: f64) -> Section {
    let mut section = Section { heads: vec!["milliseconds".to_owned()], ..Section::default() };
    for one in collectors {
        #[allow(clippy::cast_precision_loss)]
        let pieces = number(one.pieces as f64);
        section.heads.extend([format!("{pieces} pieces, median"), "p99".to_owned()]);
    }
    for (at, (_, path)) in routes.iter().enumerate() {
        // The id of a made-up figure says nothing.
        let path = match path.strip_prefix("/api/figures/").and_then(|rest| rest.split_once('/')) {
            Some((_, rest)) => format!("/api/figures/{{id}}/{rest}"),
            None => path.clone(),
        };
        let mut row = vec![path.clone()];
        for one in collectors {
            let times = one.times.get(at).map_or(&[][..], Vec::as_slice);
            let p99 = percentile(times, 0.99);
            row.extend([median(times), p99].map(|time| format!("{time:.2}")));
            if one.pieces == PROMISED {
                section.goals.push(Goal::at_most(
                    format!("{path} of 10,000 pieces, p99"),
                    p99,
                    WITHIN,
                    " ms",
                ));
            }
        }
        section.rows.push(row);
    }
    section.notes.push(format!(
        "At rest: one client, one request after the other, over HTTP by somebody signed in, {} times each. {points} \
         price points over five years, on {PRICED} figures that each collection has; the larger ones have others \
         as well. A piece in ten is valued, one in twenty pre-ordered, one in twenty-five sold. The server had {memory:.0} \
         MB of memory at the end.",
        collectors.first().and_then(|one| one.times.first()).map_or(0, Vec::len),
    ));
    section
}
