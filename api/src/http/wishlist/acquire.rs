//! How a wish comes true.

use axum::extract::State;
use domain::{
    collection::{Condition, Origin},
    commands::{AcquireWish, PieceFields, PreorderFields},
    ids::{FigureId, PieceId, PreorderId},
    preorder::Status,
    refusal::Code,
    text::{HttpUrl, Line, Location, Name, Note},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::owned::{self, FIGURE_NOT_FOUND, PieceView, cost, place_of},
    WISH_NOT_FOUND,
};
use crate::{
    answer::Written,
    extract::{Command, IfMatch, Path},
    given::{self, CURRENCY_MISSING, Given, INVALID_AMOUNT, INVALID_DATE, UNKNOWN_CURRENCY},
    perform::Caller,
    problem::{self, Kind, Problem},
    problems,
    state::AppState,
};

const DEPOSIT_ABOVE_PRICE: Kind =
    Kind::refusal(Code::DepositAbovePrice, "the deposit is part of the price, so at most that")
        .on("deposit_amount");
const ILLEGAL_STATUS_STEP: Kind = Kind::refusal(
    Code::IllegalStatusStep,
    "a pre-order is placed before it ships; ship or receive it afterwards",
)
.on("status");

problems!(
    AcquireProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[
        FIGURE_NOT_FOUND,
        WISH_NOT_FOUND,
        INVALID_AMOUNT,
        UNKNOWN_CURRENCY,
        CURRENCY_MISSING,
        INVALID_DATE,
        DEPOSIT_ABOVE_PRICE,
        ILLEGAL_STATUS_STEP,
    ],
);

/// What is known of the piece that a wish becomes, and of its pre-order when the figure is not released
/// yet.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_acquire)]
pub struct AcquireBody {
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Option<Condition>,
    /// What it costs, a decimal string.
    #[schema(value_type = Option<String>)]
    price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping, fees and deposit.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    shipping_amount: Option<Given>,
    /// Import VAT and customs, in the same currency.
    #[schema(value_type = Option<String>)]
    fees_amount: Option<Given>,
    /// The day it was bought.
    #[schema(value_type = Option<String>, format = Date)]
    purchase_date: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    store: Option<Name>,
    /// Where it stands.
    #[schema(value_type = Option<String>, max_length = 120)]
    location: Option<Location>,
    /// At most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    notes: Option<Note>,
    /// How it came: `purchased` (unless said otherwise), `gift`, `trade`, `found` or `inherited`.
    #[schema(value_type = Option<String>, pattern = "^(purchased|gift|trade|found|inherited)$")]
    origin: Option<Origin>,
    /// From whom.
    #[schema(value_type = Option<String>, max_length = 200)]
    origin_from: Option<Line<200>>,
    /// How its pre-order stands: `preordered` unless said otherwise; anything before shipping.
    #[schema(value_type = Option<String>, pattern = "^(announced|preorder_open|preordered|in_production|released)$")]
    status: Option<Given>,
    /// When it is released: `2027-05-20`, `2027-05` or `2027`; the catalogue's date unless said otherwise. One
    /// whose period is not over yet makes it a pre-order.
    #[schema(value_type = Option<String>)]
    release_date: Option<Given>,
    /// `day`, `month` or `year`; as exact as the date is written without.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
    /// The part of the price that is paid first, a decimal string.
    #[schema(value_type = Option<String>)]
    deposit_amount: Option<Given>,
    /// Where to follow the parcel: an http or https address.
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Option<HttpUrl>,
    /// Days from shipping to the door, at most 365.
    #[schema(maximum = 365)]
    estimated_delivery_days: Option<u16>,
}

fn example_acquire() -> Value {
    json!({
        "price_amount": "19800",
        "price_currency": "JPY",
        "deposit_amount": "5000",
        "store": "Harbour Hobby"
    })
}

/// Makes a wish come true.
///
/// For whoever is signed in. The figure becomes a piece of the collection; when it is not released yet, with
/// a pre-order: all in one step. `If-Match` takes the wish's version.
#[utoipa::path(
    post,
    path = "/api/me/wishlist/{figure_id}/acquire",
    tag = "wishlist",
    operation_id = "acquire_wish",
    security(("session" = [])),
    params(("figure_id" = Uuid, Path, description = "The figure")),
    request_body = AcquireBody,
    responses((status = 201, description = "The piece, with its pre-order", body = PieceView), AcquireProblems)
)]
pub(super) async fn acquire(
    State(state): State<AppState>,
    caller: Caller,
    Path(figure_id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    Command { body, idempotency }: Command<AcquireBody>,
) -> Result<Written<PieceView>, Problem> {
    let piece = PieceFields {
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
        value: None,
        source: None,
    };
    let preorder = PreorderFields {
        status: body.status.map(|given| given.word("status", Status::ALL)).transpose()?,
        release: given::release(
            body.release_date.as_ref(),
            body.release_date_precision.as_ref(),
            ("release_date", "release_date_precision"),
        )?,
        deposit: body.deposit_amount.map(|given| given.amount("deposit_amount")).transpose()?,
        tracking_url: body.tracking_url,
        estimated_delivery_days: body.estimated_delivery_days,
    };
    let command = AcquireWish {
        user_id: caller.user.id,
        figure_id: FigureId(figure_id),
        expected,
        piece_id: PieceId(Uuid::now_v7()),
        preorder_id: PreorderId(Uuid::now_v7()),
        piece,
        preorder,
    };
    let done = state.perform(&caller, idempotency, &command).await?;
    let id = done.answer.piece_id;
    let piece = owned::written(&state, &caller, id, done.position).await?;
    let version = piece.version();
    let view = PieceView::of(piece, &caller.user);
    Ok(Written::created(view, place_of(id.uuid())).version(version).at(done.position))
}
