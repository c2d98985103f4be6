//! The command line. Each subcommand is one file.

mod admin;
mod backup;
mod demo;
mod each;
mod events;
mod import;
mod instance;
mod price_provider;
mod progress;
mod projections;
mod rebuild;
mod serve;
mod verify;

use std::{io, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use database::{Database, Source};
use domain::stream::Position;
use operational::passwords::{Cost, Passwords};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    config::{self, Config},
    telemetry,
};

/// Keeps a figure collector's catalogue, collection, pre-orders, wishlist and money.
#[derive(Debug, Parser)]
#[command(name = "figure-ledger", version, after_help = config::help())]
struct Cli {
    /// Data folder; holds the private PostgreSQL unless `DATABASE_URL` is set
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also without any subcommand)
    Serve(serve::Args),
    /// Bring in a catalogue, a collection or exchange rates from a file
    Import(import::Args),
    /// Make a demo account with a collection
    Demo(demo::Args),
    /// Rebuild read models from the log
    Rebuild(rebuild::Args),
    /// Compare the read models with a fresh fold of the log
    Verify(verify::Args),
    /// See and operate the read models: pause, resume, retry, skip, cancel
    Projections(projections::Args),
    /// Read the log
    Events(events::Args),
    /// Serve prices from files, in the contract that the price sweep asks in
    PriceProvider(price_provider::Args),
    /// Copy the log, the accounts and the settings to a file
    Backup(backup::BackupArgs),
    /// Make a ledger of a backup, in an empty database
    Restore(backup::RestoreArgs),
    /// Look after the instance
    Admin(admin::Args),
}

impl Command {
    /// Whether there is nothing for it to do where there is no ledger yet.
    const fn needs_a_ledger(&self) -> bool {
        match self {
            Self::Rebuild(_) | Self::Verify(_) | Self::Projections(_) | Self::Events(_) | Self::Backup(_) => {
                true
            }
            Self::Serve(_)
            | Self::Import(_)
            | Self::Demo(_)
            | Self::PriceProvider(_)
            | Self::Restore(_)
            | Self::Admin(_) => false,
        }
    }
}

/// Reads the arguments and the environment, runs the subcommand, and tells what went wrong on standard
/// error. Exits with 0 when it worked, 1 when not, 2 when the arguments make no sense.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("figure-ledger: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let mut config = Config::from_env().context("the environment makes no sense")?;
    if let Some(data) = cli.data {
        config.data = data;
    }
    let command = cli.command.unwrap_or_else(|| Command::Serve(serve::Args::default()));
    let source = Source::from_env_or_private(config.database_url.clone(), &config.data);
    if command.needs_a_ledger() && !source.is_begun() {
        // Else a mistyped folder would get a database of its own, and look like an empty ledger.
        bail!(
            "there is no ledger in {}; name the server's folder with --data, or its database with DATABASE_URL. \
             `figure-ledger serve` begins a new one",
            config.data.display()
        );
    }
    // A server tells what it does; the others print it, and have only complaints to log.
    let level = if matches!(command, Command::Serve(_)) { LevelFilter::INFO } else { LevelFilter::WARN };
    // Before the runtime, and dropped after it: what sends spans has a thread of its own.
    let _telemetry = telemetry::start(&config, level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(config, args).await,
            Command::Import(args) => import::run(config, args).await,
            Command::Demo(args) => demo::run(config, args).await,
            Command::Rebuild(args) => rebuild::run(config, args).await,
            Command::Verify(args) => verify::run(config, args).await,
            Command::Projections(args) => projections::run(config, args).await,
            Command::Events(args) => events::run(config, args).await,
            Command::PriceProvider(args) => price_provider::run(args).await,
            Command::Backup(args) => backup::back_up(config, args).await,
            Command::Restore(args) => backup::restore(config, args).await,
            Command::Admin(args) => admin::run(config, args).await,
        }
    })
}

/// Opens the database that the settings name, joining the private one of a running server.
async fn open(config: &Config) -> anyhow::Result<Database> {
    let source = Source::from_env_or_private(config.database_url.clone(), &config.data);
    Database::open(&source).await.context("there is no usable database")
}

/// Hashing for people's passwords: as many at once as half the cores.
fn passwords() -> anyhow::Result<Passwords> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Passwords::new(Cost::Full, cores.div_ceil(2))?)
}

/// A position as a count, for progress.
fn count(position: Position) -> u64 {
    u64::try_from(position.0).unwrap_or_default()
}

/// The width of the longest of these.
fn width<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

/// A text without control characters: what is stored must not play with the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}
