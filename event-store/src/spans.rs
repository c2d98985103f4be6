//! Spans for collectors of traces.

/// The target of the spans that are made for collectors (OpenTelemetry) alone: the command, its append, the batch it
/// was written in, the folds. They are at the trace level, so that log lines know nothing of them and they cost
/// nothing where nobody collects them.
pub const SPANS: &str = "figure_ledger::spans";
