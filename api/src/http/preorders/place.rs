//! Placing a pre-order, changing what is said of it, and placing a fresh one for a cancelled one.

use axum::extract::State;
use domain::{
    collection::Cost,
    commands::{EditPreorder, PieceFields, PieceVersion, PlacePreorder, PreorderFields, ReplacePreorder},
    ids::{FigureId, PieceId, PreorderId},
    preorder::Status,
};
use uuid::Uuid;

use super::{
    super::owned::cost,
    EditProblems, PlaceProblems, RELEASE_DATE_REQUIRED, ReplaceProblems, act, acted,
    bodies::{EditPreorderBody, PlacePreorderBody, ReplacePreorderBody},
    made,
    views::PreorderDetail,
};
use crate::{
    answer::Written,
    change::Change,
    extract::{Command, IfMatch, Path},
    given::{self, Given},
    perform::Caller,
    problem::{INVALID_FIELD, Problem},
    state::AppState,
};

/// Places a pre-order.
///
/// For whoever is signed in. Makes its piece in the same step; a wish for the figure ends.
#[utoipa::path(
    post,
    path = "/api/me/preorders",
    tag = "pre-orders",
    operation_id = "place_preorder",
    security(("session" = [])),
    request_body = PlacePreorderBody,
    responses((status = 201, description = "The pre-order", body = PreorderDetail), PlaceProblems)
)]
pub(super) async fn place(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<PlacePreorderBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    let piece = PieceFields {
        condition: body.condition,
        cost: cost(
            body.price_amount.as_ref(),
            body.shipping_amount.as_ref(),
            None,
            body.price_currency.as_ref(),
        )?,
        purchase_date: body.purchase_date.map(|given| given.day("purchase_date")).transpose()?,
        store: body.store,
        location: body.location,
        notes: body.notes,
        ..PieceFields::default()
    };
    let preorder = fields(
        body.status,
        first_date(body.release_date.as_ref(), body.release_date_original.as_ref())?,
        body.release_date_precision.as_ref(),
        body.deposit_amount.as_ref(),
        body.tracking_url.as_ref(),
        body.estimated_delivery_days,
    )?;
    let command = PlacePreorder {
        user_id: caller.user.id,
        piece_id: PieceId(Uuid::now_v7()),
        preorder_id: PreorderId(Uuid::now_v7()),
        figure_id: FigureId(body.figure_id),
        piece,
        preorder,
    };
    let done = state.perform(&caller, idempotency, &command).await?;
    made(&state, &caller, done.answer, done.position).await
}

/// The date that a pre-order begins with: current and original are one then.
fn first_date<'a>(
    current: Option<&'a Given>,
    original: Option<&'a Given>,
) -> Result<Option<&'a Given>, Problem> {
    match (current, original) {
        (Some(current), Some(original)) if current != original => Err(Problem::from(INVALID_FIELD)
            .detail("a pre-order begins with one date; record a change of it with slip")
            .field("release_date_original")),
        (current, original) => Ok(current.or(original)),
    }
}

/// What is said of a pre-order beside its cost and store.
fn fields(
    status: Option<Status>,
    date: Option<&Given>,
    precision: Option<&Given>,
    deposit: Option<&Given>,
    tracking_url: Option<&Given>,
    estimated_delivery_days: Option<u16>,
) -> Result<PreorderFields, Problem> {
    Ok(PreorderFields {
        status,
        release: given::release(date, precision, ("release_date", "release_date_precision"))?,
        deposit: deposit.map(|given| given.amount("deposit_amount")).transpose()?,
        tracking_url: tracking_url.map(|given| given.url("tracking_url")).transpose()?,
        estimated_delivery_days,
    })
}

/// Changes a pre-order.
///
/// For whoever is signed in; other people's pre-orders are not found. Price, shipping, currency and store are
/// one fact with the piece: it changes along. Nothing of a cancelled one can be changed.
#[utoipa::path(
    patch,
    path = "/api/me/preorders/{id}",
    tag = "pre-orders",
    operation_id = "edit_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = EditPreorderBody,
    responses((status = 200, description = "The pre-order as it now is", body = PreorderDetail), EditProblems)
)]
pub(super) async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<EditPreorderBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    let amount = |change: Change<Given>, field| change.try_map(|given| given.amount(field));
    let date = match body.release_date {
        Change::Keep => None,
        Change::Clear => return Err(RELEASE_DATE_REQUIRED.into()),
        Change::Set(date) => Some(date),
    };
    let precision = body.release_date_precision.as_ref();
    let edit = EditPreorder {
        expected,
        price: amount(body.price_amount, "price_amount")?.into_option(),
        shipping: amount(body.shipping_amount, "shipping_amount")?.into_option(),
        currency: body.price_currency.try_map(|given| given.currency("price_currency"))?.into_option(),
        deposit: amount(body.deposit_amount, "deposit_amount")?.into_option(),
        balance_paid: body.balance_paid,
        store: body.store.into_option(),
        tracking_url: body.tracking_url.try_map(|given| given.url("tracking_url"))?.into_option(),
        estimated_delivery_days: body.estimated_delivery_days.into_option(),
        release: given::release(date.as_ref(), precision, ("release_date", "release_date_precision"))?,
        ..EditPreorder::of(caller.user.id, PieceId(Uuid::nil()))
    };
    let id = PreorderId(id);
    let done = act(&state, &caller, id, idempotency, |piece_id| EditPreorder { piece_id, ..edit }).await?;
    acted(&state, &caller, id, done.position).await
}

/// Places a fresh pre-order in place of a cancelled one.
///
/// For whoever is signed in; other people's pre-orders are not found. The piece has to be restored first. The
/// fresh one has an id of its own; slips and losses of the cancelled one stay on record.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/replace",
    tag = "pre-orders",
    operation_id = "replace_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cancelled pre-order")),
    request_body = ReplacePreorderBody,
    responses((status = 201, description = "The fresh pre-order", body = PreorderDetail), ReplaceProblems)
)]
pub(super) async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<ReplacePreorderBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    let cost: Cost =
        cost(body.price_amount.as_ref(), body.shipping_amount.as_ref(), None, body.price_currency.as_ref())?;
    let preorder = fields(
        body.status,
        first_date(body.release_date.as_ref(), body.release_date_original.as_ref())?,
        body.release_date_precision.as_ref(),
        body.deposit_amount.as_ref(),
        body.tracking_url.as_ref(),
        body.estimated_delivery_days,
    )?;
    let user_id = caller.user.id;
    let command = |piece_id| ReplacePreorder {
        user_id,
        piece_id,
        expected,
        preorder_id: PreorderId(Uuid::now_v7()),
        cost,
        store: body.store,
        preorder,
    };
    let done = act(&state, &caller, PreorderId(id), idempotency, command).await?;
    made(&state, &caller, done.answer, done.position).await
}
