//! The network swallows everything without a word: nothing ends, nothing arrives.

use super::Fault;
use crate::real::proxy::Mode;
use crate::real::stage::Stage;
use anyhow::Context;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;

/// The network falls silent.
pub struct NetworkSilent;

#[async_trait(?Send)]
impl Fault for NetworkSilent {
    fn name(&self) -> &'static str {
        "network_silent"
    }

    fn tries(&self) -> &'static str {
        "a server's connections fall silent for good; new ones are well"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let node = rng.random_range(0..stage.nodes.len());
        let proxy = &stage.nodes.get(node).context("no such server")?.proxy;
        proxy.set_existing(Mode::Silent);
        Ok(())
    }
}
