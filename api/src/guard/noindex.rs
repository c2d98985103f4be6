//! `X-Robots-Tag: noindex`, for what people without an account may read.
//!
//! Who shows a collection to others shows it to people who come for it. A copy in a search engine would outlive the
//! switch that takes it back.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request},
    middleware::Next,
    response::Response,
};

/// Middleware for the routes of one resource: asks search engines to keep its answers out, refusals too.
pub async fn add(request: Request<Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    mark(&mut response);
    response
}

/// Asks search engines to keep this answer out, and to follow nothing in it.
pub(super) fn mark(response: &mut Response) {
    const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
    response.headers_mut().insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex, nofollow"));
}
