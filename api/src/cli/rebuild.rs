//! `rebuild`: read models made anew from the log.

use std::io::Write;

use anyhow::bail;

use super::{each, instance, progress::Progress};
use crate::config::Config;

/// Who is on record for it.
const BY: &str = "the command line";

/// Rebuild read models from the log, beside the live ones, which serve until the new ones take their place.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which projections; all of them when none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    instance::with(&config, async |instance| {
        instance::known(&instance.ledger, &args.names)?;
        let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
        let mut events = 0;
        let outcomes = {
            let mut progress = Progress::new("reading the log", "events");
            let replayed = |now: projections::engine::Replayed| {
                events = now.events;
                progress.at(super::count(now.position), super::count(now.head));
                if now.position >= now.head {
                    progress.then("writing the tables and putting them in place");
                }
            };
            instance.ledger.projections.begin_rebuild(&names, BY).await?.run_each(replayed).await
        };
        let (rebuilt, failed) = each::apart(outcomes);
        let mut out = std::io::stdout().lock();
        let width = super::width(rebuilt.iter().map(|one| one.projection));
        for one in &rebuilt {
            writeln!(out, "{:width$}  rebuilt at position {}", one.projection, one.position)?;
        }
        let count = each::count(rebuilt.len());
        if !failed.is_empty() {
            bail!("{}; {count} rebuilt", failed.join("; "));
        }
        writeln!(out, "{count} rebuilt from {events} events")?;
        Ok(())
    })
    .await
}
