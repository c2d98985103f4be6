//! `price_cron`: asks what stores want for figures.

use super::{Failure, Job, Schedule, Turn};
use crate::sweep::Sweep;
use async_trait::async_trait;
use operational::app_settings::PRICE_CRON;
use serde_json::Value;

/// The price sweep, when `cote.price_cron` says.
pub struct PriceCron {
    /// What it works with.
    pub sweep: Sweep,
}

#[async_trait]
impl Job for PriceCron {
    fn name(&self) -> &'static str {
        "price_cron"
    }

    fn about(&self) -> &'static str {
        "Asks the price provider what stores want for every figure with a buy link, and whether they have it"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Setting(PRICE_CRON)
    }

    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        let (report, ended) = self.sweep.run(&turn.cancelled).await;
        let result = serde_json::to_value(report)?;
        match ended {
            Ok(()) => Ok(result),
            Err(error) => Err(Failure { message: error.to_string(), result: Some(result) }),
        }
    }
}
