//! One thing done with many pieces: putting them in their places, changing, archiving or deleting them.

use axum::extract::State;
use domain::{
    collection::Placement,
    commands::{ArchivePieces, ArrangePieces, ChangePieces, DeletePieces},
    ids::{PieceId, UserId},
};
use operational::api_keys::Scope;

use super::{
    ArrangeProblems, BulkProblems, NOTHING_TO_DO, PLACE, READS,
    bodies::{ArrangeOwned, BulkArchive, BulkOwned},
    views::Updated,
};
use crate::{
    answer::Written,
    extract::Command,
    perform::Caller,
    problem::{INVALID_FIELD, MISSING_FIELD, Problem},
    state::AppState,
};

/// Most bytes of a body that names thousands of pieces.
const BULK_LIMIT: usize = 1024 * 1024;

/// Puts pieces in their places.
///
/// For whoever is signed in. Re-homes and re-orders any number of one's pieces: all or nothing.
#[utoipa::path(
    put,
    path = "/api/me/owned/arrange",
    tag = "collection",
    operation_id = "arrange_owned",
    security(("session" = [])),
    request_body = ArrangeOwned,
    responses((status = 200, description = "They stand there now", body = Updated), ArrangeProblems)
)]
pub(super) async fn arrange(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<ArrangeOwned, BULK_LIMIT>,
) -> Result<Written<Updated>, Problem> {
    let updated = body.items.len();
    let mut placements = Vec::with_capacity(updated);
    for (at, item) in body.items.into_iter().enumerate() {
        let location = item.location.into_option().ok_or_else(|| {
            let field = format!("items[{at}].location");
            Problem::from(MISSING_FIELD).detail(format!("{field} is needed; null is nowhere")).field(field)
        })?;
        placements.push(Placement { piece_id: PieceId(item.id), location, sort_order: item.sort_order });
    }
    let command = ArrangePieces { user_id: caller.user.id, placements };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, PLACE).await?;
    Ok(Written::done(Updated { updated }).at(done.position))
}

enum BulkAction {
    Change(ChangePieces),
    Archive(ArchivePieces),
    Delete(DeletePieces),
}

impl BulkOwned {
    fn action(self, user_id: UserId) -> Result<BulkAction, Problem> {
        let piece_ids = self.ids.into_iter().map(PieceId).collect();
        let (location, condition) = (self.set_location.into_option(), self.set_condition.into_option());
        let sets = location.is_some() || condition.is_some();
        match (sets, self.archive, self.delete) {
            (true, None, false) => {
                Ok(BulkAction::Change(ChangePieces { user_id, piece_ids, location, condition }))
            }
            (false, Some(BulkArchive { reason }), false) => Ok(BulkAction::Archive(ArchivePieces {
                user_id,
                piece_ids,
                expected: None,
                reason,
                sale: None,
                refund: None,
            })),
            (false, None, true) => {
                Ok(BulkAction::Delete(DeletePieces { user_id, piece_ids, expected: None, refund: None }))
            }
            (false, None, false) => Err(NOTHING_TO_DO.into()),
            (_, archive, _) => {
                let detail =
                    "one request sets location and condition, archives, or deletes; not two of these";
                let field = if archive.is_some() { "archive" } else { "delete" };
                Err(Problem::from(INVALID_FIELD).detail(detail).field(field))
            }
        }
    }
}

/// Does one thing with many pieces.
///
/// For whoever is signed in. Sets location or condition (or both), archives, or deletes any number of one's
/// pieces: all or nothing. Pieces with a live pre-order are archived and deleted one by one, with their
/// refund.
#[utoipa::path(
    post,
    path = "/api/me/owned/bulk",
    tag = "collection",
    operation_id = "bulk_owned",
    security(("session" = [])),
    request_body = BulkOwned,
    responses((status = 200, description = "All of them are so now", body = Updated), BulkProblems)
)]
pub(super) async fn bulk(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<BulkOwned, BULK_LIMIT>,
) -> Result<Written<Updated>, Problem> {
    let updated = body.ids.len();
    let position = match body.action(caller.user.id)? {
        BulkAction::Change(command) => state.perform(&caller, idempotency, &command).await?.position,
        BulkAction::Archive(command) => state.perform(&caller, idempotency, &command).await?.position,
        BulkAction::Delete(command) => {
            caller.grants.need(Scope::CollectionDelete)?;
            state.perform(&caller, idempotency, &command).await?.position
        }
    };
    state.readable(position, READS, PLACE).await?;
    Ok(Written::done(Updated { updated }).at(position))
}
