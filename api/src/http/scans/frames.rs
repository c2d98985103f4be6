//! The frames of a scan.

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use domain::{
    collection::PictureCommand,
    commands::ChangePictures,
    ids::{ScanId, UserId},
    picture::MOST_FRAMES,
    refusal::Code,
    stream::Position,
};
use projections::pictures::{self, OwnedScan};
use uuid::Uuid;

use super::{
    super::photos::{NSFW_GATE, ServePicture, again, file_of, may_see},
    FRAME_NOT_FOUND, READS, ReplaceProblems, SCAN_NOT_FOUND, change, digest, own, own_to_replace, place,
    view,
    views::{Frame, Frames, ScanView},
};
use crate::{
    answer::Written,
    extract::{IdempotencyKey, MaybeUser, Path, Query},
    perform::{Caller, gone_since},
    problem::{self, MISSING_FIELD, Problem},
    problems,
    served::{self, Privacy, RANGE_NOT_SATISFIABLE},
    state::AppState,
    uploads::{self, STORAGE_UNAVAILABLE, Taken},
};

/// How often a frame is put beside others that were replaced at the same time.
const MOST_LOOKS: u8 = 20;

problems!(
    ShowProblems = problem::LISTING,
    &[SCAN_NOT_FOUND, FRAME_NOT_FOUND, NSFW_GATE, RANGE_NOT_SATISFIABLE, STORAGE_UNAVAILABLE],
);

/// Shows a frame.
///
/// Anybody may see the first frame of a scan that its owner shares and has pinned as the cover of its piece; of an NSFW
/// figure not those who hide them, nor people without an account. All others are their owner's alone, who is asked first
/// with `confirm_nsfw=true` where they hide NSFW figures. It is told apart by `ETag`, and parts of it can be asked for
/// by `Range`.
#[utoipa::path(
    get,
    path = "/api/scans/{id}/frames/{n}",
    tag = "pictures",
    operation_id = "show_scan_frame",
    params(("id" = Uuid, Path, description = "The scan"), ("n" = usize, Path, description = "Which, from 0"), ServePicture),
    responses((status = 200, description = "The picture", content_type = "image/*"), ShowProblems)
)]
pub(super) async fn show(
    State(state): State<AppState>,
    MaybeUser(viewer): MaybeUser,
    Path((id, n)): Path<(Uuid, usize)>,
    Query(query): Query<ServePicture>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scan = pictures::scan(&state.pool, ScanId(id)).await?.ok_or(SCAN_NOT_FOUND)?;
    let (owner, is_shown) = (UserId(scan.user_id), scan.shared && scan.is_cover && n == 0);
    let (viewer, confirmed) = (viewer.as_ref(), query.confirm_nsfw);
    may_see(&state, owner, is_shown, scan.is_nsfw, viewer, confirmed, SCAN_NOT_FOUND).await?;
    let frame = scan.frames.get(n).ok_or(FRAME_NOT_FOUND)?;
    let (key, media_type) = file_of(frame, query.size);
    served::blob(&state, &headers, &key, media_type, Privacy::Private).await
}

/// The scan that a write left, once it can be read; what was made of frames that it has not any more is gone, and what
/// was to be made of them is called off.
async fn replaced(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    position: Position,
) -> Result<Written<ScanView>, Problem> {
    state.readable(position, READS, &place(ScanId(id))).await?;
    workers::renders::replaced(&state.pool, ScanId(id)).await?;
    let scan = own(state, &caller.user, id).await.map_err(|problem| gone_since(problem, position))?;
    Ok(Written::done(view(state, scan).await?).at(position))
}

/// Puts other frames in place of all of a scan's.
///
/// For whoever is signed in, their own scans alone. As for a new scan; what was made of the old frames goes, and what was
/// to be made of them is called off: `renders` says so.
#[utoipa::path(
    put,
    path = "/api/scans/{id}/frames",
    tag = "pictures",
    operation_id = "replace_scan_frames",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan")),
    request_body(content = Frames, content_type = "multipart/form-data", description = "The frames"),
    responses((status = 200, description = "The scan as it now is", body = ScanView), ReplaceProblems)
)]
pub(super) async fn replace_all(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<ScanView>, Problem> {
    let taken = Taken::pictures("frame", MOST_FRAMES);
    let scan = match own_to_replace(&state, &caller.user, id).await {
        Ok(scan) => scan,
        Err(problem) => {
            return Err(again::gone_pictures::<ChangePictures>(
                &state, &caller, key, request, taken, problem,
            )
            .await);
        }
    };
    let frames = uploads::pictures(&state, request, taken).await?;
    let idempotency = uploads::recognised(key, &frames);
    let frames = PictureCommand::ReplaceFrames { scan_id: ScanId(id), expected: None, frames };
    let position = change(&state, &caller, &scan, idempotency, frames).await?;
    replaced(&state, &caller, id, position).await
}

/// Puts another picture in place of one frame.
///
/// For whoever is signed in, their own scans alone. What was made of the old frames goes, and what was to be made of them
/// is called off: `renders` says so.
#[utoipa::path(
    put,
    path = "/api/scans/{id}/frames/{n}",
    tag = "pictures",
    operation_id = "replace_scan_frame",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan"), ("n" = usize, Path, description = "Which, from 0")),
    request_body(content = Frame, content_type = "multipart/form-data", description = "The frame"),
    responses((status = 200, description = "The scan as it now is", body = ScanView), ReplaceProblems)
)]
pub(super) async fn replace_one(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, n)): Path<(Uuid, usize)>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<ScanView>, Problem> {
    let found = own_to_replace(&state, &caller.user, id).await;
    let found = found.and_then(|scan| scan.frames.get(n).map(|_| ()).ok_or_else(|| FRAME_NOT_FOUND.into()));
    let taken = Taken::pictures("frame", 1);
    if let Err(problem) = found {
        return Err(
            again::gone_pictures::<ChangePictures>(&state, &caller, key, request, taken, problem).await
        );
    }
    let sent = uploads::pictures(&state, request, taken).await?;
    let idempotency = uploads::recognised(key, &sent);
    let picture = sent.into_iter().next().ok_or(MISSING_FIELD)?;
    let put_in = |scan: OwnedScan| {
        let mut frames = scan.frames.clone();
        *frames.get_mut(n).ok_or(FRAME_NOT_FOUND)? = picture.clone();
        Ok((scan, frames))
    };
    let mut looks = 0_u8;
    let position = loop {
        let (scan, frames) = match own(&state, &caller.user, id).await.and_then(put_in) {
            Ok(found) => found,
            Err(problem) => {
                return Err(again::gone::<ChangePictures>(&state, &caller, idempotency, problem).await);
            }
        };
        let (scan_id, expected) = (ScanId(id), Some(digest(&scan)));
        let frames = PictureCommand::ReplaceFrames { scan_id, expected, frames };
        match change(&state, &caller, &scan, idempotency.clone(), frames).await {
            // Another frame was replaced meanwhile, or the read model is late: this one goes beside it.
            Err(stale) if stale.code() == Code::Stale.as_str() && looks < MOST_LOOKS => {
                let head = state.store.head().await?;
                if state.readable(head, READS, &place(scan_id)).await.is_err() {
                    return Err(stale);
                }
                looks = looks.saturating_add(1);
            }
            done => break done?,
        }
    };
    replaced(&state, &caller, id, position).await
}
