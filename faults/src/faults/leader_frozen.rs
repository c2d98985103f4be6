//! The server that folds stops in its tracks, with every lock it has, and goes on later.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

const THAWED_AFTER: Duration = Duration::from_secs(7);
/// An append that it was at holds the log for up to 5 s by itself, and the leader's place is free after 4 s.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 12 });

/// The leader freezes.
pub struct LeaderFrozen;

#[async_trait(?Send)]
impl Fault for LeaderFrozen {
    fn name(&self) -> &'static str {
        "leader_frozen"
    }

    fn tries(&self) -> &'static str {
        "the server that folds stops for 7 s: another one shows new writes meanwhile"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.load(rng.random_range(1..20), THAWED_AFTER).await?;
        let leader = stage.leader().await?;
        stage.freeze(leader, true)?;
        let begun = Instant::now();
        let other = (leader + 1) % stage.nodes.len();
        let current = stage.current(other).await;
        let took = begun.elapsed();
        tokio::time::sleep(THAWED_AFTER.saturating_sub(took)).await;
        stage.freeze(leader, false)?;
        current?;
        println!("  the place of the frozen leader was taken over in {} ms", took.as_millis());
        if took > TAKEN_OVER_WITHIN {
            stage.complaints.push(format!("reads were current again only after {took:?}"));
        }
        Ok(())
    }
}
