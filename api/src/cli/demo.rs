//! `demo`: a collection to look around in.

use std::{io::Write, time::Duration};

use anyhow::Context;
use workers::demo::{self, Filled};
pub(super) use workers::demo::{PASSWORD, USERNAME};

use super::instance;
use crate::{config::Config, state::AppState};

/// How long a starting server waits until the demo can be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Make a demo account with a collection; running it again changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(config: Config, _: Args) -> anyhow::Result<()> {
    instance::with(&config, async |instance| {
        let _folding = instance.fold();
        let filled = demo::fill(&instance.ledger.store, &instance.pool, &super::passwords()?).await?;
        instance.shown(filled.position).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", summary(&filled))?;
        writeln!(out, "sign in as {USERNAME} / {PASSWORD}")?;
        Ok(())
    })
    .await
}

fn summary(filled: &Filled) -> String {
    let figures = filled.figures;
    match (filled.collection, figures) {
        (true, _) => format!("the demo collection is filled; {figures} figures are new in the catalogue"),
        (false, 0) => "the demo collection is there already".to_owned(),
        (false, _) => format!("the demo collection is there already; {figures} of its figures are new"),
    }
}

/// Fills the demo of a server that is starting, and waits until it can be seen.
pub(super) async fn fill(state: &AppState) -> anyhow::Result<()> {
    let filled = demo::fill(&state.store, &state.pool, &state.passwords)
        .await
        .context("the demo collection cannot be filled")?;
    let projections = &state.projections;
    let names: Vec<&str> = projections.definitions().iter().map(|definition| definition.name).collect();
    if !projections.wait_for(&names, filled.position, PATIENCE).await.is_reached() {
        tracing::warn!("the demo collection cannot be seen yet: the read models are behind");
    }
    Ok(())
}
