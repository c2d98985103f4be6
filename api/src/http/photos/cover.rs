//! The pinned cover of a piece.

use axum::extract::State;
use domain::{
    commands::{PieceVersion, PinCover},
    ids::{PhotoId, PieceId, ScanId},
    picture::Cover,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::owned::{PieceView, place_of, written},
    CoverProblems,
};
use crate::{
    answer::Written,
    extract::{Command, IfMatch, Path},
    perform::Caller,
    problem::{INVALID_FIELD, Problem},
    state::AppState,
};

/// The read models that the answer is read from.
const READS: &[&str] = &["pictures", "collection", "preorders", "figures", "entities"];

/// What to pin: a photo or a scan of the very piece, or neither, which unpins.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"photo_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41"}))]
pub struct CoverGiven {
    /// A photo of the piece.
    #[serde(default)]
    photo_id: Option<Uuid>,
    /// A scan of the piece: its first frame.
    #[serde(default)]
    scan_id: Option<Uuid>,
}

impl CoverGiven {
    fn cover(&self) -> Result<Option<Cover>, Problem> {
        match (self.photo_id, self.scan_id) {
            (Some(_), Some(_)) => Err(Problem::from(INVALID_FIELD)
                .detail("a cover is a photo or a scan; name one of them")
                .field("scan_id")),
            (Some(id), None) => Ok(Some(Cover::PhotoId(PhotoId(id)))),
            (None, Some(id)) => Ok(Some(Cover::ScanId(ScanId(id)))),
            (None, None) => Ok(None),
        }
    }
}

/// Pins the cover of a piece, or unpins it.
///
/// For whoever is signed in; other people's pieces are not found, and no more are photos and scans of other pieces.
/// Others see it where the picture is shared. Honours `If-Match` and `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/me/owned/{id}/cover",
    tag = "pictures",
    operation_id = "pin_cover",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body = CoverGiven,
    responses((status = 200, description = "The piece as it now is", body = PieceView), CoverProblems)
)]
pub(super) async fn pin(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<CoverGiven>,
) -> Result<Written<PieceView>, Problem> {
    let (user_id, piece_id) = (caller.user.id, PieceId(id));
    let command = PinCover { user_id, piece_id, expected, cover: body.cover()? };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, &place_of(id)).await?;
    let piece = written(&state, &caller, done.answer, done.position).await?;
    let version = piece.version();
    Ok(Written::done(PieceView::of(piece, &caller.user)).version(version).at(done.position))
}
