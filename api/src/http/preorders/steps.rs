//! The steps of a pre-order: its status, a new date, shipping, receipt, and calling it off.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    collection::Condition,
    commands::{CancelPreorder, Fate, PieceVersion, SlipRelease, StepPreorder, Steps},
    ids::PreorderId,
    preorder::{SlipSource, Status},
};
use operational::api_keys::Scope;
use uuid::Uuid;

use super::{
    super::owned::Deleted,
    CancelProblems, PLACE, READS, SlipProblems, StepProblems, act, acted,
    bodies::{CancelBody, ItemFate, ReceiveBody, SetStatusBody, ShipBody, SlipBody},
    views::PreorderDetail,
};
use crate::{
    answer::Written,
    extract::{Command, Idempotency, IfMatch, Path},
    given::{self, Given, INVALID_DATE},
    perform::Caller,
    problem::{INVALID_FIELD, Problem},
    state::AppState,
};

/// Takes a step.
async fn step(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    expected: Option<PieceVersion>,
    idempotency: Option<Idempotency>,
    step: Steps,
) -> Result<Written<PreorderDetail>, Problem> {
    let (id, user_id) = (PreorderId(id), caller.user.id);
    let command = |piece_id| StepPreorder { user_id, piece_id, expected, step };
    let done = act(state, caller, id, idempotency, command).await?;
    acted(state, caller, id, done.position).await
}

fn shipping(
    shipped_at: Option<&Given>,
    tracking_url: Option<&Given>,
    estimated_delivery_days: Option<u16>,
) -> Result<Steps, Problem> {
    Ok(Steps::Ship {
        shipped_at: shipped_at.map(|given| given.moment("shipped_at")).transpose()?,
        tracking_url: tracking_url.map(|given| given.url("tracking_url")).transpose()?,
        estimated_delivery_days,
    })
}

fn receipt(received_at: Option<&Given>, condition: Option<Condition>) -> Result<Steps, Problem> {
    let received_at = received_at.map(|given| given.moment("received_at")).transpose()?;
    Ok(Steps::Receive { received_at, condition })
}

impl SetStatusBody {
    fn step(&self) -> Result<Steps, Problem> {
        let of_shipping = [
            ("shipped_at", self.shipped_at.is_some()),
            ("tracking_url", self.tracking_url.is_some()),
            ("estimated_delivery_days", self.estimated_delivery_days.is_some()),
        ];
        let of_receipt =
            [("received_at", self.received_at.is_some()), ("condition", self.condition.is_some())];
        let said = |fields: &[(&'static str, bool)]| {
            fields.iter().find(|(_, is_said)| *is_said).map(|(field, _)| *field)
        };
        let misplaced = |field: &'static str, status: Status| {
            Problem::from(INVALID_FIELD).detail(format!("{field} goes with the status {status}")).field(field)
        };
        match (self.status, said(&of_shipping), said(&of_receipt)) {
            (Status::Shipped, Some(_), None) => {
                let (at, url) = (self.shipped_at.as_ref(), self.tracking_url.as_ref());
                shipping(at, url, self.estimated_delivery_days)
            }
            (Status::Received, None, Some(_)) => receipt(self.received_at.as_ref(), self.condition),
            (status, None, None) => Ok(Steps::To(status)),
            (Status::Received, Some(field), _) => Err(misplaced(field, Status::Shipped)),
            (_, _, Some(field)) => Err(misplaced(field, Status::Received)),
            (_, Some(field), None) => Err(misplaced(field, Status::Shipped)),
        }
    }
}

/// Takes a pre-order to a status.
///
/// For whoever is signed in; other people's pre-orders are not found. Any step forward, skipping allowed; back
/// is a correction: from `received` to `shipped` when a shipping day is recorded, else to anything earlier;
/// from `shipped` to anything earlier, which forgets that day. For `cancelled` there is `cancel`.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/status",
    tag = "pre-orders",
    operation_id = "set_preorder_status",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = SetStatusBody,
    responses((status = 200, description = "The pre-order as it now is", body = PreorderDetail), StepProblems)
)]
pub(super) async fn set_status(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<SetStatusBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    step(&state, &caller, id, expected, idempotency, body.step()?).await
}

/// Records a release date that was announced.
///
/// For whoever is signed in; other people's pre-orders are not found. Every change is kept in the history; it
/// counts as a slip when it is later than all of the period announced before. The same date again changes
/// nothing. A date that the catalogue offers (`offered_release_date`) is taken by naming it here.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/slip",
    tag = "pre-orders",
    operation_id = "slip_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = SlipBody,
    responses((status = 200, description = "The pre-order as it now is", body = PreorderDetail), SlipProblems)
)]
pub(super) async fn slip(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<SlipBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    let precision = body.release_date_precision.as_ref();
    let release = given::release(Some(&body.new_date), precision, ("new_date", "release_date_precision"))?
        .ok_or_else(|| Problem::from(INVALID_DATE).field("new_date"))?;
    let (id, user_id) = (PreorderId(id), caller.user.id);
    let (source, note) = (body.source.unwrap_or(SlipSource::User), body.note);
    let command = |piece_id| SlipRelease { user_id, piece_id, expected, release, source, note };
    let done = act(&state, &caller, id, idempotency, command).await?;
    acted(&state, &caller, id, done.position).await
}

/// Says that a pre-order left the shop.
///
/// For whoever is signed in; other people's pre-orders are not found. Of one on its way, corrects the day,
/// tracking and estimate.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/ship",
    tag = "pre-orders",
    operation_id = "ship_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = ShipBody,
    responses((status = 200, description = "The pre-order as it now is", body = PreorderDetail), StepProblems)
)]
pub(super) async fn ship(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<ShipBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    let to = shipping(body.shipped_at.as_ref(), body.tracking_url.as_ref(), body.estimated_delivery_days)?;
    step(&state, &caller, id, expected, idempotency, to).await
}

/// Says that a pre-order is here.
///
/// For whoever is signed in; other people's pre-orders are not found. From here on its piece counts as owned.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/receive",
    tag = "pre-orders",
    operation_id = "receive_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = ReceiveBody,
    responses((status = 200, description = "The pre-order as it now is", body = PreorderDetail), StepProblems)
)]
pub(super) async fn receive(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<ReceiveBody>,
) -> Result<Written<PreorderDetail>, Problem> {
    step(&state, &caller, id, expected, idempotency, receipt(body.received_at.as_ref(), body.condition)?)
        .await
}

/// Calls a pre-order off.
///
/// For whoever is signed in; other people's pre-orders are not found. When less comes back than was paid, the
/// piece goes to the archive, so that the loss is remembered; else it may be deleted instead, and its
/// pre-order with it.
#[utoipa::path(
    post,
    path = "/api/me/preorders/{id}/cancel",
    tag = "pre-orders",
    operation_id = "cancel_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order")),
    request_body = CancelBody,
    responses(
        (
            status = 200,
            description = "The pre-order as it now is; `{\"id\": …, \"deleted\": true}` when it was deleted",
            body = PreorderDetail,
        ),
        CancelProblems,
    )
)]
pub(super) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<PieceVersion>,
    Command { body, idempotency }: Command<CancelBody>,
) -> Result<Response, Problem> {
    let refund = body.refund_amount.amount("refund_amount")?;
    let fate = body.item.map(|item| match item {
        ItemFate::Archive => Fate::Archive,
        ItemFate::Delete => Fate::Delete,
    });
    if body.item == Some(ItemFate::Delete) {
        caller.grants.need(Scope::CollectionDelete)?;
    }
    let (id, user_id) = (PreorderId(id), caller.user.id);
    let command = |piece_id| CancelPreorder { user_id, piece_id, expected, refund, fate };
    let done = act(&state, &caller, id, idempotency, command).await?;
    if body.item == Some(ItemFate::Delete) {
        state.readable(done.position, READS, PLACE).await?;
        let deleted = Deleted { id: id.uuid(), deleted: true };
        return Ok(Written::done(deleted).at(done.position).into_response());
    }
    Ok(acted(&state, &caller, id, done.position).await?.into_response())
}
