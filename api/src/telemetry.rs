//! Log lines on standard error.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::LogFormat;

/// Starts logging for the whole process. What `RUST_LOG` does not name is logged from `info` up.
///
/// # Errors
/// When logging was started before.
pub fn start(format: LogFormat) -> anyhow::Result<()> {
    // The session layer warns about every cookie that has run out, which is no news.
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy()
        .add_directive("tower_sessions_core=error".parse()?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
