//! `kill -9` of PostgreSQL.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// How long the load may stay away.
const MOST: Duration = Duration::from_secs(10);

/// PostgreSQL dies.
pub struct PostmasterKilled;

#[async_trait(?Send)]
impl Fault for PostmasterKilled {
    fn name(&self) -> &'static str {
        "postmaster_killed"
    }

    fn tries(&self) -> &'static str {
        "kill -9 of the postmaster at a random moment, started again after up to 2 s"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.load(rng.random_range(1..30), MOST).await?;
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..20_000))).await;
        stage.ground.kill()?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..2_000))).await;
        stage.ground.start().await
    }
}
