//! `/api/me/export/…`: everything one has, to take along.
//!
//! Answers are written page by page as they are sent: what is in memory does not grow with the collection. All pages
//! of a file are of one moment.

mod backup;
mod sheets;

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use domain::ids::UserId;
use futures::{Stream, StreamExt, stream};
use operational::users::User;
use projections::backup::Counts;
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::{CurrentUser, Path},
    guard::fresh,
    problem::{self, Kind, NOT_FOUND, Problem},
    problems,
    state::AppState,
};
use sheets::{Kind as Form, Sheet};

/// The read models that exports are read from.
const READS: &[&str] = &["collection", "preorders", "figures", "entities", "pictures"];
/// How many rows are read at once.
const PAGE: i64 = 500;

/// How many files may be on their way at once: each has a connection to the database of its own.
static GOING: Semaphore = Semaphore::const_new(8);
/// How long one waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);
/// How many rows the file will have, the heads of a table left out.
const ROWS: &str = "x-row-count";

const EXPORTS_BUSY: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "exports_busy",
    "many exports are on their way at once; try again in a moment",
);

problems!(ExportProblems = problem::SIGNED_IN, &[NOT_FOUND, EXPORTS_BUSY]);
problems!(BackupProblems = problem::SIGNED_IN, &[EXPORTS_BUSY]);

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
async fn file(name: &str, kind: &'static str, rows: i64, pieces: Pieces) -> Result<Response, Problem> {
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
    Ok((headers, [(ROWS, rows.to_string())], body).into_response())
}

/// Whether there is more behind a page of rows.
fn full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE)
}

/// `figure-ledger-collection-2026-11-23.csv`
fn named(what: &str, extension: &str) -> String {
    format!("figure-ledger-{what}-{}.{extension}", Utc::now().format("%Y-%m-%d"))
}

/// One's collection, wishes or pre-orders as a file.
///
/// For whoever is signed in. `collection`, `wishlist` or `preorders`, as `.csv` (UTF-8 with a byte order mark; a cell that
/// a spreadsheet would take for a formula begins with an apostrophe) or `.json` (an array of what the listing shows).
/// Everything is in it: archived pieces, and NSFW ones, which are marked. All of it is of the moment at which it was asked
/// for. It is sent as it is written, so its length is not known beforehand; `X-Row-Count` says how many rows will come.
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
    let form = Form::of(extension).ok_or(NOT_FOUND)?;
    let (reader, counts) = Reader::begin(state, user).await?;
    let rows = match sheet {
        Sheet::Collection => counts.pieces,
        Sheet::Wishlist => counts.wishes,
        Sheet::Preorders => counts.preorders,
    };
    let pieces = sheets::pieces(reader, sheet, form);
    file(&named(what, extension), form.media_type(), rows, pieces).await
}

/// Everything one has, as one file.
///
/// For whoever is signed in. Settings, the link to a manga shelf, cabinets, pieces with their pinned covers, their
/// pre-orders and how their dates slipped, wishes, and the catalogue entries that these name, each on a line of its own;
/// `X-Row-Count` says how many lines. Pictures are not in it, nor anything secret. All of it is of the moment at which it
/// was asked for. `POST /api/me/import/backup` restores it, here or on another server.
#[utoipa::path(
    get,
    path = "/api/me/export/backup.json",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The backup", body = serde_json::Value), BackupProblems)
)]
async fn whole(State(state): State<AppState>, CurrentUser(user): CurrentUser) -> Result<Response, Problem> {
    let (reader, counts) = Reader::begin(state, user).await?;
    let rows = [counts.figures, counts.cabinets, counts.pieces, counts.wishes].iter().sum();
    file(&named("backup", "json"), "application/json", rows, backup::pieces(reader)).await
}

/// What a page needs to be read.
#[derive(Clone)]
struct Reader {
    state: AppState,
    user: User,
    /// Every page sees the same moment here.
    pool: PgPool,
    _turn: Arc<SemaphorePermit<'static>>,
}

impl Reader {
    /// Takes hold of this moment, and counts what there is.
    async fn begin(state: AppState, user: User) -> Result<(Self, Counts), Problem> {
        let turn = tokio::time::timeout(TURN_WITHIN, GOING.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::from(EXPORTS_BUSY).header(header::RETRY_AFTER, 10_i64));
        };
        let pool = database::snapshot(&state.pool).await?;
        let counts = projections::backup::counts(&pool, user.id).await?;
        Ok((Self { state, user, pool, _turn: Arc::new(turn) }, counts))
    }

    fn id(&self) -> UserId {
        self.user.id
    }
}
