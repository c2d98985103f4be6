//! A slow PostgreSQL, or a slow way to it.

use super::Fault;
use crate::real::proxy::Mode;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// The network is slow.
pub struct NetworkSlow;

#[async_trait(?Send)]
impl Fault for NetworkSlow {
    fn name(&self) -> &'static str {
        "network_slow"
    }

    fn tries(&self) -> &'static str {
        "every message to and from PostgreSQL takes up to 60 ms longer for 4 s"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        for node in &stage.nodes {
            node.proxy.set(Mode::Slow(Duration::from_millis(rng.random_range(5..60))));
        }
        stage.load(100, Duration::from_secs(4)).await?;
        for node in &stage.nodes {
            node.proxy.set(Mode::Pass);
        }
        Ok(())
    }
}
