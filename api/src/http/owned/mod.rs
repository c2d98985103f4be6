//! `/api/me/owned`: the pieces of one's collection.

mod archive;
mod bodies;
mod edit;
mod many;
mod read;
mod views;

use std::{fmt::Display, str::FromStr};

use axum::middleware::from_fn_with_state;
use database::lanes::answered;
use domain::{collection::Cost, ids::PieceId, refusal::Code, stream::Position};
use projections::collection::{self, ListError, Piece};
use serde::{Deserialize, Deserializer};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use self::views::example_piece;
pub use self::views::{Deleted, PieceView};
use super::as_of;
use crate::{
    answer::Written,
    given::{CURRENCY_MISSING, Given, INVALID_AMOUNT, INVALID_DATE, UNKNOWN_CURRENCY},
    guard::fresh,
    perform::Caller,
    problem::{self, INVALID_CURSOR, Kind, Problem},
    problems,
    state::AppState,
};

/// The read models that a piece is answered from.
pub(super) const READS: &[&str] = &["collection", "preorders", "figures", "entities"];
/// Where they are.
const PLACE: &str = "/api/me/owned";

/// There is no such piece.
pub const PIECE_NOT_FOUND: Kind =
    Kind::refusal(Code::PieceNotFound, "there is no such piece in your collection");
/// There is no such figure.
pub const FIGURE_NOT_FOUND: Kind =
    Kind::refusal(Code::FigureNotFound, "there is no such figure in the catalogue").on("figure_id");
const PREORDER_LIVE: Kind = Kind::refusal(
    Code::PreorderLive,
    "this piece has a live pre-order: cancel it, or state its refund_amount with this request",
)
.on("refund_amount");
const REFUND_ABOVE_PAID: Kind =
    Kind::refusal(Code::RefundAbovePaid, "the refund is at most what was paid so far").on("refund_amount");
const LOSS_MUST_BE_KEPT: Kind = Kind::refusal(
    Code::LossMustBeKept,
    "money was lost on this pre-order; archive the piece so that the loss stays on record",
)
.on("refund_amount");
const PIECE_ARCHIVED: Kind = Kind::refusal(Code::PieceArchived, "a piece is archived already").on("ids");
const SALE_WITHOUT_SOLD: Kind =
    Kind::refusal(Code::SaleWithoutSold, "a sale price or day goes with the reason sold only").on("reason");
const INVALID_NAME: Kind =
    Kind::refusal(Code::InvalidName, "a name needs at least one letter or digit").on("store");
const TOO_MANY: Kind = Kind::refusal(Code::TooMany, "name at most 5,000 pieces at once").on("ids");
const NOTHING_TO_DO: Kind = Kind::refusal(
    Code::NothingToDo,
    "name at least one piece, and say what to do: set_location, set_condition, archive or delete",
);

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING, as_of::PROBLEMS);
problems!(ReadProblems = problem::SIGNED_IN, as_of::PROBLEMS, &[PIECE_NOT_FOUND]);
problems!(
    AddProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[FIGURE_NOT_FOUND, INVALID_AMOUNT, UNKNOWN_CURRENCY, CURRENCY_MISSING, INVALID_DATE, INVALID_NAME],
);
problems!(
    EditProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PIECE_NOT_FOUND, INVALID_AMOUNT, UNKNOWN_CURRENCY, CURRENCY_MISSING, INVALID_DATE, INVALID_NAME],
);
problems!(
    ValueProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PIECE_NOT_FOUND, INVALID_AMOUNT, UNKNOWN_CURRENCY, CURRENCY_MISSING],
);
problems!(ActProblems = problem::SIGNED_IN, problem::WRITE, problem::COMMAND, &[PIECE_NOT_FOUND]);
problems!(
    DeleteProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PIECE_NOT_FOUND, PREORDER_LIVE, REFUND_ABOVE_PAID, LOSS_MUST_BE_KEPT, INVALID_AMOUNT],
);
problems!(
    ArchiveProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[
        PIECE_NOT_FOUND,
        PIECE_ARCHIVED,
        PREORDER_LIVE,
        REFUND_ABOVE_PAID,
        SALE_WITHOUT_SOLD,
        INVALID_AMOUNT,
        UNKNOWN_CURRENCY,
        CURRENCY_MISSING,
        INVALID_DATE,
    ],
);
problems!(
    ArrangeProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PIECE_NOT_FOUND, TOO_MANY, NOTHING_TO_DO],
);
problems!(
    BulkProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[PIECE_NOT_FOUND, PIECE_ARCHIVED, PREORDER_LIVE, TOO_MANY, NOTHING_TO_DO],
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, edit::add))
        .routes(routes!(many::arrange))
        .routes(routes!(many::bulk))
        .routes(routes!(read::read, edit::edit, archive::delete))
        .routes(routes!(edit::value, edit::clear_value))
        .routes(routes!(archive::archive))
        .routes(routes!(archive::restore))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// A query parameter read from its text; an empty one is none.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Key(_) => INVALID_CURSOR.into(),
            ListError::Database(error) => error.into(),
        }
    }
}

/// What a piece cost, as said in a body.
pub(super) fn cost(
    price: Option<&Given>,
    shipping: Option<&Given>,
    fees: Option<&Given>,
    currency: Option<&Given>,
) -> Result<Cost, Problem> {
    let amount = |given: Option<&Given>, field| given.map(|given| given.amount(field)).transpose();
    Ok(Cost {
        price: amount(price, "price_amount")?,
        shipping: amount(shipping, "shipping_amount")?,
        fees: amount(fees, "fees_amount")?,
        currency: currency.map(|given| given.currency("price_currency")).transpose()?,
        fx_rate: None,
    })
}

/// Where a piece is.
pub(super) fn place_of(id: Uuid) -> String {
    format!("{PLACE}/{id}")
}

/// The piece that a write left, once it can be read.
pub(super) async fn written(
    state: &AppState,
    caller: &Caller,
    id: PieceId,
    position: Position,
) -> Result<Piece, Problem> {
    state.readable(position, READS, &place_of(id.uuid())).await?;
    let mut lane = state.lanes.take().await?;
    let found = answered(collection::piece_now(lane.connection()?, caller.user.id, id)).await;
    match lane.back(found)? {
        Some(piece) => Ok(piece),
        None => {
            let left = as_of::left_by(state, caller.user.id, position).await?;
            let piece = collection::piece(left.reading(&state.pool), caller.user.id, id).await?;
            Ok(piece.ok_or(PIECE_NOT_FOUND)?)
        }
    }
}

async fn done(
    state: &AppState,
    caller: &Caller,
    id: PieceId,
    position: Position,
) -> Result<Written<PieceView>, Problem> {
    let piece = written(state, caller, id, position).await?;
    let version = piece.version();
    Ok(Written::done(PieceView::of(piece, &caller.user)).version(version).at(position))
}
