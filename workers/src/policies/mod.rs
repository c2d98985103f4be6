//! Policies: when something happens, tell somebody.
//!
//! A policy reacts to each event once, in the order of the log, from a checkpoint of its own. What it does and that
//! checkpoint move in one transaction, so a crash neither repeats nor misses anything; every id is derived from the
//! policy and the event. Rebuilding read models runs no policy. An event that one cannot react to, at which it panics or
//! which takes too long by itself, is set aside with the later ones of its stream and tried again, less and less often;
//! all other streams go on.
//!
//! One file per policy. A new one implements [`Policy`] and is named in [`all`].

mod achievement_alerts;
mod pace;
mod price_alerts;
mod restock_alerts;
mod runner;

pub use achievement_alerts::AchievementAlerts;
pub use price_alerts::PriceAlerts;
pub use restock_alerts::RestockAlerts;
pub use runner::{Options, Policies, Running, Status};

use async_trait::async_trait;
use domain::money::rates::Rates;
use domain::stream::{Event, Position, Recorded};
use operational::notifications::Kind;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::HashSet;

/// Where a policy begins when it is run for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// At the head: what happened before is past.
    Head,
    /// With the first event there is.
    Log,
}

/// Something that follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Somebody is told, unless they were told the same thing before.
    Tell {
        /// Whom.
        user_id: domain::ids::UserId,
        /// What of.
        kind: Kind,
        /// What makes it the same thing, within its kind.
        about: String,
        /// The facts.
        payload: Value,
        /// When it came about.
        at: chrono::DateTime<chrono::Utc>,
    },
}

/// Why a policy cannot react to an event now.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// The database refused; a lost connection has the whole batch tried again.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What it needs does not make sense.
    #[error("{0}")]
    Unfit(String),
}

/// What follows from events. It judges by `domain::policies`, reads what it needs, and keeps what it remembers; all in
/// the transaction that moves its checkpoint.
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Its lasting name: of its checkpoint, and in every id derived from it.
    fn name(&self) -> &'static str;

    /// Where it begins.
    fn begins(&self) -> Beginning;

    /// The read models that it reads. An event waits until they hold it.
    fn reads(&self) -> &'static [&'static str];

    /// The aggregates whose events it hears: one of theirs that nobody can read is set aside.
    fn aggregates(&self) -> &'static [&'static str];

    /// Whether an event concerns it.
    fn hears(&self, event: &Event) -> bool;

    /// Of the events of a batch that it hears, the positions of those it may have something to do for; all of them,
    /// unless it can tell with one question for the whole batch. What it leaves out, it never sees.
    ///
    /// # Errors
    /// [`Unable`]; every event is shown to it then.
    async fn concerned(
        &self,
        _transaction: &mut PgConnection,
        heard: &[&Recorded],
    ) -> Result<HashSet<Position>, Unable> {
        Ok(heard.iter().map(|event| event.position).collect())
    }

    /// Reacts to an event that concerns it.
    ///
    /// # Errors
    /// [`Unable`]; nothing of what it wrote stays then.
    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        rates: &Rates,
    ) -> Result<Vec<Effect>, Unable>;
}

/// Every policy there is.
#[must_use]
pub fn all() -> Vec<Box<dyn Policy>> {
    vec![Box::new(PriceAlerts), Box::new(RestockAlerts), Box::new(AchievementAlerts)]
}
