//! The fault suite at full size: `cargo run --release -p faults`.
//!
//! ```text
//! cargo run --release -p faults                       each fault once, and every crash point
//! cargo run --release -p faults -- --minutes 30       the same again and again, with other seeds
//! cargo run --release -p faults -- --seed 4711        what a report named
//! cargo run --release -p faults -- --only disk_full   one of them; `--list` tells which there are
//! ```

use anyhow::ensure;
use clap::Parser;
use database::testing::TestDb;
use faults::campaign::{self, Plan};
use faults::faults::{Fault, all};
use faults::real;
use faults::report::Report;
use faults::server::Program;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The crash points, among what `--only` takes.
const CRASH_POINTS: &str = "crash_points";

/// Kills, starves and cuts off servers and PostgreSQL under load, and looks whether anything got lost.
#[derive(Parser)]
struct Arguments {
    /// For how long; once through everything unless said.
    #[arg(long)]
    minutes: Option<u64>,
    /// Repeats what a report named.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these faults, by their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Names every fault and ends.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == name)
    }

    fn chosen(&self) -> Vec<Box<dyn Fault>> {
        all().into_iter().filter(|fault| self.wants(fault.name())).collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    if arguments.list {
        for fault in all() {
            println!("{:20} {}", fault.name(), fault.tries());
        }
        println!("{CRASH_POINTS:20} the server dies at every named point of its program");
        return Ok(true);
    }
    for name in &arguments.only {
        let known = name == CRASH_POINTS || all().iter().any(|fault| fault.name() == name);
        ensure!(known, "there is no fault {name}; --list names them");
    }
    let program = Program::find()?;
    let until = arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let mut seed = arguments.seed.unwrap_or_else(faults::seed);
    let mut report = Report::default();
    loop {
        println!("seed {seed}: --seed {seed} repeats it");
        let outcome = tokio::select! {
            outcome = once(&program, arguments, seed, until, &mut report) => outcome,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        if let Err(error) = outcome {
            report.complaints.push(format!("seed {seed}: {error:#}"));
        }
        if !report.complaints.is_empty() || until.is_none_or(|until| Instant::now() > until) {
            break;
        }
        seed = seed.wrapping_add(1);
    }
    println!(
        "{} refused, {} written in place, {} sent more than once, {} notifications as reckoned",
        report.refused, report.in_place, report.repeated, report.told
    );
    println!("struck: {:?}; died at: {:?}", report.struck, report.died_at);
    if !report.skipped.is_empty() {
        println!("SKIPPED: {:?}", report.skipped);
    }
    for complaint in &report.complaints {
        println!("WRONG: {complaint}");
    }
    if !report.complaints.is_empty() {
        println!("seed {seed}; the servers' log: {}", program.log().display());
        program.keep_log();
    }
    println!("{}", report.summary());
    Ok(report.complaints.is_empty() && (report.lost, report.doubled) == (0, 0))
}

async fn once(
    program: &Program,
    arguments: &Arguments,
    seed: u64,
    until: Option<Instant>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let faults = arguments.chosen();
    if !faults.is_empty() {
        real::round(program, seed, faults, until, report).await?;
    }
    if report.complaints.is_empty() && arguments.wants(CRASH_POINTS) {
        let db = TestDb::new().await;
        report.add(campaign::run(program, &db, Plan { seed, rounds: 1 }).await?);
    }
    Ok(())
}
