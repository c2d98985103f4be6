//! A piece that leaves: to the archive, back from there, or for good.

use axum::extract::State;
use domain::{
    collection::Sale,
    commands::{ArchivePieces, DeletePieces, PieceVersion, RestorePiece},
    ids::PieceId,
};
use uuid::Uuid;

use super::{
    ActProblems, ArchiveProblems, DeleteProblems, PLACE, READS,
    bodies::{ArchiveOwned, DeleteOwned, RefundBody},
    done,
    views::{Deleted, PieceView},
};
use crate::{
    answer::Written,
    extract::{Command, IdempotencyKey, IfMatch, Path, Query},
    given,
    perform::Caller,
    problem::{INVALID_FIELD, Problem},
    state::AppState,
};

/// Deletes a piece for good.
///
/// For whoever is signed in; other people's pieces are not found. A live pre-order is cancelled first, with
/// the refund stated; when money is lost on it, the piece can be archived and not deleted.
#[utoipa::path(
    delete,
    path = "/api/me/owned/{id}",
    tag = "collection",
    operation_id = "delete_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), DeleteOwned),
    request_body(content = Option<RefundBody>, description = "The refund, for those who would rather not say it in the query"),
    responses((status = 200, description = "It is gone", body = Deleted), DeleteProblems)
)]
pub(super) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<DeleteOwned>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<RefundBody>,
) -> Result<Written<Deleted>, Problem> {
    let refund = match (query.refund_amount, body.refund_amount) {
        (Some(_), Some(_)) => {
            let detail = "state refund_amount in the query or in the body, not in both";
            return Err(Problem::from(INVALID_FIELD).detail(detail).field("refund_amount"));
        }
        (in_query, in_body) => in_query.or(in_body),
    };
    let command = DeletePieces {
        user_id: caller.user.id,
        piece_ids: vec![PieceId(id)],
        expected,
        refund: refund.map(|given| given.amount("refund_amount")).transpose()?,
    };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, PLACE).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(done.position))
}

/// Archives a piece.
///
/// For whoever is signed in; other people's pieces are not found. A live pre-order is cancelled first, with
/// the refund stated.
#[utoipa::path(
    post,
    path = "/api/me/owned/{id}/archive",
    tag = "collection",
    operation_id = "archive_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body = ArchiveOwned,
    responses((status = 200, description = "The piece as it now is", body = PieceView), ArchiveProblems)
)]
pub(super) async fn archive(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<ArchiveOwned>,
) -> Result<Written<PieceView>, Problem> {
    let price = given::money(
        body.sold_amount.as_ref(),
        body.sold_currency.as_ref(),
        ("sold_amount", "sold_currency"),
    )?;
    let sold_on = body.sold_on.map(|given| given.day("sold_on")).transpose()?;
    let sale = (price.is_some() || sold_on.is_some()).then_some(Sale { price, sold_on });
    let command = ArchivePieces {
        user_id: caller.user.id,
        piece_ids: vec![PieceId(id)],
        expected,
        reason: body.reason,
        sale,
        refund: body.refund_amount.map(|given| given.amount("refund_amount")).transpose()?,
    };
    let archived = state.perform(&caller, idempotency, &command).await?;
    done(&state, &caller, PieceId(id), archived.position).await
}

/// Brings a piece back from the archive.
///
/// For whoever is signed in; other people's pieces are not found. A wish for its figure ends; a cancelled
/// pre-order stays cancelled and can be replaced. A piece that is not archived stays as it is.
#[utoipa::path(
    post,
    path = "/api/me/owned/{id}/restore",
    tag = "collection",
    operation_id = "restore_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    responses((status = 200, description = "The piece as it now is", body = PieceView), ActProblems)
)]
pub(super) async fn restore(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<PieceView>, Problem> {
    let command = RestorePiece { user_id: caller.user.id, piece_id: PieceId(id), expected };
    let restored = state.perform(&caller, idempotency, &command).await?;
    done(&state, &caller, restored.answer, restored.position).await
}
