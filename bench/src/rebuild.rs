//! Rebuilding every read model, beside copying the same events out of PostgreSQL and in again.

use crate::ground::Ground;
use crate::history::{LogWriter, catalogue};
use crate::lives::lives;
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section, median, number};
use crate::site::memory;
use anyhow::{Context, ensure};
use faults::server::Program;
use futures::TryStreamExt;
use sqlx::postgres::PgPoolCopyExt;
use sqlx::{Executor, PgPool};
use std::time::{Duration, Instant};

/// The scenario.
pub struct Rebuild;

const DATABASE: &str = "bench_rebuild";
/// How many events are copied at a time, so that a long log needs no second copy on the disk.
const COPIED_AT_ONCE: i64 = 1_000_000;
const CHUNK: usize = 1 << 20;

/// A log of some length.
struct Size {
    what: &'static str,
    events: i64,
    rounds: usize,
    /// The most memory that the rebuild may take, in MB.
    memory: f64,
}

#[async_trait::async_trait]
impl Scenario for Rebuild {
    fn title(&self) -> &'static str {
        "Rebuilding all read models"
    }

    fn word(&self) -> &'static str {
        "rebuild"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let sizes = if ground.quick {
            vec![Size { what: "100 k events", events: 100_000, rounds: 3, memory: 300.0 }]
        } else {
            vec![
                Size { what: "1 M events", events: 1_000_000, rounds: 5, memory: 300.0 },
                Size { what: "10 M events", events: 10_000_000, rounds: 1, memory: 1_024.0 },
            ]
        };
        let mut section = Section {
            heads: ["a log of", "COPY out", "COPY in", "rebuild", "events/s", "× COPY", "peak memory"]
                .map(str::to_owned)
                .to_vec(),
            notes: vec![
                "COPY goes into a table with the log's own indexes. The rebuild is the program's own \
                 subcommand, from start to end; the memory is that process's."
                    .to_owned(),
            ],
            ..Section::default()
        };
        for size in sizes {
            measure(ground, progress, &size, &mut section).await?;
            ground.drop(&[DATABASE]).await?;
        }
        Ok(section)
    }
}

async fn measure(
    ground: &Ground,
    progress: &Progress,
    size: &Size,
    section: &mut Section,
) -> anyhow::Result<()> {
    let what = size.what;
    progress.at(format!("rebuild, {what}: writing them"));
    ground.database(DATABASE, None).await?;
    let pool = ground.pool(DATABASE);
    let mut log = LogWriter::new(&pool).await?;
    let figures = usize::try_from(size.events / 50)?.clamp(1_000, 50_000);
    let made = catalogue(&mut log, figures).await?;
    lives(&mut log, &made, size.events).await?;
    let written = log.finish().await?;
    pool.execute("VACUUM events").await?;
    pool.execute("CREATE TABLE bench_copied (LIKE events INCLUDING ALL)").await?;
    let program = Program::find()?;
    let (mut outs, mut ins, mut times, mut peaks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=size.rounds {
        ground.settle().await?;
        progress.at(format!("rebuild, {what}: COPY, round {round} of {}", size.rounds));
        let (out, into) = copy(&pool, written).await?;
        outs.push(out.as_secs_f64());
        ins.push(into.as_secs_f64());
        ground.settle().await?;
        progress.at(format!("rebuild, {what}: rebuilding, round {round} of {}", size.rounds));
        let (took, peak) = rebuild(&program, &ground.url(DATABASE)).await?;
        times.push(took.as_secs_f64());
        #[allow(clippy::cast_precision_loss)]
        peaks.push(peak as f64 / f64::from(1 << 20));
    }
    let reached: i64 =
        sqlx::query_scalar("SELECT min(position) FROM projection_checkpoints").fetch_one(&pool).await?;
    ensure!(reached == written, "the read models are at {reached} of {written}");
    pool.close().await;
    let (out, into, time) = (median(&outs), median(&ins), median(&times));
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    #[allow(clippy::cast_precision_loss)]
    let rate = written as f64 / time;
    let ratio = time / (out + into);
    section.rows.push(vec![
        what.to_owned(),
        format!("{out:.2} s"),
        format!("{into:.2} s"),
        format!("{time:.2} s"),
        number(rate),
        format!("{ratio:.2}"),
        format!("{peak:.0} MB"),
    ]);
    section.goals.extend([
        Goal::at_least(format!("rebuild of {what}"), rate, 250_000.0, " events/s"),
        Goal::at_most(format!("rebuild of {what} / COPY out and in"), ratio, 3.0, " ×"),
        Goal::at_most(format!("rebuild of {what}, memory"), peak, size.memory, " MB"),
    ]);
    Ok(())
}

/// Copies the log out, and in again, some of it at a time.
async fn copy(pool: &PgPool, events: i64) -> anyhow::Result<(Duration, Duration)> {
    let (mut out, mut into) = (Duration::ZERO, Duration::ZERO);
    let mut from = 0;
    while from < events {
        let to = from + COPIED_AT_ONCE;
        let begun = Instant::now();
        let sql = format!(
            "COPY (SELECT * FROM events WHERE position > {from} AND position <= {to} ORDER BY position) TO STDOUT"
        );
        let mut rows = pool.copy_out_raw(&sql).await?;
        let mut chunks = vec![Vec::with_capacity(2 * CHUNK)];
        while let Some(row) = rows.try_next().await? {
            if chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK) {
                chunks.push(Vec::with_capacity(2 * CHUNK));
            }
            chunks.last_mut().context("a chunk")?.extend_from_slice(&row);
        }
        drop(rows);
        out += begun.elapsed();
        let begun = Instant::now();
        let mut copy = pool.copy_in_raw("COPY bench_copied FROM STDIN").await?;
        for chunk in &chunks {
            copy.send(chunk.as_slice()).await?;
        }
        copy.finish().await?;
        into += begun.elapsed();
        pool.execute("TRUNCATE bench_copied").await?;
        from = to;
    }
    Ok((out, into))
}

/// Rebuilds everything in a process of its own: how long it took, and the most memory it had.
async fn rebuild(program: &Program, url: &str) -> anyhow::Result<(Duration, u64)> {
    let begun = Instant::now();
    let mut child = program.begin(url, &["rebuild"])?;
    let mut peak = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the rebuild failed: {status}");
            return Ok((begun.elapsed(), peak));
        }
        if let Some(process) = child.id()
            && let Ok(bytes) = memory(process, "VmHWM")
        {
            peak = peak.max(bytes);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
