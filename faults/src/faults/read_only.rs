//! A PostgreSQL that takes no writes, as one that is being moved.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// PostgreSQL takes no writes.
pub struct ReadOnly;

#[async_trait(?Send)]
impl Fault for ReadOnly {
    fn name(&self) -> &'static str {
        "read_only"
    }

    fn tries(&self) -> &'static str {
        "PostgreSQL is read-only for up to 4 s"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.ground.set("default_transaction_read_only", "on").await?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(500..4_000))).await;
        stage.ground.reset("default_transaction_read_only").await
    }
}
