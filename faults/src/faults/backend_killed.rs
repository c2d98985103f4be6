//! `kill -9` of single processes of PostgreSQL, which then starts all of them anew.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::Duration;

/// How long the load may stay away.
const MOST: Duration = Duration::from_secs(10);

/// A backend dies.
pub struct BackendKilled;

#[async_trait(?Send)]
impl Fault for BackendKilled {
    fn name(&self) -> &'static str {
        "backend_killed"
    }

    fn tries(&self) -> &'static str {
        "kill -9 of single backends: PostgreSQL throws everybody out and recovers"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        for _ in 0..2 {
            stage.load(rng.random_range(1..20), MOST).await?;
            let node = rng.random_range(0..stage.nodes.len());
            let backends = stage.nodes.get(node).map(|node| node.proxy.backends()).unwrap_or_default();
            if let Some(backend) = backends.choose(rng) {
                stage.ground.kill_backend(*backend)?;
            }
        }
        stage.ground.start().await
    }
}
