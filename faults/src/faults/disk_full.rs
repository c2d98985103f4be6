//! The disk of PostgreSQL is full.

use super::Fault;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

const LOOKS: u32 = 5;
const ONE_LOOK: Duration = Duration::from_millis(1_000);
/// Some 20 MB, which do not stay.
const FILLER: &str = "CREATE TABLE filler AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) AS n; \
                      DROP TABLE filler";

/// The disk is full.
pub struct DiskFull;

#[async_trait(?Send)]
impl Fault for DiskFull {
    fn name(&self) -> &'static str {
        "disk_full"
    }

    fn tries(&self) -> &'static str {
        "the disk of PostgreSQL is full until somebody makes room"
    }

    fn hindrance(&self, stage: &Stage<'_>) -> Option<String> {
        stage.ground.no_disk().map(str::to_owned)
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        stage.ground.fill(u64::from(rng.random_range(0..3_u32)) << 20)?;
        let mut refused = 0;
        for _ in 0..LOOKS {
            // What there is of log files is used up first.
            let written = tokio::time::timeout(ONE_LOOK, stage.ground.run(FILLER)).await;
            refused += u32::from(!matches!(written, Ok(Ok(()))));
            stage.ground.fill(0)?;
            if stage.ground.postmaster().is_none() {
                break;
            }
            stage.load(20, ONE_LOOK).await?;
        }
        stage.ground.make_room();
        // PostgreSQL may have given up altogether: then somebody starts it, as a supervisor would.
        stage.ground.start().await?;
        anyhow::ensure!(refused > 0, "the disk never was full");
        Ok(())
    }
}
