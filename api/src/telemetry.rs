//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::LogFormat;

/// Starts logging for the whole process. What `RUST_LOG` does not name is logged from `level` up.
///
/// # Errors
/// When logging was started before.
pub fn start(format: LogFormat, level: LevelFilter) -> anyhow::Result<()> {
    // The session layer warns about every cookie that has run out, migrations tell what exists already, and
    // a pool says that a connection it takes back is gone: none of it is news.
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy()
        .add_directive("tower_sessions_core=error".parse()?)
        .add_directive("sqlx_core::pool::connection=error".parse()?)
        .add_directive("sqlx::postgres::notice=warn".parse()?);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
