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
    picture::{BlobKey, MOST_FRAMES, MOST_SCANS, frames_digest},
    refusal::Code,
    stream::Position,
};
use operational::users::User;
use projections::{
    collection,
    pictures::{self, OwnedScan},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use self::views::RenderView;
use self::views::ScanView;
use super::{
    owned::PIECE_NOT_FOUND,
    photos::{NSFW_NOT_SHOWN, PhotosOpened, again, shows_nsfw},
};
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, IdempotencyKey, Path, Query},
    gated::Gated,
    guard::fresh,
    perform::{Caller, gone_since},
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
problems!(ListProblems = problem::SIGNED_IN, problem::LISTING, &[PIECE_NOT_FOUND]);
problems!(ReadProblems = problem::SIGNED_IN, problem::LISTING, &[SCAN_NOT_FOUND]);
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

/// How to open scans.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpenScan {
    /// True to see what is of an NSFW figure in spite of hiding such.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// What tells the frames of a scan from any others.
fn digest(scan: &OwnedScan) -> BlobKey {
    frames_digest(&scan.frames)
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

/// One of somebody's own scans, to put other frames into it.
///
/// # Errors
/// 404 for other people's, as for none; 403 where they are not shown what it is of.
async fn own_to_replace(state: &AppState, user: &User, id: Uuid) -> Result<OwnedScan, Problem> {
    match own(state, user, id).await? {
        scan if scan.is_nsfw && !shows_nsfw(user) => Err(NSFW_NOT_SHOWN.into()),
        scan => Ok(scan),
    }
}

async fn views(state: &AppState, scans: Vec<OwnedScan>) -> Result<Vec<ScanView>, Problem> {
    let ids: Vec<ScanId> = scans.iter().map(|scan| ScanId(scan.id)).collect();
    let mut made = operational::renders::of_scans(&state.pool, &ids).await?;
    let view = |scan: OwnedScan| {
        let frames = digest(&scan);
        let mut made = made.remove(&ScanId(scan.id)).unwrap_or_default();
        made.retain(|render| render.is_shown_of(&frames));
        ScanView::of(scan, made)
    };
    Ok(scans.into_iter().map(view).collect())
}

async fn view(state: &AppState, scan: OwnedScan) -> Result<ScanView, Problem> {
    let view = views(state, vec![scan]).await?.pop();
    Ok(view.ok_or(SCAN_NOT_FOUND)?)
}

async fn written(
    state: &AppState,
    user: &User,
    id: ScanId,
    position: Position,
) -> Result<Written<ScanView>, Problem> {
    state.readable(position, READS, &place(id)).await?;
    let scan = own(state, user, id.uuid()).await.map_err(|problem| gone_since(problem, position))?;
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
/// For whoever is signed in; other people's pieces are not found. The oldest first. Who hides NSFW figures gets no more
/// of such a piece than `nsfw_gate` until they ask with `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}/scans",
    tag = "pictures",
    operation_id = "list_scans",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), OpenScan),
    responses((status = 200, description = "Its scans", body = PhotosOpened<ScanView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<OpenScan>,
) -> Result<Json<PhotosOpened<ScanView>>, Problem> {
    let piece = collection::piece(&state.pool, user.id, PieceId(id)).await?.ok_or(PIECE_NOT_FOUND)?;
    let is_nsfw = piece.figure.is_some_and(|figure| figure.is_nsfw);
    let scans = pictures::scans(&state.pool, user.id, PieceId(id)).await?;
    let items = views(&state, scans).await?;
    Ok(Json(PhotosOpened::of(items, is_nsfw, Some(&user), query.confirm_nsfw)))
}

/// Whether somebody may add a scan to a piece, looked at before the frames are taken in.
async fn room(state: &AppState, user: &User, id: PieceId, may_be_repeated: bool) -> Result<(), Problem> {
    let piece = collection::piece(&state.pool, user.id, id).await?.ok_or(PIECE_NOT_FOUND)?;
    if piece.figure.is_some_and(|figure| figure.is_nsfw) && !shows_nsfw(user) {
        return Err(NSFW_NOT_SHOWN.into());
    }
    if !may_be_repeated && pictures::scans(&state.pool, user.id, id).await?.len() >= MOST_SCANS {
        return Err(TOO_MANY.into());
    }
    Ok(())
}

/// Adds a turntable scan to a piece.
///
/// For whoever is signed in; other people's pieces are not found. The frames are parts of a form, all of the field
/// `frame`, in the order in which the piece turns: 1 to 96 JPEG, PNG or WebP pictures of at most 16 MiB. One that is
/// refused refuses all of them, and `field` says which: `frame[2]`. Whoever is not shown NSFW figures as they are adds
/// none to pieces of such.
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
    let taken = Taken::pictures("frame", MOST_FRAMES);
    // A repeated request is answered as the first was, although there may be no room any more.
    if let Err(problem) = room(&state, &caller.user, PieceId(id), key.is_some()).await {
        return Err(again::gone_pictures::<MakeScan>(&state, &caller, key, request, taken, problem).await);
    }
    let frames = uploads::pictures(&state, request, taken).await?;
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
/// For whoever is signed in, their own scans alone. Its frames are at `/api/scans/{id}/frames/{n}`, from 0. Of one
/// of an NSFW figure those who hide them get no more than `nsfw_gate` until they ask with `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/scans/{id}",
    tag = "pictures",
    operation_id = "read_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan"), OpenScan),
    responses((status = 200, description = "The scan", body = Gated<ScanView>), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<OpenScan>,
) -> Result<Json<Gated<ScanView>>, Problem> {
    let scan = own(&state, &user, id).await?;
    let nsfw = match scan.is_nsfw {
        true => {
            let piece = collection::piece(&state.pool, user.id, PieceId(scan.piece_id)).await?;
            Some((id, piece.and_then(|piece| piece.figure).ok_or(SCAN_NOT_FOUND)?.id))
        }
        false => None,
    };
    Ok(Json(Gated::of(view(&state, scan).await?, nsfw, &user, query.confirm_nsfw)))
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
    let scan = match own(&state, &caller.user, id).await {
        Ok(scan) => scan,
        Err(problem) => {
            return Err(again::gone::<ChangePictures>(&state, &caller, idempotency, problem).await);
        }
    };
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
    let scan = match own(&state, &caller.user, id).await {
        Err(problem) if problem.code() == SCAN_NOT_FOUND.code() => {
            let before = state.performed_before::<ChangePictures>(&caller, idempotency).await?;
            let position = before.ok_or(problem)?.position;
            return Ok(Written::done(RemovedScan { id, deleted: true }).at(position));
        }
        found => found?,
    };
    let position =
        change(&state, &caller, &scan, idempotency, PictureCommand::RemoveScan(ScanId(id))).await?;
    operational::renders::drop_scan(&state.pool, ScanId(id)).await?;
    let list = format!("/api/me/owned/{}/scans", scan.piece_id);
    state.readable(position, READS, &list).await?;
    Ok(Written::done(RemovedScan { id, deleted: true }).at(position))
}
