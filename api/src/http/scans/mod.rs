//! Turntable scans of one's pieces, and what is made of them.

mod frames;
mod renders;
mod views;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::from_fn_with_state,
};
use domain::{
    collection::PictureCommand,
    commands::{ChangePictures, MakeScan},
    ids::{PieceId, ScanId},
    picture::MOST_FRAMES,
    refusal::Code,
    stream::Position,
};
use operational::users::{NsfwVisibility, User};
use projections::{
    collection,
    pictures::{self, OwnedScan},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use self::views::RenderView;
use self::views::ScanView;
use super::owned::PIECE_NOT_FOUND;
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, IdempotencyKey, Path},
    guard::fresh,
    perform::Caller,
    problem::{self, Kind, Problem},
    problems,
    state::AppState,
    uploads::{self, Taken},
};

/// The read models that a scan is answered from.
pub(super) const READS: &[&str] = &["pictures", "collection", "figures"];

/// There is no such scan, or it is somebody else's.
pub(super) const SCAN_NOT_FOUND: Kind =
    Kind::refusal(Code::ScanNotFound, "there is no such scan, or it is somebody else's");
/// There is no such frame.
pub(super) const FRAME_NOT_FOUND: Kind =
    Kind::new(StatusCode::NOT_FOUND, "frame_not_found", "the scan has no such frame");
const TOO_MANY: Kind =
    Kind::refusal(Code::TooMany, "a scan has at most 96 frames, and a piece at most 20 scans").on("frame");
const NSFW_NOT_SHOWN: Kind = Kind::refusal(
    Code::NsfwNotShown,
    "this figure is NSFW; choose to be shown such figures before you upload pictures of it",
);

problems!(
    MakeProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[PIECE_NOT_FOUND, TOO_MANY, NSFW_NOT_SHOWN],
);
problems!(
    ReplaceProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[SCAN_NOT_FOUND, FRAME_NOT_FOUND, TOO_MANY, NSFW_NOT_SHOWN],
);
problems!(ListProblems = problem::SIGNED_IN, &[PIECE_NOT_FOUND]);
problems!(ReadProblems = problem::SIGNED_IN, &[SCAN_NOT_FOUND]);
problems!(ShareProblems = problem::SIGNED_IN, problem::BODY, problem::COMMAND, &[SCAN_NOT_FOUND]);
problems!(RemoveProblems = problem::SIGNED_IN, problem::WRITE, problem::COMMAND, &[SCAN_NOT_FOUND]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(read, share, remove))
        .routes(routes!(frames::replace_all))
        .routes(routes!(frames::show, frames::replace_one))
        .routes(routes!(renders::ask))
        .routes(routes!(renders::show))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// What a share is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ShareScan)]
pub struct ShareBody {
    /// Whether others see its first frame where the scan is the cover of its piece.
    shared: bool,
}

/// A scan that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedScan {
    id: Uuid,
    deleted: bool,
}

/// Scans of a piece.
#[derive(Debug, Serialize, ToSchema)]
pub struct Scans {
    /// The oldest first.
    items: Vec<ScanView>,
}

fn shows_nsfw(user: &User) -> bool {
    user.nsfw_visibility == NsfwVisibility::Show
}

fn place(scan: ScanId) -> String {
    format!("/api/scans/{scan}")
}

/// One of somebody's own scans.
///
/// # Errors
/// 404 for other people's, as for none.
async fn own(state: &AppState, user: &User, id: Uuid) -> Result<OwnedScan, Problem> {
    let scan = pictures::scan(&state.pool, ScanId(id)).await?;
    Ok(scan.filter(|scan| scan.user_id == user.id.uuid()).ok_or(SCAN_NOT_FOUND)?)
}

async fn view(state: &AppState, scan: OwnedScan) -> Result<ScanView, Problem> {
    let made = operational::renders::of_scan(&state.pool, ScanId(scan.id)).await?;
    Ok(ScanView::of(scan, made))
}

async fn written(
    state: &AppState,
    user: &User,
    id: ScanId,
    position: Position,
) -> Result<Written<ScanView>, Problem> {
    state.readable(position, READS, &place(id)).await?;
    let scan = own(state, user, id.uuid()).await?;
    Ok(Written::done(view(state, scan).await?).at(position))
}

/// Changes one of somebody's scans.
async fn change(
    state: &AppState,
    caller: &Caller,
    scan: &OwnedScan,
    idempotency: Option<crate::extract::Idempotency>,
    change: PictureCommand,
) -> Result<Position, Problem> {
    let command = ChangePictures {
        user_id: caller.user.id,
        piece_id: PieceId(scan.piece_id),
        change,
        shows_nsfw: shows_nsfw(&caller.user),
    };
    Ok(state.perform(caller, idempotency, &command).await?.position)
}

/// The scans of a piece.
///
/// For whoever is signed in; other people's pieces are not found. The oldest first.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}/scans",
    tag = "pictures",
    operation_id = "list_scans",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    responses((status = 200, description = "Its scans", body = Scans), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Json<Scans>, Problem> {
    let piece = collection::piece(&state.pool, user.id, PieceId(id)).await?;
    piece.ok_or(PIECE_NOT_FOUND)?;
    let mut items = Vec::new();
    for scan in pictures::scans(&state.pool, user.id, PieceId(id)).await? {
        items.push(view(&state, scan).await?);
    }
    Ok(Json(Scans { items }))
}

/// Adds a turntable scan to a piece.
///
/// For whoever is signed in; other people's pieces are not found. The frames are parts of a form, all of the field
/// `frame`, in the order in which the piece turns: 1 to 96 JPEG, PNG or WebP pictures of at most 16 MiB. One that is
/// refused refuses all of them, and `field` says which: `frame[2]`.
#[utoipa::path(
    post,
    path = "/api/me/owned/{id}/scans",
    tag = "pictures",
    operation_id = "make_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body(content = views::Frames, content_type = "multipart/form-data", description = "The frames"),
    responses((status = 201, description = "The scan", body = ScanView), MakeProblems)
)]
async fn make(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<ScanView>, Problem> {
    let piece = collection::piece(&state.pool, caller.user.id, PieceId(id)).await?;
    piece.ok_or(PIECE_NOT_FOUND)?;
    let frames = uploads::pictures(&state, request, Taken::pictures("frame", MOST_FRAMES)).await?;
    let idempotency = uploads::recognised(key, &frames);
    let command = MakeScan {
        user_id: caller.user.id,
        piece_id: PieceId(id),
        frames,
        shows_nsfw: shows_nsfw(&caller.user),
    };
    let made = state.perform(&caller, idempotency, &command).await?;
    let written = written(&state, &caller.user, made.answer, made.position).await?;
    Ok(written.made_at(place(made.answer)))
}

/// One scan.
///
/// For whoever is signed in, their own scans alone. Its frames are at `/api/scans/{id}/frames/{n}`, from 0.
#[utoipa::path(
    get,
    path = "/api/scans/{id}",
    tag = "pictures",
    operation_id = "read_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan")),
    responses((status = 200, description = "The scan", body = ScanView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Json<ScanView>, Problem> {
    let scan = own(&state, &user, id).await?;
    Ok(Json(view(&state, scan).await?))
}

/// Says whether others see a scan.
///
/// For whoever is signed in, their own scans alone. Of a shared scan others see the first frame, where it is pinned as the cover of its piece.
#[utoipa::path(
    patch,
    path = "/api/scans/{id}",
    tag = "pictures",
    operation_id = "share_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan")),
    request_body = ShareBody,
    responses((status = 200, description = "The scan as it now is", body = ScanView), ShareProblems)
)]
async fn share(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Command { body, idempotency }: Command<ShareBody>,
) -> Result<Written<ScanView>, Problem> {
    let scan = own(&state, &caller.user, id).await?;
    let sharing = PictureCommand::ShareScan { scan_id: ScanId(id), shared: body.shared };
    let position = change(&state, &caller, &scan, idempotency, sharing).await?;
    written(&state, &caller.user, ScanId(id), position).await
}

/// Deletes a scan, and what was made of it.
///
/// For whoever is signed in, their own scans alone. A cover that it was is none any more. Its files go within two days.
#[utoipa::path(
    delete,
    path = "/api/scans/{id}",
    tag = "pictures",
    operation_id = "delete_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan")),
    responses((status = 200, description = "It is deleted", body = RemovedScan), RemoveProblems)
)]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<RemovedScan>, Problem> {
    let scan = own(&state, &caller.user, id).await?;
    let position =
        change(&state, &caller, &scan, idempotency, PictureCommand::RemoveScan(ScanId(id))).await?;
    operational::renders::drop_scan(&state.pool, ScanId(id)).await?;
    let list = format!("/api/me/owned/{}/scans", scan.piece_id);
    state.readable(position, READS, &list).await?;
    Ok(Written::done(RemovedScan { id, deleted: true }).at(position))
}
