//! Connections that break at the commit: before PostgreSQL hears of it, or before anybody hears back.

use super::Fault;
use crate::real::proxy::At;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// How long the load may stay away.
const MOST: Duration = Duration::from_secs(3);

/// A commit goes unanswered.
pub struct CommitUnanswered;

#[async_trait(?Send)]
impl Fault for CommitUnanswered {
    fn name(&self) -> &'static str {
        "commit_unanswered"
    }

    fn tries(&self) -> &'static str {
        "connections cut at the commit, before it and after it, 12 times each"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        for at in [At::BeforeAnswer, At::BeforeCommit] {
            let before: u64 = stage.nodes.iter().map(|node| node.proxy.commits_cut()).sum();
            for _ in 0..4 {
                for node in &stage.nodes {
                    node.proxy.cut_commits(at, 1);
                }
                stage.load(rng.random_range(5..25), MOST).await?;
            }
            for node in &stage.nodes {
                node.proxy.cut_commits(at, 0);
            }
            let cut = stage.nodes.iter().map(|node| node.proxy.commits_cut()).sum::<u64>() - before;
            anyhow::ensure!(cut > 0, "no commit was cut off {at:?}");
            println!("  {cut} commits cut off {at:?}");
        }
        Ok(())
    }
}
