//! Adding a piece, changing what is said of it, and what its owner thinks it is worth.

use axum::extract::State;
use domain::{
    commands::{AddPiece, EditPiece, PieceFields, PieceVersion, ValuePiece},
    ids::{FigureId, PieceId},
};
use uuid::Uuid;

use super::{
    ActProblems, AddProblems, EditProblems, ValueProblems,
    bodies::{AddOwned, EditOwned, ValueOwned},
    cost, done, place_of,
    views::PieceView,
    written,
};
use crate::{
    answer::Written,
    change::Change,
    extract::{Command, IdempotencyKey, IfMatch, Path},
    given::{self, Given},
    perform::Caller,
    problem::Problem,
    state::AppState,
};

/// Adds a piece.
///
/// For whoever is signed in. One may own several copies of a figure. A wish for the figure ends.
#[utoipa::path(
    post,
    path = "/api/me/owned",
    tag = "collection",
    operation_id = "add_owned",
    security(("session" = [])),
    request_body = AddOwned,
    responses((status = 201, description = "The piece", body = PieceView), AddProblems)
)]
pub(super) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<AddOwned>,
) -> Result<Written<PieceView>, Problem> {
    let fields = PieceFields {
        condition: body.condition,
        cost: cost(
            body.price_amount.as_ref(),
            body.shipping_amount.as_ref(),
            body.fees_amount.as_ref(),
            body.price_currency.as_ref(),
        )?,
        purchase_date: body.purchase_date.map(|given| given.day("purchase_date")).transpose()?,
        store: body.store,
        location: body.location,
        notes: body.notes,
        origin: body.origin,
        origin_from: body.origin_from,
        value: given::money(
            body.value_amount.as_ref(),
            body.value_currency.as_ref(),
            ("value_amount", "value_currency"),
        )?,
        source: None,
    };
    let command = AddPiece {
        user_id: caller.user.id,
        piece_id: PieceId(Uuid::now_v7()),
        figure_id: FigureId(body.figure_id),
        fields,
    };
    let done = state.perform(&caller, idempotency, &command).await?;
    let piece = written(&state, &caller, done.answer, done.position).await?;
    let version = piece.version();
    let place = place_of(piece.row.id);
    Ok(Written::created(PieceView::of(piece, &caller.user), place).version(version).at(done.position))
}

/// Changes a piece.
///
/// For whoever is signed in; other people's pieces are not found. Price, shipping, currency and store are
/// one fact with a pre-order that is not cancelled: it changes along.
#[utoipa::path(
    patch,
    path = "/api/me/owned/{id}",
    tag = "collection",
    operation_id = "edit_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body = EditOwned,
    responses((status = 200, description = "The piece as it now is", body = PieceView), EditProblems)
)]
pub(super) async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<EditOwned>,
) -> Result<Written<PieceView>, Problem> {
    let amount = |change: Change<Given>, field| change.try_map(|given| given.amount(field));
    let command = EditPiece {
        expected,
        condition: body.condition.into_option(),
        price: amount(body.price_amount, "price_amount")?.into_option(),
        shipping: amount(body.shipping_amount, "shipping_amount")?.into_option(),
        fees: amount(body.fees_amount, "fees_amount")?.into_option(),
        currency: body.price_currency.try_map(|given| given.currency("price_currency"))?.into_option(),
        purchase_date: body.purchase_date.try_map(|given| given.day("purchase_date"))?.into_option(),
        store: body.store.into_option(),
        location: body.location.into_option(),
        notes: body.notes.into_option(),
        origin: body.origin,
        origin_from: body.origin_from.into_option(),
        ..EditPiece::of(caller.user.id, PieceId(id))
    };
    let edited = state.perform(&caller, idempotency, &command).await?;
    done(&state, &caller, edited.answer, edited.position).await
}

/// States one's own valuation of a piece.
///
/// For whoever is signed in; other people's pieces are not found. It goes before market prices and the list
/// price, and nothing but its owner changes it.
#[utoipa::path(
    put,
    path = "/api/me/owned/{id}/value",
    tag = "collection",
    operation_id = "value_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body = ValueOwned,
    responses((status = 200, description = "The piece as it now is", body = PieceView), ValueProblems)
)]
pub(super) async fn value(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<ValueOwned>,
) -> Result<Written<PieceView>, Problem> {
    let fields = ("value_amount", "value_currency");
    let value = given::money(Some(&body.value_amount), body.value_currency.as_ref(), fields)?;
    let command = ValuePiece { user_id: caller.user.id, piece_id: PieceId(id), expected, value };
    let valued = state.perform(&caller, idempotency, &command).await?;
    done(&state, &caller, valued.answer, valued.position).await
}

/// Takes one's own valuation of a piece back.
///
/// For whoever is signed in; other people's pieces are not found. Without a valuation nothing changes.
#[utoipa::path(
    delete,
    path = "/api/me/owned/{id}/value",
    tag = "collection",
    operation_id = "clear_owned_value",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    responses((status = 200, description = "The piece as it now is", body = PieceView), ActProblems)
)]
pub(super) async fn clear_value(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<PieceView>, Problem> {
    let command = ValuePiece { user_id: caller.user.id, piece_id: PieceId(id), expected, value: None };
    let cleared = state.perform(&caller, idempotency, &command).await?;
    done(&state, &caller, cleared.answer, cleared.position).await
}
