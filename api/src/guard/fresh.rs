//! `X-Min-Position`: a read that must include what the caller knows to have happened. Without it a read
//! still waits a little for what the caller wrote last, since some resources are answered from read models
//! that no write waits for, such as the feed.

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use std::time::Duration;

use crate::{
    extract::MinPosition,
    identity::{self, Visitor},
    perform::READABLE_WITHIN,
    problem::{NOT_READABLE_YET, Problem},
    state::AppState,
};

/// The read models that the routes of one resource are answered from.
#[derive(Clone)]
pub struct Reads {
    state: AppState,
    names: &'static [&'static str],
}

/// For `from_fn_with_state(reads(state, READS), fresh::wait)`: each resource names its read models once.
pub fn reads(state: &AppState, names: &'static [&'static str]) -> Reads {
    Reads { state: state.clone(), names }
}

/// How long a read waits for the caller's own last write. It is answered all the same afterwards.
const OWN_WRITE_WITHIN: Duration = Duration::from_millis(500);

/// Middleware: a `GET` with `X-Min-Position` waits for the resource's read models; 503 when they are late.
pub async fn wait(State(reads): State<Reads>, request: Request<Body>, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match MinPosition::from_request_parts(&mut parts, &()).await {
        Err(problem) => return problem.into_response(),
        Ok(MinPosition(None)) => {
            if let Ok(Visitor::Known(user)) = identity::visitor(&mut parts, &reads.state).await
                && let Some(position) = reads.state.own_writes.of(user.id)
            {
                let _late = reads.state.projections.wait_for(reads.names, position, OWN_WRITE_WITHIN).await;
            }
        }
        Ok(MinPosition(Some(position))) => {
            let waited = reads.state.projections.wait_for(reads.names, position, READABLE_WITHIN).await;
            if !waited.is_reached() {
                return Problem::from(NOT_READABLE_YET).header(header::RETRY_AFTER, 1_i64).into_response();
            }
        }
    }
    next.run(Request::from_parts(parts, body)).await
}
