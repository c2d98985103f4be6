//! `/api/me/import/backup`: bringing a backup back.

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use operational::figure_types;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::imports::{
    ImportError, Mode,
    backup::{self, Covers, LinkBack, RestoreError, Tally},
};

use super::{owned, preorders, wishlist};
use crate::{
    answer::Written,
    extract::{Query, read_body},
    perform::Caller,
    problem::{self, Kind, Problem},
    problems,
    server_sent::ServerSentEvent,
    state::AppState,
    underway::{self, Teller},
};

/// Most bytes of a backup: some fifty thousand pieces.
const BACKUP_LIMIT: usize = 64 * 1024 * 1024;

const NOT_A_BACKUP: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "not_a_backup",
    "the file cannot be taken as it is, so nothing of it was; field and line say where the fault is",
);

problems!(
    RestoreProblems = problem::SIGNED_IN,
    problem::BODY,
    &[problem::MALFORMED_QUERY, problem::UNKNOWN_PARAMETER, NOT_A_BACKUP, problem::NOT_READABLE_YET],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(restore))
}

/// How to restore.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RestoreBackup {
    /// Tell what would be done, and do nothing.
    #[serde(default)]
    #[param(value_type = bool, required = false)]
    dry_run: bool,
}

/// How many of one kind were brought back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted {
    /// Added now.
    new: usize,
    /// Here already.
    known: usize,
}

impl From<Tally> for Counted {
    fn from(tally: Tally) -> Self {
        Self { new: tally.new, known: tally.known }
    }
}

/// How many covers were pinned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CoversRestored)]
pub struct CountedCovers {
    /// Pinned now.
    new: usize,
    /// Their pieces have covers that were pinned here.
    known: usize,
    /// Their pieces have no picture at that place: pictures are not in the file. Upload them and send it again.
    without_picture: usize,
}

impl From<Covers> for CountedCovers {
    fn from(covers: Covers) -> Self {
        Self { new: covers.new, known: covers.known, without_picture: covers.without_picture }
    }
}

/// What became of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Restored, example = json!({
    "dry_run": false,
    "figures": {"new": 3, "known": 116},
    "cabinets": {"new": 4, "known": 0},
    "pieces": {"new": 124, "known": 0},
    "wishes": {"new": 9, "known": 0},
    "covers": {"new": 0, "known": 0, "without_picture": 17},
    "settings": true,
    "manga_link": "linked"
}))]
pub struct RestoredView {
    /// Whether nothing was changed.
    dry_run: bool,
    /// Catalogue entries that the backup names.
    figures: Counted,
    cabinets: Counted,
    pieces: Counted,
    wishes: Counted,
    /// Covers that were pinned.
    covers: CountedCovers,
    /// Whether the settings of the account are the backup's now.
    settings: bool,
    /// What became of the link to a manga shelf: `linked`; `kept`: the account has one, which stays; `revoked`: its
    /// server was revoked here; `not_allowed`: its address is none that may be asked here; `too_many_proposals`: it
    /// is not on the list here and ten servers that one proposed wait. Null where the file has none.
    #[schema(pattern = "^(linked|kept|revoked|not_allowed|too_many_proposals)$")]
    manga_link: Option<&'static str>,
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Bad(bad) => {
                let place = bad.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                let problem = Self::from(NOT_A_BACKUP).detail(format!("{}{place}", bad.reason));
                if bad.field.is_empty() { problem } else { problem.field(bad.field) }
            }
            RestoreError::Behind => Self::from(problem::NOT_READABLE_YET).header(header::RETRY_AFTER, 1_i64),
            RestoreError::Stopped(ImportError::Execute(error)) => error.into(),
            RestoreError::Stopped(ImportError::Store(error)) => error.into(),
            RestoreError::Stopped(ImportError::Database(error)) => error.into(),
        }
    }
}

/// Brings a backup back.
///
/// For whoever is signed in, into their own account. The body is what `GET /api/me/export/backup.json` gave, of this
/// server or another, at most 64 MiB. It is taken whole or not at all. Everything gets ids of its own, derived from the
/// account and the ids in the file: bringing the same backup back again adds nothing, and nobody else's things are
/// touched. What is here already, or was deleted since, stays as it is; settings are taken into an account that never
/// held anything, a link to a manga shelf into one that has none. Covers are pinned where their pieces have pictures
/// again. The answer comes when all of it can be read. With `Accept: text/event-stream` it begins at once: events
/// `progress` with `{"done", "total"}`, first through the rehearsal and then through the appending, and at last
/// `finished` with what became of it, or `problem`. Hanging up stops it; bringing it back again goes on from there.
#[utoipa::path(
    post,
    path = "/api/me/import/backup",
    tag = "me",
    security(("session" = [])),
    params(RestoreBackup),
    request_body(content = serde_json::Value, content_type = "application/json", description = "The backup"),
    responses(
        (status = 200, description = "What became of it", content(
            (RestoredView = "application/json"),
            (ServerSentEvent = "text/event-stream"),
        )),
        RestoreProblems
    )
)]
async fn restore(
    State(state): State<AppState>,
    caller: Caller,
    Query(how): Query<RestoreBackup>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let file = read_body(request, BACKUP_LIMIT).await?;
    Ok(underway::answer(&headers, |teller| brought_back(state, caller, how, file, teller)).await)
}

async fn brought_back(
    state: AppState,
    caller: Caller,
    how: RestoreBackup,
    file: Bytes,
    teller: Teller,
) -> Result<Written<RestoredView>, Problem> {
    let types: Vec<String> =
        figure_types::list(&state.pool).await?.into_iter().map(|one| one.code.to_string()).collect();
    let mode = if how.dry_run { Mode::DryRun } else { Mode::Append };
    let asked = backup::Request {
        user: caller.user.id,
        file: &file,
        types: &types,
        mode,
        passwords: &state.passwords,
        manga: &state.neighbours.manga,
    };
    let restored = backup::restore(&state.store, &state.projections, &asked, &|at| teller.tell(at)).await?;
    let written = Written::done(RestoredView {
        dry_run: how.dry_run,
        figures: restored.figures.into(),
        cabinets: restored.cabinets.into(),
        pieces: restored.pieces.into(),
        wishes: restored.wishes.into(),
        covers: restored.covers.into(),
        settings: restored.settings,
        manga_link: restored.manga_link.map(LinkBack::as_str),
    });
    let Some(position) = restored.position else { return Ok(written) };
    state.own_writes.note(caller.user.id, position);
    for reads in [owned::READS, preorders::READS, wishlist::READS, &["cote"]] {
        state.readable(position, reads, "/api/me/owned").await?;
    }
    Ok(written.at(position))
}
