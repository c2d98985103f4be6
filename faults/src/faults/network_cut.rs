//! The network between servers and PostgreSQL breaks: connections end, and none comes about.

use super::Fault;
use crate::real::proxy::Mode;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// The network breaks.
pub struct NetworkCut;

#[async_trait(?Send)]
impl Fault for NetworkCut {
    fn name(&self) -> &'static str {
        "network_cut"
    }

    fn tries(&self) -> &'static str {
        "the network between PostgreSQL and some servers breaks for up to 4 s"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let alone = rng.random_ratio(1, 2).then(|| rng.random_range(0..stage.nodes.len()));
        let cut = |mode| {
            for (at, node) in stage.nodes.iter().enumerate() {
                if alone.is_none_or(|alone| alone == at) {
                    node.proxy.set(mode);
                }
            }
        };
        cut(Mode::Cut);
        tokio::time::sleep(Duration::from_millis(rng.random_range(500..4_000))).await;
        cut(Mode::Pass);
        Ok(())
    }
}
