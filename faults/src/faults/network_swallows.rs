//! The network swallows everything, and connections that come meanwhile as well: they come about, and then nobody
//! ever answers.

use super::Fault;
use crate::real::proxy::Mode;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

/// Long enough for everybody to give up what is silent and to try anew: the log does within 10 s.
const SILENT: std::ops::Range<u64> = 12_000..15_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The network swallows new connections, too.
pub struct NetworkSwallows;

#[async_trait(?Send)]
impl Fault for NetworkSwallows {
    fn name(&self) -> &'static str {
        "network_swallows"
    }

    fn tries(&self) -> &'static str {
        "all connections of all servers fall silent for good, and those that they open for up to 15 s"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let before: Vec<u64> = stage.nodes.iter().map(|node| node.proxy.swallowed()).collect();
        for node in &stage.nodes {
            node.proxy.set(Mode::Silent);
        }
        let (begun, silent) = (Instant::now(), Duration::from_millis(rng.random_range(SILENT)));
        while begun.elapsed() < silent {
            stage.load(u64::MAX, LOOK_EVERY).await?;
        }
        for node in &stage.nodes {
            node.proxy.set_new(Mode::Pass);
            // Else PostgreSQL would be full of connections that nobody has any more.
            node.proxy.set_existing(Mode::Lost);
        }
        for (at, (node, before)) in stage.nodes.iter().zip(before).enumerate() {
            let swallowed = node.proxy.swallowed() - before;
            anyhow::ensure!(swallowed > 0, "server {at} opened no connection that could be swallowed");
            println!("  server {at}: {swallowed} new connections swallowed");
        }
        Ok(())
    }
}
