//! What the process tells of itself while it works: log lines on standard error, and spans for a collector.

mod export;

use std::io::IsTerminal;

use event_store::SPANS;
use tracing::{Level, Metadata, Span};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};
use uuid::Uuid;

use export::Spans;
pub(crate) use export::continue_trace;

use crate::config::{Config, LogFormat};

/// Logging, and the sending of spans. Dropped, what is left of the spans is sent, for a moment at most.
#[derive(Debug)]
#[must_use = "spans are no longer sent when this is dropped"]
pub struct Telemetry(#[allow(dead_code, reason = "kept for its drop")] Option<Spans>);

/// Starts logging for the whole process, and the sending of spans when a collector is configured. What `RUST_LOG`
/// does not name is logged from `level` up.
///
/// # Errors
/// When logging was started before, or spans cannot be sent as the `OTEL_` variables want it.
pub fn start(config: &Config, level: LevelFilter) -> anyhow::Result<Telemetry> {
    // The session layer warns about every cookie that has run out, migrations tell what exists already, and
    // a pool says that a connection it takes back is gone, the scheduler that it is one: none of it is news.
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy()
        .add_directive("tower_sessions_core=error".parse()?)
        .add_directive("tokio_cron_scheduler=warn".parse()?)
        .add_directive("sqlx_core::pool::connection=error".parse()?)
        .add_directive("sqlx::postgres::notice=warn".parse()?);
    // Only a server has people waiting: the others may ask for a lot at once.
    let filter =
        if level < LevelFilter::INFO { filter.add_directive("sqlx::query=error".parse()?) } else { filter };
    let lines = lines(config.log_format);
    let spans = config.otlp_endpoint.as_ref().map(|_collector| Spans::start()).transpose()?;
    let started = match &spans {
        // A filter for the whole process: what nobody logs costs nothing, spans among it.
        None => Registry::default().with(lines).with(filter).try_init(),
        Some(spans) => Registry::default()
            .with(lines.with_filter(filter))
            .with(spans.layer().with_filter(filter_fn(is_for_collectors)))
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))?;
    Ok(Telemetry(spans))
}

/// How log lines look.
fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// The spans that are made for collectors, and complaints within them.
fn is_for_collectors(metadata: &Metadata<'_>) -> bool {
    if metadata.is_span() { metadata.target() == SPANS } else { *metadata.level() <= Level::WARN }
}

/// A span for one run of something that no request asked for, with a correlation id of its own.
#[must_use]
pub fn background(job: &'static str) -> Span {
    tracing::info_span!("background", correlation_id = %Uuid::now_v7(), job)
}
