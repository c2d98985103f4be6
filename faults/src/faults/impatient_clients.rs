//! Clients that give up at once and ask again, elsewhere, with the same `Idempotency-Key`.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Clients lose patience.
pub struct ImpatientClients;

#[async_trait(?Send)]
impl Fault for ImpatientClients {
    fn name(&self) -> &'static str {
        "impatient_clients"
    }

    fn tries(&self) -> &'static str {
        "every client gives up after 0.5 to 20 ms and asks another server with the same key"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.tally.impatient.store(true, Ordering::Relaxed);
        let loaded = stage.load(rng.random_range(100..200), Duration::from_secs(8)).await;
        stage.tally.impatient.store(false, Ordering::Relaxed);
        loaded
    }
}
