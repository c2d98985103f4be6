//! `projections`: how the read models stand, and operating them.

use std::io::Write;

use clap::Subcommand;
use projections::engine::{Rebuild, RebuildState, Stage};

use super::instance;
use crate::config::Config;

/// Who is on record for what is skipped here.
const BY: &str = "the command line";

/// See and operate the read models.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How they stand (also without any subcommand)
    List,
    /// Halt one; its tables go on being read
    Pause {
        /// Which
        name: String,
    },
    /// Let a paused one go on
    Resume {
        /// Which
        name: String,
    },
    /// Let a stopped one try its event again
    Retry {
        /// Which
        name: String,
    },
    /// Call off a rebuild, whichever process is at it
    Cancel {
        /// Which
        name: String,
    },
    /// Let a stopped one pass over the event that it stopped at, for good
    Skip {
        /// Which
        name: String,
        /// Why; stays on record
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    instance::with(&config, async |instance| {
        let projections = &instance.ledger.projections;
        let mut out = std::io::stdout().lock();
        match args.command.unwrap_or(Command::List) {
            Command::List => list(instance, &mut out).await?,
            Command::Pause { name } => {
                instance::known(&instance.ledger, std::slice::from_ref(&name))?;
                projections.pause(&name).await?;
                writeln!(out, "{name} is paused")?;
            }
            Command::Resume { name } => {
                instance::known(&instance.ledger, std::slice::from_ref(&name))?;
                projections.resume(&name).await?;
                writeln!(out, "{name} goes on, once a server runs")?;
            }
            Command::Retry { name } => {
                instance::known(&instance.ledger, std::slice::from_ref(&name))?;
                projections.retry(&name).await?;
                writeln!(out, "{name} tries its event again, once a server runs")?;
            }
            Command::Cancel { name } => {
                instance::known(&instance.ledger, std::slice::from_ref(&name))?;
                projections.cancel_rebuild(&name, BY).await?;
                writeln!(out, "the rebuild of {name} is called off; its tables stay as they are")?;
            }
            Command::Skip { name, reason } => {
                instance::known(&instance.ledger, std::slice::from_ref(&name))?;
                anyhow::ensure!(!reason.trim().is_empty(), "a reason is needed: it stays on record");
                let position = projections.skip(&name, reason.trim(), BY).await?;
                writeln!(out, "{name} passes over event {position} for good")?;
            }
        }
        Ok(())
    })
    .await
}

async fn list(instance: &instance::Instance, out: &mut impl Write) -> anyhow::Result<()> {
    let all = instance.ledger.projections.status().await?;
    let width = super::width(all.iter().map(|one| one.name.as_str()));
    for one in &all {
        let version = if one.version == one.release_version {
            format!("v{}", one.version)
        } else {
            format!("v{}, v{} to come", one.version, one.release_version)
        };
        let state = one.phase.as_str();
        writeln!(
            out,
            "{:width$}  {version}  {state}  at {}, {} behind, {} s",
            one.name, one.position, one.lag, one.lag_seconds
        )?;
        if let Some(error) = &one.error {
            writeln!(out, "{:width$}  {}", "", super::printable(error))?;
        }
        if let Some(rebuild) = &one.rebuild {
            writeln!(out, "{:width$}  {}", "", super::printable(&told(rebuild)))?;
        }
    }
    for skip in instance.ledger.projections.skips().await? {
        let (reason, by) = (super::printable(&skip.reason), super::printable(&skip.skipped_by));
        writeln!(
            out,
            "{} passes over {}: {reason} ({by}, {})",
            skip.projection, skip.position, skip.skipped_at
        )?;
    }
    Ok(())
}

/// One line about a rebuild.
fn told(rebuild: &Rebuild) -> String {
    let by = &rebuild.asked_by;
    match rebuild.state {
        RebuildState::Running => {
            let rest =
                rebuild.remaining_seconds.map_or(String::new(), |rest| format!(", about {rest} s left"));
            let stage = match rebuild.stage {
                Stage::Reading => {
                    format!("{} of {}, {}/s{rest}", rebuild.position, rebuild.head, rebuild.events_per_second)
                }
                Stage::Indexing => "making indexes".to_owned(),
                Stage::CatchingUp => "catching up".to_owned(),
                Stage::Swapping => "putting the tables in place".to_owned(),
            };
            format!("is rebuilt for {by} since {}: {stage}", rebuild.started_at)
        }
        RebuildState::Done => format!("rebuilt for {by} at position {}", rebuild.position),
        RebuildState::Failed => {
            format!("a rebuild for {by} failed: {}", rebuild.error.as_deref().unwrap_or_default())
        }
        RebuildState::Cancelled => format!(
            "a rebuild for {by} was called off by {}",
            rebuild.cancelled_by.as_deref().unwrap_or("somebody")
        ),
        RebuildState::Interrupted => format!("a rebuild for {by} was cut off"),
    }
}
