//! `/api/me/preorders`: what one has ordered before it was out, from placing it to the door or its end.

mod bodies;
mod place;
mod read;
mod steps;
mod views;

use axum::middleware::from_fn_with_state;
use domain::{
    commands::PieceVersion,
    ids::{PieceId, PreorderId},
    refusal::Code,
    stream::{Position, Version},
    world,
};
use operational::users::User;
use projections::preorders::{self, losses};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::views::PreorderDetail;
pub use self::views::{Chapter, PreorderView};
use super::{
    as_of::{self, Scene},
    owned::{FIGURE_NOT_FOUND, PIECE_NOT_FOUND},
};
use crate::{
    answer::Written,
    extract::Idempotency,
    given::{CURRENCY_MISSING, INVALID_AMOUNT, INVALID_DATE, UNKNOWN_CURRENCY},
    guard::fresh,
    perform::{Caller, Performed},
    problem::{self, Kind, Problem},
    problems,
    state::AppState,
};

/// The read models that a pre-order is answered from.
pub(super) const READS: &[&str] = &["preorders", "collection", "figures", "entities"];
/// Where they are.
const PLACE: &str = "/api/me/preorders";

/// There is no such pre-order.
const PREORDER_NOT_FOUND: Kind =
    Kind::refusal(Code::PreorderNotFound, "there is no such pre-order in your collection");
const CANCELLED: Kind = Kind::refusal(
    Code::PreorderCancelled,
    "this pre-order was cancelled; restore its piece and place a fresh one with replace",
);
const REPLACED: Kind = Kind::refusal(
    Code::PreorderCancelled,
    "this pre-order was cancelled and replaced; act on the one that replaced it",
);
const NOT_CANCELLED: Kind = Kind::refusal(
    Code::PreorderNotCancelled,
    "only a cancelled pre-order can be replaced; change this one instead",
);
const PIECE_ARCHIVED: Kind = Kind::refusal(
    Code::PieceArchived,
    "restore the piece first; then a fresh pre-order can replace the cancelled one",
);
const ILLEGAL_STEP: Kind =
    Kind::refusal(Code::IllegalStatusStep, "the pre-order cannot go from its status to that one")
        .on("status");
const DEPOSIT_ABOVE_PRICE: Kind =
    Kind::refusal(Code::DepositAbovePrice, "the deposit is part of the price, so at most that")
        .on("deposit_amount");
const REFUND_ABOVE_PAID: Kind =
    Kind::refusal(Code::RefundAbovePaid, "the refund is at most what was paid so far").on("refund_amount");
const LOSS_MUST_BE_KEPT: Kind =
    Kind::refusal(Code::LossMustBeKept, "money was lost, so the piece is archived and not deleted")
        .on("item");
const RELEASE_DATE_REQUIRED: Kind =
    Kind::refusal(Code::ReleaseDateRequired, "a release date can be changed but not taken back")
        .on("release_date");
const INVALID_NAME: Kind =
    Kind::refusal(Code::InvalidName, "a name needs at least one letter or digit").on("store");

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING, as_of::PROBLEMS);
problems!(ReadProblems = problem::SIGNED_IN, as_of::PROBLEMS, &[PREORDER_NOT_FOUND]);
problems!(BreakdownProblems = problem::SIGNED_IN, as_of::PROBLEMS, &[PREORDER_NOT_FOUND]);
problems!(HistoryProblems = problem::SIGNED_IN, problem::LISTING, as_of::PROBLEMS, &[PREORDER_NOT_FOUND]);
problems!(
    PlaceProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[
        FIGURE_NOT_FOUND,
        INVALID_AMOUNT,
        UNKNOWN_CURRENCY,
        CURRENCY_MISSING,
        DEPOSIT_ABOVE_PRICE,
        INVALID_DATE,
        INVALID_NAME,
        ILLEGAL_STEP,
    ],
);
problems!(
    EditProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[
        PREORDER_NOT_FOUND,
        CANCELLED,
        INVALID_AMOUNT,
        UNKNOWN_CURRENCY,
        CURRENCY_MISSING,
        DEPOSIT_ABOVE_PRICE,
        INVALID_DATE,
        INVALID_NAME,
        RELEASE_DATE_REQUIRED,
    ],
);
problems!(
    StepProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PREORDER_NOT_FOUND, CANCELLED, ILLEGAL_STEP, INVALID_DATE],
);
problems!(
    SlipProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PREORDER_NOT_FOUND, CANCELLED, INVALID_DATE],
);
problems!(
    CancelProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PREORDER_NOT_FOUND, CANCELLED, ILLEGAL_STEP, REFUND_ABOVE_PAID, LOSS_MUST_BE_KEPT, INVALID_AMOUNT,],
);
problems!(
    ReplaceProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[
        PREORDER_NOT_FOUND,
        NOT_CANCELLED,
        PIECE_ARCHIVED,
        INVALID_AMOUNT,
        UNKNOWN_CURRENCY,
        CURRENCY_MISSING,
        DEPOSIT_ABOVE_PRICE,
        INVALID_DATE,
        INVALID_NAME,
        ILLEGAL_STEP,
    ],
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, place::place))
        .routes(routes!(read::read, place::edit))
        .routes(routes!(steps::set_status))
        .routes(routes!(steps::slip))
        .routes(routes!(steps::ship))
        .routes(routes!(steps::receive))
        .routes(routes!(steps::cancel))
        .routes(routes!(place::replace))
        .routes(routes!(read::history))
        .routes(routes!(read::take_apart))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

fn place_of(id: PreorderId) -> String {
    format!("{PLACE}/{id}")
}

/// The pre-order that a write left at a position, with its version.
async fn written(
    state: &AppState,
    viewer: &User,
    id: PreorderId,
    position: Position,
) -> Result<(PreorderDetail, PieceVersion), Problem> {
    state.readable(position, READS, &place_of(id)).await?;
    if let Some(found) = detail(&Scene::now(), state, viewer, id).await? {
        return Ok(found);
    }
    let left = as_of::left_by(state, viewer.id, position).await?;
    Ok(detail(&left, state, viewer, id).await?.ok_or(PREORDER_NOT_FOUND)?)
}

/// The pre-order as it reads, with its version.
async fn detail(
    scene: &Scene,
    state: &AppState,
    viewer: &User,
    id: PreorderId,
) -> Result<Option<(PreorderDetail, PieceVersion)>, Problem> {
    let from = scene.reading(&state.pool);
    let Some(found) = preorders::find(from, viewer.id, id).await? else { return Ok(None) };
    let version = PieceVersion { piece: found.piece.version, preorder: Version(found.preorder.version) };
    let earlier = preorders::chapters_of(from, &found.preorder).await?;
    let chapters = std::iter::once(&found.preorder).chain(earlier.iter().map(|(row, _)| row));
    let losses = losses(chapters).into_iter().map(Into::into).collect();
    let today = scene.today();
    let detail = PreorderDetail {
        preorder: PreorderView::of(found, viewer, today),
        earlier_chapters: earlier.into_iter().map(|(row, store)| Chapter::of(row, store, today)).collect(),
        losses,
    };
    Ok(Some((detail, version)))
}

/// Runs a command on the piece of a pre-order, for which only the current chapter's id speaks.
///
/// What was deleted or replaced since is refused, but a repeated request is told what the first one was,
/// and only the log knows of that: so it is asked, about a piece that nobody has.
async fn act<C: world::Command>(
    state: &AppState,
    caller: &Caller,
    id: PreorderId,
    idempotency: Option<Idempotency>,
    command: impl FnOnce(PieceId) -> C,
) -> Result<Performed<C::Answer>, Problem> {
    let (piece, refused) = match preorders::stands_for(&state.pool, caller.user.id, id).await? {
        Some((piece, true)) => (piece, PREORDER_NOT_FOUND),
        Some((_, false)) => (PieceId(Uuid::nil()), REPLACED),
        None => (PieceId(Uuid::nil()), PREORDER_NOT_FOUND),
    };
    if piece.uuid().is_nil() && idempotency.is_none() {
        return Err(refused.into());
    }
    state.perform(caller, idempotency, &command(piece)).await.map_err(|problem| {
        if problem.code() == Problem::from(PIECE_NOT_FOUND).code() { refused.into() } else { problem }
    })
}

/// The answer to something that was done with a pre-order.
async fn acted(
    state: &AppState,
    caller: &Caller,
    id: PreorderId,
    position: Position,
) -> Result<Written<PreorderDetail>, Problem> {
    let (detail, version) = written(state, &caller.user, id, position).await?;
    Ok(Written::done(detail).version(version).at(position))
}

/// The answer to something that made a pre-order.
async fn made(
    state: &AppState,
    caller: &Caller,
    id: PreorderId,
    position: Position,
) -> Result<Written<PreorderDetail>, Problem> {
    let (detail, version) = written(state, &caller.user, id, position).await?;
    Ok(Written::created(detail, place_of(id)).version(version).at(position))
}
