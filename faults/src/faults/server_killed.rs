//! `kill -9` of one server after the other, at random moments under load.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// How long the load may stay away.
const MOST: Duration = Duration::from_secs(10);

/// A server dies.
pub struct ServerKilled;

#[async_trait(?Send)]
impl Fault for ServerKilled {
    fn name(&self) -> &'static str {
        "server_killed"
    }

    fn tries(&self) -> &'static str {
        "kill -9 of a server at a random moment, three times"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        for _ in 0..3 {
            let node = rng.random_range(0..stage.nodes.len());
            stage.load(rng.random_range(1..20), MOST).await?;
            tokio::time::sleep(Duration::from_micros(rng.random_range(0..20_000))).await;
            stage.kill(node).await?;
            // The others go on meanwhile.
            stage.load(rng.random_range(0..20), MOST).await?;
            stage.start(node).await?;
        }
        Ok(())
    }
}
