//! The frames of a scan.

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use domain::{
    collection::PictureCommand,
    ids::{ScanId, UserId},
    picture::{ImageType, LARGE_SIDE, MOST_FRAMES, SMALL_SIDE},
};
use projections::pictures;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    super::photos::may_see,
    FRAME_NOT_FOUND, ReplaceProblems, SCAN_NOT_FOUND, change, own,
    views::{Frame, Frames, ScanView},
    written,
};
use crate::{
    answer::Written,
    extract::{IdempotencyKey, MaybeUser, Path, Query},
    perform::Caller,
    problem::{self, INVALID_FIELD, Problem},
    problems,
    served::{self, Privacy, RANGE_NOT_SATISFIABLE},
    state::AppState,
    uploads::{self, STORAGE_UNAVAILABLE, Taken},
};

problems!(
    ShowProblems = problem::LISTING,
    &[SCAN_NOT_FOUND, FRAME_NOT_FOUND, RANGE_NOT_SATISFIABLE, STORAGE_UNAVAILABLE],
);

/// How large.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Size {
    /// 320 or 960: a WebP of at most so many pixels a side. Left out: as it was sent, re-encoded.
    size: Option<u32>,
}

/// Shows a frame.
///
/// Anybody may see the first frame of a scan that its owner shares and has pinned as the cover of its piece; of an NSFW
/// figure not those who hide them, nor people without an account. All others are their owner's alone. It is told apart
/// by `ETag`, and parts of it can be asked for by `Range`.
#[utoipa::path(
    get,
    path = "/api/scans/{id}/frames/{n}",
    tag = "pictures",
    operation_id = "show_scan_frame",
    params(("id" = Uuid, Path, description = "The scan"), ("n" = usize, Path, description = "Which, from 0"), Size),
    responses((status = 200, description = "The picture", content_type = "image/*"), ShowProblems)
)]
pub(super) async fn show(
    State(state): State<AppState>,
    MaybeUser(viewer): MaybeUser,
    Path((id, n)): Path<(Uuid, usize)>,
    Query(Size { size }): Query<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scan = pictures::scan(&state.pool, ScanId(id)).await?.ok_or(SCAN_NOT_FOUND)?;
    let (owner, is_shown) = (UserId(scan.user_id), scan.shared && scan.is_cover && n == 0);
    may_see(&state, owner, is_shown, scan.is_nsfw, viewer.as_ref(), true, SCAN_NOT_FOUND).await?;
    let frame = scan.frames.get(n).ok_or(FRAME_NOT_FOUND)?;
    let (key, media_type) = match size {
        None => (&frame.original, frame.media_type),
        Some(SMALL_SIDE) => (&frame.small, ImageType::WebP),
        Some(LARGE_SIDE) => (&frame.large, ImageType::WebP),
        Some(_) => return Err(Problem::from(INVALID_FIELD).detail("size is 320 or 960").field("size")),
    };
    served::blob(&state, &headers, key, media_type.as_str(), Privacy::Private).await
}

/// Puts other frames in place of all of a scan's.
///
/// For whoever is signed in, their own scans alone. As for a new scan; what was made of the old frames goes.
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
    let scan = own(&state, &caller.user, id).await?;
    let frames = uploads::pictures(&state, request, Taken::pictures("frame", MOST_FRAMES)).await?;
    let idempotency = uploads::recognised(key, &frames);
    let frames = PictureCommand::ReplaceFrames { scan_id: ScanId(id), frames };
    let position = change(&state, &caller, &scan, idempotency, frames).await?;
    operational::renders::drop_scan(&state.pool, ScanId(id)).await?;
    written(&state, &caller.user, ScanId(id), position).await
}

/// Puts another picture in place of one frame.
///
/// For whoever is signed in, their own scans alone. What was made of the old frames goes.
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
    let scan = own(&state, &caller.user, id).await?;
    scan.frames.get(n).ok_or(FRAME_NOT_FOUND)?;
    let mut sent = uploads::pictures(&state, request, Taken::pictures("frame", 1)).await?;
    let idempotency = uploads::recognised(key, &sent);
    // As it stands now, for whatever was replaced while the picture came in.
    let scan = own(&state, &caller.user, id).await?;
    let mut frames = scan.frames.clone();
    match (frames.get_mut(n), sent.pop()) {
        (Some(frame), Some(picture)) => *frame = picture,
        _ => return Err(FRAME_NOT_FOUND.into()),
    }
    let frames = PictureCommand::ReplaceFrames { scan_id: ScanId(id), frames };
    let position = change(&state, &caller, &scan, idempotency, frames).await?;
    operational::renders::drop_scan(&state.pool, ScanId(id)).await?;
    written(&state, &caller.user, ScanId(id), position).await
}
