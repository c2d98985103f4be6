//! The command line. Each subcommand is one file.

mod admin;
mod demo;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use database::{Database, Source};
use operational::passwords::{Cost, Passwords};

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
    /// Look after the instance
    Admin(admin::Args),
}

/// Reads the arguments and the environment, runs the subcommand, and tells what went wrong on standard
/// error. Exits with 0 when it worked, 1 when not, 2 when the arguments make no sense.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
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
    telemetry::start(config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command.unwrap_or_else(|| Command::Serve(serve::Args::default())) {
            Command::Serve(args) => serve::run(config, args).await,
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
