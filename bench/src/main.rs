//! The side-by-side benchmark: the stock framework, plain SQL, what PostgreSQL allows at most, and this
//! project's engine, in one go on one PostgreSQL.
//!
//! ```text
//! cargo run --release -p bench                  everything; writes docs/benchmarks.md
//! cargo run --release -p bench -- --quick       in under three minutes
//! cargo run --release -p bench -- --only commands
//! ```
//! Each file beside this one is one part of it; add one by implementing [`Scenario`] and naming it in
//! `scenarios`. Numbers of different machines, or of different runs, say little; their ratios say more.
#![allow(clippy::float_arithmetic, reason = "rates and ratios; no money here")]

mod commands;
mod cpu;
mod ground;
mod growth;
mod history;
mod lives;
mod lone;
mod machine;
mod memory;
mod people;
mod progress;
mod queries;
mod rebuild;
mod report;
mod scenario;
mod site;
mod streams;

use anyhow::Context;
use clap::Parser;
use ground::Ground;
use progress::Progress;
use scenario::Scenario;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the engine beside what it competes with.
#[derive(Parser)]
struct Arguments {
    /// A run of under three minutes.
    #[arg(long)]
    quick: bool,
    /// Only these parts: commands, lone, streams, rebuild, queries, growth, memory. Nothing is
    /// written to docs/benchmarks.md then.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the PostgreSQL of the benchmark keeps its data.
    #[arg(long, default_value = "target/bench-data")]
    folder: PathBuf,
    /// Leave the databases there, to look at them by hand.
    #[arg(long)]
    keep: bool,
}

fn scenarios() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(commands::Commands),
        Box::new(lone::Lone),
        Box::new(streams::Streams),
        Box::new(rebuild::Rebuild),
        Box::new(queries::Queries),
        Box::new(growth::Growth),
        Box::new(memory::Memory),
    ]
}

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Puts what was measured between the marks of the page; the prose around them stays. A quick run does not
/// take the place of a whole one.
fn write_page(measured: &str, quick: bool) -> anyhow::Result<Option<PathBuf>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|_| format!("# Benchmarks\n\n{BEGIN}\n{END}\n"));
    let (before, rest) = page.split_once(BEGIN).context("docs/benchmarks.md lost its first mark")?;
    let (stands, after) = rest.split_once(END).context("docs/benchmarks.md lost its second mark")?;
    if quick && !stands.trim().is_empty() && !stands.contains(machine::QUICK) {
        return Ok(None);
    }
    std::fs::write(&path, format!("{before}{BEGIN}\n{measured}{END}{after}"))?;
    Ok(Some(path))
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::ERROR).init();
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder)?;
    let ground = Ground::new(&arguments.folder, arguments.quick, arguments.keep).await?;
    // Interrupted, it still ends the servers that it started, and the cluster.
    let outcome = tokio::select! {
        outcome = measure(&ground, &arguments) => outcome,
        asked = tokio::signal::ctrl_c() => Err(asked.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    ground.close().await?;
    outcome
}

async fn measure(ground: &Ground, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let facts = machine::facts(ground).await?;
    let progress = Progress::new();
    let mut sections = Vec::new();
    for scenario in scenarios() {
        if arguments.only.is_empty() || arguments.only.iter().any(|word| word == scenario.word()) {
            let section = scenario.run(ground, &progress).await.with_context(|| scenario.title())?;
            sections.push((scenario.title(), section));
        }
    }
    progress.clear();
    let text = report::whole(&facts, &sections);
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    if arguments.only.is_empty() {
        match write_page(&text, arguments.quick)? {
            Some(path) => writeln!(out, "written to {}", path.display())?,
            None => writeln!(out, "docs/benchmarks.md holds a whole run; this one is not written there")?,
        }
    }
    let goals: Vec<_> = sections.iter().flat_map(|(_, section)| &section.goals).collect();
    let met = goals.iter().filter(|goal| goal.met).count();
    writeln!(out, "bench: {met} of {} goals met", goals.len())?;
    Ok(ExitCode::SUCCESS)
}
