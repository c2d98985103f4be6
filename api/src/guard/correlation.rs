//! One id per request: in the log lines, in the metadata of the events it causes, in `X-Request-Id`.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderName, HeaderValue, Method, Request, StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};
use event_store::SPANS;
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use crate::{problem::Problem, telemetry};

/// The header that carries the id both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of this request: the caller's `X-Request-Id` when that is a UUID, else a fresh UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelationId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_else(|| Self(Uuid::now_v7())))
    }
}

/// A method's name, but no name that nobody knows: what is told by it must stay bounded.
fn name_of(method: &Method) -> &str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    if KNOWN.contains(method) { method.as_str() } else { "other" }
}

/// Counts a request. By the route's pattern, so that nobody can make up series.
fn measure(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    let labels = [
        ("method", name_of(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!("figure_ledger_http_request_seconds", &labels).record(elapsed);
}

/// The span of a request for collectors, under the names that OpenTelemetry gives these things.
fn span_for_collectors(id: Uuid, method: &Method, route: &str, request: &Request<Body>) -> Span {
    let span = tracing::trace_span!(
        target: SPANS,
        "request",
        correlation_id = %id,
        otel.name = format!("{} {route}", name_of(method)),
        otel.kind = "server",
        http.request.method = name_of(method),
        http.route = route,
        http.response.status_code = field::Empty,
        otel.status_code = field::Empty,
    );
    telemetry::continue_trace(&span, request.headers());
    span
}

/// Middleware: gives the request its id, puts all that is logged on its behalf under one span, and logs how
/// it ended. The route's pattern is logged and not the path, which may hold secrets.
pub async fn follow(mut request: Request<Body>, next: Next) -> Response {
    let id = request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(Uuid::now_v7);
    request.extensions_mut().insert(CorrelationId(id));
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", correlation_id = %id, %method, route = route.as_str());
    let collected = span_for_collectors(id, &method, &route, &request);
    let began = Instant::now();
    let mut response = next.run(request).instrument(collected.clone()).instrument(span.clone()).await;
    collected.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        collected.record("otel.status_code", "ERROR");
    }
    measure(&method, &route, response.status(), began.elapsed());
    span.in_scope(|| {
        let (status, elapsed_us) = (response.status().as_u16(), began.elapsed().as_micros());
        if response.status().is_server_error() {
            tracing::error!(status, elapsed_us, "answered");
        } else {
            tracing::debug!(status, elapsed_us, "answered");
        }
    });
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}
