//! Single connections are ended by PostgreSQL, as an operator or a pooler does.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::{Duration, Instant};

const MOST: Duration = Duration::from_secs(10);

/// Connections are ended.
pub struct BackendsEnded;

#[async_trait(?Send)]
impl Fault for BackendsEnded {
    fn name(&self) -> &'static str {
        "backends_ended"
    }

    fn tries(&self) -> &'static str {
        "single connections ended by pg_terminate_backend, a dozen at random moments"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let begun = Instant::now();
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..150))).await;
            let node = rng.random_range(0..stage.nodes.len());
            let backends = stage.nodes.get(node).map(|node| node.proxy.backends()).unwrap_or_default();
            if let Some(backend) = backends.choose(rng) {
                stage.ground.run(&format!("SELECT pg_terminate_backend({backend})")).await?;
            }
            if begun.elapsed() > MOST {
                break;
            }
        }
        Ok(())
    }
}
