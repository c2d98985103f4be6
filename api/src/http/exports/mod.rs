//! `/api/me/export/…`: everything one has, to take along.
//!
//! Answers are written page by page as they are sent: what is in memory does not grow with the collection.

mod backup;
mod sheets;

use std::pin::Pin;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use domain::ids::UserId;
use futures::{Stream, StreamExt, stream};
use operational::users::User;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::{CurrentUser, Path},
    guard::fresh,
    problem::{self, NOT_FOUND, Problem},
    problems,
    state::AppState,
};
use sheets::{Kind, Sheet};

/// The read models that exports are read from.
const READS: &[&str] = &["collection", "preorders", "figures", "entities"];
/// How many rows are read at once.
const PAGE: i64 = 500;

problems!(ExportProblems = problem::SIGNED_IN, &[NOT_FOUND]);
problems!(BackupProblems = problem::SIGNED_IN);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(whole))
        .routes(routes!(sheet))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// A file as it is written: pieces of it, or why it breaks off.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Problem>> + Send>>;

/// Writes a file step by step: `next` gives some of it and how to go on.
fn written<S, F, N>(first: S, next: N) -> Pieces
where
    S: Send + 'static,
    F: Future<Output = Result<(Vec<u8>, Option<S>), Problem>> + Send + 'static,
    N: Fn(S) -> F + Send + Sync + 'static,
{
    let next = std::sync::Arc::new(next);
    Box::pin(stream::try_unfold(Some(first), move |state| {
        let next = next.clone();
        async move {
            let Some(state) = state else { return Ok(None) };
            let (bytes, state) = next(state).await?;
            Ok(Some((Bytes::from(bytes), state)))
        }
    }))
}

/// Answers with a file. What fails before its first piece is sent is answered as a problem.
async fn file(name: &str, kind: &'static str, pieces: Pieces) -> Result<Response, Problem> {
    let mut pieces = pieces.peekable();
    let failed = matches!(Pin::new(&mut pieces).peek().await, Some(Err(_)));
    if failed && let Some(Err(problem)) = pieces.next().await {
        return Err(problem);
    }
    // A file that ends too soon must not look whole: the connection breaks.
    let body = Body::from_stream(pieces.map(|piece| {
        piece.map_err(|problem| {
            tracing::warn!(code = problem.code(), "an export broke off");
            std::io::Error::other("the export broke off")
        })
    }));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .unwrap_or_else(|_never| HeaderValue::from_static("attachment"));
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

/// `figure-ledger-collection-2026-11-23.csv`
fn named(what: &str, extension: &str) -> String {
    format!("figure-ledger-{what}-{}.{extension}", Utc::now().format("%Y-%m-%d"))
}

/// One's collection, wishes or pre-orders as a file.
///
/// For whoever is signed in. `collection`, `wishlist` or `preorders`, as `.csv` (UTF-8 with a byte order mark; a cell that
/// a spreadsheet would take for a formula begins with an apostrophe) or `.json` (an array of what the listing shows).
/// Everything is in it: archived pieces, and NSFW ones, which are marked.
#[utoipa::path(
    get,
    path = "/api/me/export/{file}",
    tag = "me",
    security(("session" = [])),
    params(("file" = String, Path, description = "`collection.csv`, `collection.json`, `wishlist.csv`, `wishlist.json`, `preorders.csv` or `preorders.json`", example = "collection.csv")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"),
            (Vec<serde_json::Value> = "application/json"),
        )),
        ExportProblems
    )
)]
async fn sheet(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(asked): Path<String>,
) -> Result<Response, Problem> {
    let (what, extension) = asked.split_once('.').ok_or(NOT_FOUND)?;
    let sheet = Sheet::named(what).ok_or(NOT_FOUND)?;
    let kind = Kind::of(extension).ok_or(NOT_FOUND)?;
    let pieces = sheets::pieces(state, user, sheet, kind);
    file(&named(what, extension), kind.media_type(), pieces).await
}

/// Everything one has, as one file.
///
/// For whoever is signed in. Cabinets, pieces with their pre-orders and how their dates slipped, wishes, and the
/// catalogue entries that these name. `POST /api/me/import/backup` restores it, here or on another server.
#[utoipa::path(
    get,
    path = "/api/me/export/backup.json",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The backup", body = serde_json::Value), BackupProblems)
)]
async fn whole(State(state): State<AppState>, CurrentUser(user): CurrentUser) -> Result<Response, Problem> {
    let pieces = backup::pieces(state, user.id);
    file(&named("backup", "json"), "application/json", pieces).await
}

/// What a page needs to be read.
#[derive(Clone)]
struct Reader {
    state: AppState,
    user: User,
}

impl Reader {
    fn id(&self) -> UserId {
        self.user.id
    }
}
