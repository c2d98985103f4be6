//! `kill -9` of servers and PostgreSQL at the same moment.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// How long the load may stay away.
const MOST: Duration = Duration::from_secs(10);

/// Everything dies.
pub struct BothKilled;

#[async_trait(?Send)]
impl Fault for BothKilled {
    fn name(&self) -> &'static str {
        "both_killed"
    }

    fn tries(&self) -> &'static str {
        "kill -9 of PostgreSQL and of two servers at once"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.load(rng.random_range(1..30), MOST).await?;
        let spared = rng.random_range(0..stage.nodes.len());
        stage.ground.kill()?;
        let killed: Vec<usize> = (0..stage.nodes.len()).filter(|node| *node != spared).collect();
        for node in &killed {
            stage.kill(*node).await?;
        }
        stage.ground.start().await?;
        for node in killed {
            stage.start(node).await?;
        }
        Ok(())
    }
}
