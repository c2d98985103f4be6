//! `fx_refresh`: fetches the euro's exchange rates.

use super::{Failure, Job, Schedule, Turn};
use crate::fx::{Fx, FxSettings, Urgency, refresh};
use async_trait::async_trait;
use chrono::Utc;
use operational::server_job_runs::Trigger;
use serde_json::Value;

/// Fetches exchange rates when those at hand are too old; at once when an admin asks.
pub struct FxRefresh {
    /// The rates of this process.
    pub fx: Fx,
    /// Where they are fetched.
    pub settings: FxSettings,
}

#[async_trait]
impl Job for FxRefresh {
    fn name(&self) -> &'static str {
        "fx_refresh"
    }

    fn about(&self) -> &'static str {
        "Fetches the euro's exchange rates when those at hand are more than twelve hours old"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("5 * * * *")
    }

    fn at_boot(&self) -> bool {
        true
    }

    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        let urgency = if turn.trigger == Trigger::Admin { Urgency::Now } else { Urgency::WhenDue };
        let refreshed = refresh(&self.fx, &self.settings, Utc::now(), urgency);
        match turn.cancelled.run_until_cancelled(refreshed).await {
            Some(refreshed) => Ok(serde_json::to_value(refreshed?)?),
            None => Ok(Value::Null),
        }
    }
}
