//! What becomes of panics, and of errors that libraries answer in their own words.

use std::any::Any;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    BODY_TOO_LARGE, INTERNAL, Kind, MEDIA_TYPE, METHOD_NOT_ALLOWED, NOT_FOUND, Problem,
    UNSUPPORTED_MEDIA_TYPE,
};

/// What a panic becomes. What it said is in the log only.
#[must_use]
pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(nothing readable)");
    Problem::internal(format_args!("panic: {said}")).into_response()
}

/// Middleware: an error that some library answered in its own words becomes a problem too.
pub async fn reword(request: Request<Body>, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Of the libraries around the routes only the session layer answers so, when it cannot save a session.
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return Problem::away("a session could not be saved").into_response();
    }
    let kind = match status {
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => BODY_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA_TYPE,
        _ if status.is_server_error() => INTERNAL,
        _ => Kind::new(status, "bad_request", "the request cannot be understood"),
    };
    let (parts, _body) = response.into_parts();
    let mut problem = Problem::from(kind);
    problem.0.status = status;
    problem.0.headers = parts.headers;
    problem.0.headers.remove(header::CONTENT_LENGTH);
    problem.0.headers.remove(header::CONTENT_ENCODING);
    problem.0.headers.remove(header::CONTENT_TYPE);
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_panic_said_stays_in_the_log() {
        let response = from_panic(Box::new("the secret".to_owned()));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"internal\"") && !body.contains("secret"), "{body}");
    }
}
