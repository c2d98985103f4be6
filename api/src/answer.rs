//! Answers to writes.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::stream::Position;
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
