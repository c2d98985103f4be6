//! The price sweep: asks the provider what stores ask for every figure with a buy link, and whether they have it.
//!
//! What moved becomes events; that nothing moved is noted beside the log. `docs/prices.md` says which price is chosen
//! and what becomes of answers that make no sense.

mod choose;
mod link;
mod look;
mod report;

pub use report::{Ended, Report, Trouble};

use crate::provider::{Fault, Provider, ProviderError};
use chrono::{DateTime, Utc};
use domain::commands::{Noted, ObserveMarket};
use domain::ids::{CommandId, FigureId};
use domain::money::rates::RateTable;
use domain::refusal::Code;
use domain::world::Circumstances;
use event_store::{EventStore, ExecuteError, Execution};
use link::Stores;
use look::Look;
use operational::price_checks::{self, Check};
use projections::prices::queries;
use report::Outcome;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How a sweep goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Between two requests.
    pub pause: Duration,
    /// How many links one run asks for; the rest are first the next time.
    pub most_requests: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { pause: Duration::from_secs(1), most_requests: 1_000 }
    }
}

/// What tells the time, UTC.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
/// What knows today's exchange rates, if anybody does.
pub type TodaysRates = Arc<dyn Fn() -> Option<RateTable> + Send + Sync>;

/// What a sweep works with.
#[derive(Clone)]
pub struct Sweep {
    /// The database.
    pub pool: PgPool,
    /// The log.
    pub store: EventStore,
    /// Who is asked; none when the operator named nobody.
    pub provider: Option<Arc<Provider>>,
    /// Today's exchange rates.
    pub rates: TodaysRates,
    /// The time.
    pub clock: Clock,
    /// How it goes about it.
    pub options: Options,
}

/// Why a sweep gave up. What it saw before stands.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The operator named no provider.
    #[error(
        "no price provider is configured: set FIGURE_PROXY_URL, and FIGURE_PROXY_KEY when it wants a key"
    )]
    NoProvider,
    /// The provider itself cannot be asked.
    #[error("{0}")]
    Provider(#[from] ProviderError),
    /// The log took no append.
    #[error("what was seen could not be recorded: {0}")]
    Log(#[from] ExecuteError),
    /// The database's own trouble.
    #[error("the database is not available: {0}")]
    Database(#[from] sqlx::Error),
}

impl Sweep {
    /// Asks for every figure with a buy link, those not asked for longest first, until all were, the most requests were
    /// made, or it is called off. The report says how far it came, also when it gave up.
    pub async fn run(&self, cancelled: &CancellationToken) -> (Report, Result<(), SweepError>) {
        let mut report = Report::default();
        let ended = self.through(&mut report, cancelled).await;
        if let Err(error) = &ended {
            report.ended = Ended::GaveUp;
            tracing::warn!(%error, "the price sweep gave up");
        }
        (report, ended)
    }

    async fn through(&self, report: &mut Report, cancelled: &CancellationToken) -> Result<(), SweepError> {
        let provider = self.provider.as_deref().ok_or(SweepError::NoProvider)?;
        let stores = Stores::new(provider.stores().await?);
        let due = queries::due(&self.pool).await?;
        report.left = due.len();
        for figure in due {
            if report.requests >= self.options.most_requests {
                report.ended = Ended::MostRequests;
                break;
            }
            if cancelled.is_cancelled() {
                break;
            }
            if self.figure(provider, &stores, figure, report, cancelled).await? {
                report.left = report.left.saturating_sub(1);
            }
        }
        if cancelled.is_cancelled() && report.left > 0 {
            report.ended = Ended::Cancelled;
        }
        Ok(())
    }

    /// One figure: asks at every link, chooses, records. False when it is left for the next time.
    async fn figure(
        &self,
        provider: &Provider,
        stores: &Stores,
        figure: Uuid,
        report: &mut Report,
        cancelled: &CancellationToken,
    ) -> Result<bool, SweepError> {
        let Some(sold) = queries::sold(&self.pool, figure).await? else { return Ok(true) };
        let mut look = Look::new(&sold, provider.name().clone());
        let mut first_trouble = None;
        let (mut asked, mut rests) = (false, false);
        for at in &sold.at {
            let link = match stores.find(at) {
                Ok(link) => link,
                Err(trouble) => {
                    first_trouble.get_or_insert(trouble.code());
                    report.trouble(figure, &at.path, trouble.code(), trouble.to_string());
                    continue;
                }
            };
            if self.paused(report, cancelled).await {
                return Ok(false);
            }
            let product = provider.product(&link.store.id, link.url.as_str());
            let Some(product) = cancelled.run_until_cancelled(product).await else { return Ok(false) };
            match product {
                Ok(product) => {
                    asked = true;
                    report.requests = report.requests.saturating_add(1);
                    for dropped in look.saw(at, &link, &product, (self.rates)().as_ref()) {
                        first_trouble.get_or_insert(dropped.code());
                        report.dropped(figure, link.url.as_str(), &dropped);
                    }
                }
                Err(error) => {
                    if matches!(error, ProviderError::Resting(_)) {
                        rests = true;
                    } else {
                        asked = true;
                        report.requests = report.requests.saturating_add(1);
                    }
                    first_trouble.get_or_insert(error.code());
                    report.trouble(figure, link.url.as_str(), error.code(), error.to_string());
                    // Whoever cannot be asked at all is not asked for every figure of the catalogue.
                    let hopeless = error.fault() == Fault::Provider || provider.is_resting();
                    if hopeless {
                        return Err(error.into());
                    }
                }
            }
        }
        if rests && !asked {
            return Ok(false);
        }
        self.record(figure, look, first_trouble, report).await?;
        Ok(true)
    }

    /// Waits a moment before the next request; says whether it was called off meanwhile.
    async fn paused(&self, report: &Report, cancelled: &CancellationToken) -> bool {
        if report.requests == 0 || self.options.pause.is_zero() {
            return cancelled.is_cancelled();
        }
        cancelled.run_until_cancelled(tokio::time::sleep(self.options.pause)).await.is_none()
    }

    async fn record(
        &self,
        figure: Uuid,
        look: Look<'_>,
        first_trouble: Option<&'static str>,
        report: &mut Report,
    ) -> Result<(), SweepError> {
        let seen_at = (self.clock)();
        let telling = look.telling();
        let seen = look.observation(seen_at);
        let has_price = seen.price.is_some();
        let noted =
            if has_price || !telling.is_empty() { self.observe(FigureId(figure), seen).await? } else { None };
        let outcome = match noted {
            Some(noted) if noted.price_moved => Outcome::Moved,
            Some(_) if has_price => Outcome::Confirmed,
            _ => Outcome::NoPrice,
        };
        report.figure(outcome, noted.map_or(0, |noted| noted.stocks_changed));
        price_checks::note(
            &self.pool,
            &Check {
                figure_id: noted.map_or(figure, |noted| noted.figure_id.uuid()),
                checked_at: seen_at,
                confirmed: has_price && noted.is_some(),
                outcome: match outcome {
                    Outcome::NoPrice => first_trouble.unwrap_or(Outcome::NoPrice.as_str()),
                    other => other.as_str(),
                },
                stores: &telling,
            },
        )
        .await?;
        Ok(())
    }

    /// None when the figure is not in the catalogue: the read model was late.
    async fn observe(
        &self,
        figure_id: FigureId,
        seen: domain::figure::Observation,
    ) -> Result<Option<Noted>, ExecuteError> {
        let circumstances = Circumstances {
            actor: None,
            is_admin: false,
            now: (self.clock)(),
            command_id: CommandId(Uuid::now_v7()),
        };
        let command = ObserveMarket { figure_id, seen };
        match self.store.execute(&command, &Execution::new(circumstances)).await {
            Ok(executed) => Ok(Some(executed.answer)),
            Err(ExecuteError::Refused(refusal)) if refusal.code == Code::FigureNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
