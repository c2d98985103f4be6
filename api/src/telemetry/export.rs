//! Sending spans to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! Spans that have ended wait in a bounded queue, and a thread of its own sends them. When the collector is slow or
//! away the queue runs over and spans are lost; requests never wait for it.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::http::HeaderMap;
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, SpanData, SpanExporter as Export},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, registry::LookupSpan};

/// How long the end of the process waits for the last spans to be sent.
const LAST_CALL: Duration = Duration::from_secs(2);
const SERVICE: &str = "figure-ledger";

/// What sends spans.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// Starts to send to the collector that the standard `OTEL_` variables name; they also say with which headers,
    /// how often, and under which service name. Must not be called from within an async runtime.
    ///
    /// # Errors
    /// When the variables make no sense.
    pub fn start() -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let resource =
            resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(ToldOnce { exporter, failing: AtomicBool::new(false) })
            .build();
        Ok(Self(provider))
    }

    /// Takes up the spans of the process.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'s> LookupSpan<'s>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        // A collector that is away has been told of already.
        let _ = self.0.shutdown_with_timeout(LAST_CALL);
    }
}

/// Says once that the collector is away, and once that it is back.
struct ToldOnce<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E: fmt::Debug> fmt::Debug for ToldOnce<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exporter.fmt(f)
    }
}

impl<E: Export> Export for ToldOnce<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "spans cannot be sent to the collector; they are lost until it answers");
            }
            Ok(()) if was_failing => tracing::info!("spans reach the collector again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Makes a request's span part of the trace that its `traceparent` names, if it names one.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        // It fails only for spans that no collector gets.
        let _ = span.set_parent(context);
    }
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
