//! What PostgreSQL does for a route: the plan of each of its statements as it was run, by `auto_explain`.

use sqlx::PgPool;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Settings with which a connection tells the plan of whatever it runs.
pub const TELLING: [(&str, &str); 5] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_level", "notice"),
];

/// Keeps what connections are told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// The plans of the statements that a piece of work sends, without their texts; none where `auto_explain` is not
/// installed. `pool` has the settings [`TELLING`].
pub async fn of<T>(
    pool: &PgPool,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Vec<String>> {
    use tracing::instrument::WithSubscriber;
    // The first statements of a connection have another plan, and load what is cached.
    pool.acquire().await?;
    let heard = Heard::default();
    work.with_subscriber(Registry::default().with(heard.clone())).await?;
    let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(heard.iter().filter_map(|told| plan(told)).collect())
}

/// What follows the statement in `duration: … plan:\nQuery Text: …\n<plan>`.
fn plan(told: &str) -> Option<String> {
    let (_, rest) = told.split_once("Query Text: ")?;
    // Statements of this program are one line.
    Some(rest.split_once('\n')?.1.to_owned())
}
