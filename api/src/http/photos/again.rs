//! Writes to pictures and documents that come again under their key when what they acted on is gone: whoever lost the
//! first answer is not to be told that there never was such a thing.

use axum::{extract::Request, http::StatusCode};
use domain::world::Command;

use crate::{
    extract::Idempotency,
    perform::{Caller, gone_since},
    problem::{IDEMPOTENCY_KEY_REUSED, Problem},
    state::AppState,
    uploads::{self, Taken},
};

/// What is said of a write that finds nothing to act on: that it is gone since, where this very write was done before;
/// else the problem as it is.
pub(in crate::http) async fn gone<C: Command>(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    problem: Problem,
) -> Problem {
    if problem.status() != StatusCode::NOT_FOUND {
        return problem;
    }
    match state.performed_before::<C>(caller, idempotency).await {
        Ok(Some(before)) => gone_since(problem, before.position),
        Ok(None) => problem,
        Err(other) => other,
    }
}

/// The same of an upload, which is only recognised with its files. They are looked at where the key was used before,
/// and else let in unseen.
pub(in crate::http) async fn gone_upload<C: Command>(
    state: &AppState,
    caller: &Caller,
    key: Option<Idempotency>,
    request: Request,
    problem: Problem,
    recognise: impl AsyncFnOnce(Request, Option<Idempotency>) -> Result<Option<Idempotency>, Problem>,
) -> Problem {
    // A key that was used belongs to a request with files: without them it is refused as that of another request.
    let without_files = gone::<C>(state, caller, key.clone(), problem.clone()).await;
    if without_files.code() != IDEMPOTENCY_KEY_REUSED.code() {
        return uploads::turned_away(request, without_files).await;
    }
    match recognise(request, key).await {
        Ok(idempotency) => gone::<C>(state, caller, idempotency, problem).await,
        Err(refused) => refused,
    }
}

/// The same of an upload of pictures.
pub(in crate::http) async fn gone_pictures<C: Command>(
    state: &AppState,
    caller: &Caller,
    key: Option<Idempotency>,
    request: Request,
    taken: Taken,
    problem: Problem,
) -> Problem {
    gone_upload::<C>(state, caller, key, request, problem, async |request, key| {
        let pictures = uploads::pictures(state, request, taken).await?;
        Ok(uploads::recognised(key, &pictures))
    })
    .await
}
