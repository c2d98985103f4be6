//! Answers to writes.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::stream::Position;
use rust_decimal::Decimal;
use serde::Serialize;
use std::fmt::Display;

/// The position of the last event a write caused.
pub const X_EVENT_POSITION: HeaderName = HeaderName::from_static("x-event-position");

/// A write's answer: the resource as it now reads, with its version, where it is and the event position.
#[derive(Debug, Clone)]
#[must_use]
pub struct Written<T> {
    status: StatusCode,
    body: T,
    position: Option<Position>,
    version: Option<String>,
    location: Option<String>,
}

impl<T: Serialize> Written<T> {
    /// 201: the write made the resource, which is found at `location`.
    pub fn created(body: T, location: impl Into<String>) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location.into()), ..Self::done(body) }
    }

    /// 200: the write acted on the resource.
    pub fn done(body: T) -> Self {
        Self { status: StatusCode::OK, body, position: None, version: None, location: None }
    }

    /// The same as 201: the write made the resource, which is found at `location`.
    pub fn made_at(self, location: impl Into<String>) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location.into()), ..self }
    }

    /// Tells the position of the last event, as `X-Event-Position`.
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The body, and the position if there is one.
    pub(crate) fn into_parts(self) -> (T, Option<Position>) {
        (self.body, self.position)
    }

    /// Tells the resource's version, as `ETag`.
    pub fn version(mut self, version: impl Display) -> Self {
        self.version = Some(version.to_string());
        self
    }
}

/// The `ETag` of a version; [`IfMatch`](crate::extract::IfMatch) takes it back.
#[must_use]
pub fn etag(version: impl Display) -> HeaderValue {
    // Digits and a hyphen in quotes are always a valid header.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_never| HeaderValue::from_static("\"\""))
}

impl<T: Serialize> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if let Some(position) = self.position {
            headers.insert(X_EVENT_POSITION, HeaderValue::from(position.0));
        }
        if let Some(version) = self.version {
            headers.insert(header::ETAG, etag(version));
        }
        if let Some(location) = self.location.and_then(|place| HeaderValue::try_from(place).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// Whether a caller would rather have this media type than JSON: `Accept` names it, and not JSON before it.
#[must_use]
pub fn preferred(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(u32, bool)> = None;
    for one in accepted.flat_map(|value| value.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let is_it = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            named if named == media_type => true,
            "application/json" => false,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        if quality > 0 && best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, is_it));
        }
    }
    best.is_some_and(|(_, is_it)| is_it)
}

/// `0.5` as 500.
fn thousandths(quality: &str) -> u32 {
    let quality: Decimal = quality.trim().parse().unwrap_or_default();
    quality.saturating_mul(Decimal::ONE_THOUSAND).trunc().try_into().unwrap_or(0)
}
