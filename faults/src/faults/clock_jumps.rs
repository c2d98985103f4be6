//! The clock of PostgreSQL jumps.

use super::Fault;
use crate::real::ground::Ground;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::time::Duration;

/// The clock jumps.
pub struct ClockJumps;

#[async_trait(?Send)]
impl Fault for ClockJumps {
    fn name(&self) -> &'static str {
        "clock_jumps"
    }

    fn tries(&self) -> &'static str {
        "the clock of PostgreSQL jumps by an hour and a day, forwards and back"
    }

    fn hindrance(&self, _stage: &Stage<'_>) -> Option<String> {
        Ground::faketime()
            .is_none()
            .then(|| "libfaketime is not installed (on Debian: apt-get install faketime)".to_owned())
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.ground.start_with_false_clock().await?;
        let mut jumps = vec![3_600, -3_600, 86_400, 0, -86_400];
        jumps.shuffle(rng);
        for jump in jumps {
            stage.ground.turn_clock(jump)?;
            stage.load(30, Duration::from_secs(2)).await?;
        }
        let back: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER (ORDER BY position) AS back \
             FROM events) AS times WHERE back",
        )
        .fetch_one(&mut stage.ground.connection().await?)
        .await?;
        if back > 0 {
            stage.complaints.push(format!("{back} events were recorded before those before them"));
        }
        stage.ground.restart().await
    }
}
