//! `/api/me/owned`: the pieces of one's collection.

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    collection::{ArchiveReason, Condition, Cost, Origin, Placement, Sale},
    commands::{
        AddPiece, ArchivePieces, ArrangePieces, ChangePieces, DeletePieces, EditPiece, PieceFields,
        PieceVersion, RestorePiece, ValuePiece,
    },
    ids::{FigureId, PieceId, UserId},
    refusal::Code,
    stream::Position,
    text::{Line, Location, Name, Note},
};
use operational::{
    api_keys::Scope,
    users::{NsfwVisibility, User},
};
use projections::collection::{
    self, Archived, ListError, ListKey, LocationFilter, Piece, PieceFilter, PieceOrder, PieceState,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::{fmt::Display, str::FromStr};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::as_of::{self, AtTime, PageAsOf, ThingAsOf};
use crate::{
    answer::Written,
    change::{self, Change},
    extract::{Command, CurrentUser, IdempotencyKey, IfMatch, Path, Query},
    given::{self, CURRENCY_MISSING, Given, INVALID_AMOUNT, INVALID_DATE, UNKNOWN_CURRENCY},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    perform::Caller,
    problem::{self, INVALID_CURSOR, INVALID_FIELD, Kind, MISSING_FIELD, Problem},
    problems,
    shown::{self, EntityRef, FigureView},
    state::AppState,
};

/// The read models that a piece is answered from.
pub(super) const READS: &[&str] = &["collection", "preorders", "figures", "entities"];
/// Where they are.
const PLACE: &str = "/api/me/owned";
/// Most bytes of a body that names thousands of pieces.
const BULK_LIMIT: usize = 1024 * 1024;
/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

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
        .routes(routes!(list, add))
        .routes(routes!(arrange))
        .routes(routes!(bulk))
        .routes(routes!(read, edit, delete))
        .routes(routes!(value, clear_value))
        .routes(routes!(archive))
        .routes(routes!(restore))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which pieces to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListOwned {
    /// In this state; several are any of them.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, example = json!(["mib_sealed"]))]
    condition: Vec<Condition>,
    /// Standing there, without regard to case; `unshelved` for those that stand nowhere.
    #[param(example = "Vitrine by the window")]
    location: Option<String>,
    /// The maker's id, slug or name.
    #[param(example = "good-smile-company")]
    manufacturer: Option<String>,
    /// The series' id, slug or name.
    series: Option<String>,
    /// The store's id, slug or name.
    store: Option<String>,
    /// Words that each occur in what the catalogue says of the figure, in the notes or in the location; at
    /// most 200 characters.
    q: Option<String>,
    /// `false` leaves archived pieces out, `true` lists only them, `all` lists all.
    #[param(value_type = Option<String>, pattern = "^(false|true|all)$", default = "false")]
    archived: Option<ArchivedGiven>,
    /// Copies of this figure.
    figure_id: Option<Uuid>,
    /// `owned`: here. `preordered`: with a live pre-order.
    #[param(value_type = Option<String>, pattern = "^(owned|preordered)$")]
    state: Option<StateGiven>,
    /// `added`, `name`, `price` (as recorded), `purchase_date`, `manufacturer`, `release_date` or `custom`;
    /// a `-` before it turns it round. What has no such value comes last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "-added")]
    sort: Option<PieceOrder>,
    /// As it was then: an RFC 3339 time or a position of the log. Names and pictures are today's.
    #[param(example = "2026-11-02T08:15:00Z")]
    as_of: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ListKey>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum ArchivedGiven {
    #[serde(rename = "false")]
    No,
    #[serde(rename = "true")]
    Only,
    #[serde(rename = "all")]
    All,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateGiven {
    Owned,
    Preordered,
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

/// A piece to add.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_new)]
pub struct AddOwned {
    /// What it is a copy of.
    figure_id: Uuid,
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Option<Condition>,
    /// What it cost, a decimal string.
    #[schema(value_type = Option<String>, example = "129.90")]
    price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and fees.
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
    /// Where it stands, at most 120 characters. It need not be registered.
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
    /// What its owner thinks it is worth, a decimal string. Needs `value_currency`.
    #[schema(value_type = Option<String>)]
    value_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    value_currency: Option<Given>,
}

/// What to change of a piece; what is left out stays as it is, null empties.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"condition": "displayed", "location": "Vitrine by the window", "notes": null}))]
pub struct EditOwned {
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Change<Condition>,
    /// What it cost, a decimal string; a pre-order of it shows the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    price_amount: Change<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and fees.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    price_currency: Change<Given>,
    /// Shipping, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    shipping_amount: Change<Given>,
    /// Import VAT and customs, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    fees_amount: Change<Given>,
    /// The day it was bought.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    purchase_date: Change<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    store: Change<Name>,
    /// Where it stands.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 120)]
    location: Change<Location>,
    /// At most 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    notes: Change<Note>,
    /// How it came: `purchased`, `gift`, `trade`, `found` or `inherited`.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, pattern = "^(purchased|gift|trade|found|inherited)$")]
    origin: Option<Origin>,
    /// From whom.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    origin_from: Change<Line<200>>,
}

/// What its owner thinks a piece is worth.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"value_amount": "240", "value_currency": "EUR"}))]
pub struct ValueOwned {
    /// A decimal string.
    #[schema(value_type = String)]
    value_amount: Given,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = String, min_length = 3, max_length = 3)]
    value_currency: Option<Given>,
}

/// Why a piece goes to the archive.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"reason": "sold", "sold_amount": "150", "sold_currency": "EUR", "sold_on": "2026-11-02"}))]
pub struct ArchiveOwned {
    /// `sold`, `traded`, `lost`, `gifted`, `cancelled` or `other`.
    #[schema(value_type = String, pattern = "^(sold|traded|lost|gifted|cancelled|other)$")]
    reason: ArchiveReason,
    /// What a sold piece brought, a decimal string. Needs `sold_currency`.
    #[schema(value_type = Option<String>)]
    sold_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    sold_currency: Option<Given>,
    /// The day it was sold.
    #[schema(value_type = Option<String>, format = Date)]
    sold_on: Option<Given>,
    /// What comes back of its live pre-order, a decimal string: at most what was paid. The pre-order is
    /// cancelled with it.
    #[schema(value_type = Option<String>)]
    refund_amount: Option<Given>,
}

/// How to delete a piece.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteOwned {
    /// What comes back of its live pre-order, a decimal string: all that was paid. The pre-order is
    /// cancelled with it.
    #[param(value_type = Option<String>)]
    refund_amount: Option<Given>,
}

/// What comes back of a live pre-order.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"refund_amount": "30.00"}))]
pub struct RefundBody {
    /// A decimal string: all that was paid.
    #[schema(value_type = Option<String>)]
    refund_amount: Option<Given>,
}

/// Where pieces go.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_arrangement)]
pub struct ArrangeOwned {
    /// At most 5,000, each piece once.
    items: Vec<PlaceOwned>,
}

/// Where a piece goes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PlaceOwned {
    /// The piece.
    id: Uuid,
    /// Where it stands from now on; null is nowhere.
    #[serde(default)]
    #[schema(value_type = Option<String>, required = true, max_length = 120)]
    location: Change<Location>,
    /// Its place there, ascending.
    sort_order: i32,
}

/// One thing to do with many pieces. `set_location` and `set_condition` go together, the others alone.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"ids": ["0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10"], "set_location": "Storage"}))]
pub struct BulkOwned {
    /// At most 5,000 pieces, each once.
    ids: Vec<Uuid>,
    /// Where they stand from now on; null is nowhere.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 120)]
    set_location: Change<Location>,
    /// Their condition; null forgets it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    set_condition: Change<Condition>,
    /// Archive them.
    archive: Option<BulkArchive>,
    /// `true` deletes them.
    #[serde(default)]
    delete: bool,
}

/// Why many pieces go to the archive.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BulkArchive {
    /// `sold`, `traded`, `lost`, `gifted`, `cancelled` or `other`.
    #[schema(value_type = String, pattern = "^(sold|traded|lost|gifted|cancelled|other)$")]
    reason: ArchiveReason,
}

/// What a request about many pieces came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"updated": 12}))]
pub struct Updated {
    /// How many pieces the request named; all of them now are as it said.
    updated: usize,
}

/// What is left of something that was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10", "deleted": true}))]
pub struct Deleted {
    /// What it was called.
    pub(super) id: Uuid,
    /// Always true.
    pub(super) deleted: bool,
}

/// A piece: one physical copy in one's collection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnedItem, example = example_piece)]
pub struct PieceView {
    id: Uuid,
    figure_id: Uuid,
    /// What it is a copy of.
    figure: Option<FigureView>,
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    condition: Option<String>,
    price_amount: Option<String>,
    /// Of price, shipping and fees.
    price_currency: Option<String>,
    shipping_amount: Option<String>,
    fees_amount: Option<String>,
    /// EUR for one unit of the currency, frozen when the cost was recorded; null means today's.
    price_fx_rate: Option<String>,
    value_amount: Option<String>,
    value_currency: Option<String>,
    purchase_date: Option<NaiveDate>,
    /// The day it came: that of its receipt, else its purchase date, else the day it was added; in UTC. Null
    /// while its pre-order has yet to be received.
    acquired_on: Option<NaiveDate>,
    store_id: Option<Uuid>,
    store: Option<EntityRef>,
    location: Option<String>,
    notes: Option<String>,
    /// `purchased`, `gift`, `trade`, `found` or `inherited`.
    origin: String,
    origin_from: Option<String>,
    cover_photo_id: Option<Uuid>,
    cover_scan_id: Option<Uuid>,
    /// The picture of its card; null is a placeholder.
    cover: Option<String>,
    /// Whether its pictures are to be blurred for whoever asks.
    blurred: bool,
    sort_order: i32,
    /// Whether it counts as owned: not archived, and received if it was ever pre-ordered.
    is_owned: bool,
    /// Its pre-order, live or not.
    preorder: Option<PreorderRef>,
    received_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    /// `sold`, `traded`, `lost`, `gifted`, `cancelled` or `other`.
    archive_reason: Option<String>,
    sold_amount: Option<String>,
    sold_currency: Option<String>,
    sold_on: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A pre-order beside its piece.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreorderRef {
    id: Uuid,
    /// `announced`, `preorder_open`, `preordered`, `in_production`, `released`, `shipped`, `received` or
    /// `cancelled`.
    status: String,
    /// First day of the announced period.
    release_date_current: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    release_date_precision: Option<String>,
}

impl PieceView {
    /// The piece as its owner sees it.
    pub(super) fn of(piece: Piece, owner: &User) -> Self {
        let (is_owned, acquired_on) = (piece.is_owned(), piece.acquired_on());
        let row = piece.row;
        let paid = |amount: Option<_>| amount.map(|a| shown::amount(a, row.price_currency.as_deref()));
        let (is_nsfw, cover) =
            piece.figure.as_ref().map_or((false, None), |f| (f.is_nsfw, f.official_image_url.clone()));
        Self {
            id: row.id,
            figure_id: row.figure_id,
            price_amount: paid(row.price_amount),
            shipping_amount: paid(row.shipping_amount),
            fees_amount: paid(row.fees_amount),
            price_currency: row.price_currency,
            price_fx_rate: row.price_fx_rate.map(|rate| rate.normalize().to_string()),
            value_amount: row.value_amount.map(|a| shown::amount(a, row.value_currency.as_deref())),
            value_currency: row.value_currency,
            sold_amount: row.sold_amount.map(|a| shown::amount(a, row.sold_currency.as_deref())),
            sold_currency: row.sold_currency,
            sold_on: row.sold_on,
            figure: piece.figure.map(|figure| FigureView::of(figure, owner)),
            condition: row.condition,
            purchase_date: row.purchase_date,
            acquired_on,
            store_id: row.store_id,
            store: piece.store.map(Into::into),
            location: row.location,
            notes: row.notes,
            origin: row.origin,
            origin_from: row.origin_from,
            cover_photo_id: row.cover_photo_id,
            cover_scan_id: row.cover_scan_id,
            cover,
            blurred: is_nsfw && owner.nsfw_visibility != NsfwVisibility::Show,
            sort_order: row.sort_order,
            is_owned,
            preorder: piece.preorder.map(|preorder| PreorderRef {
                id: preorder.id,
                status: preorder.status,
                release_date_current: preorder.release_date_current,
                release_date_precision: preorder.release_date_precision,
            }),
            received_at: row.received_at,
            archived_at: row.archived_at,
            archive_reason: row.archive_reason,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn example_new() -> Value {
    json!({
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "condition": "mib_sealed",
        "price_amount": "129.90",
        "shipping_amount": "12.50",
        "price_currency": "EUR",
        "purchase_date": "2026-10-17",
        "store": "Harbour Hobby",
        "location": "Vitrine by the window"
    })
}

fn example_arrangement() -> Value {
    json!({"items": [
        {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10", "location": "Vitrine by the window", "sort_order": 0},
        {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b11", "location": null, "sort_order": 1}
    ]})
}

/// The piece in the examples.
pub(super) fn example_piece() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "figure": shown::example_figure(),
        "condition": "mib_sealed",
        "price_amount": "129.90",
        "price_currency": "EUR",
        "shipping_amount": "12.50",
        "fees_amount": null,
        "price_fx_rate": null,
        "value_amount": null,
        "value_currency": null,
        "purchase_date": "2026-10-17",
        "acquired_on": "2026-10-17",
        "store_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b03",
        "store": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b03", "name": "Harbour Hobby", "slug": "harbour-hobby"},
        "location": "Vitrine by the window",
        "notes": null,
        "origin": "purchased",
        "origin_from": null,
        "cover_photo_id": null,
        "cover_scan_id": null,
        "cover": null,
        "blurred": false,
        "sort_order": 0,
        "is_owned": true,
        "preorder": null,
        "received_at": null,
        "archived_at": null,
        "archive_reason": null,
        "sold_amount": null,
        "sold_currency": null,
        "sold_on": null,
        "created_at": "2026-10-17T09:30:00Z",
        "updated_at": "2026-10-17T09:30:00Z"
    })
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

/// Whether a listing for this person leaves out what is not safe for work.
pub(super) fn hides_nsfw(user: &User) -> bool {
    user.nsfw_visibility == NsfwVisibility::Hide
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
    find(state, caller.user.id, id).await
}

async fn find(state: &AppState, user: UserId, id: PieceId) -> Result<Piece, Problem> {
    Ok(collection::piece(&state.pool, user, id).await?.ok_or(PIECE_NOT_FOUND)?)
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

/// The pieces of one's collection.
///
/// For whoever is signed in. Archived pieces are left out unless asked for, and NSFW ones for those who
/// hide them. With `as_of`, the collection as it was then, under the names that the catalogue has today.
#[utoipa::path(
    get,
    path = "/api/me/owned",
    tag = "collection",
    operation_id = "list_owned",
    security(("session" = [])),
    params(ListOwned),
    responses((status = 200, description = "A page of pieces", body = PageAsOf<PieceView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListOwned>,
) -> Result<Json<PageAsOf<PieceView>>, Problem> {
    if query.q.as_ref().is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        return Err(Problem::from(INVALID_FIELD).detail("q has at most 200 characters").field("q"));
    }
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let figure_id = match query.figure_id {
        Some(id) => Some(collection::figure_now(&state.pool, FigureId(id)).await?.uuid()),
        None => None,
    };
    let filter = PieceFilter {
        conditions: query.condition,
        location: query.location.map(|place| match place.as_str() {
            "unshelved" => LocationFilter::Unshelved,
            _ => LocationFilter::At(place),
        }),
        manufacturer: query.manufacturer,
        series: query.series,
        store: query.store,
        search: query.q,
        archived: match query.archived {
            None | Some(ArchivedGiven::No) => Archived::No,
            Some(ArchivedGiven::Only) => Archived::Only,
            Some(ArchivedGiven::All) => Archived::All,
        },
        figure_id,
        state: query.state.map(|state| match state {
            StateGiven::Owned => PieceState::Owned,
            StateGiven::Preordered => PieceState::Preordered,
        }),
        hide_nsfw: hides_nsfw(&user),
    };
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let from = scene.reading(&state.pool);
    let pieces = collection::list(from, user.id, &filter, order, after, query.limit.one_more()).await?;
    let page = Page::cut(pieces, query.limit, |piece| piece.key(order), |piece| PieceView::of(piece, &user));
    Ok(Json(PageAsOf::new(page, &scene)))
}

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
async fn add(
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

/// One piece.
///
/// For whoever is signed in; other people's pieces are not found. An NSFW piece is answered also to those
/// who hide them, marked for blurring. With `as_of`, the piece as it was then, without an `ETag`.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}",
    tag = "collection",
    operation_id = "read_owned",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), AtTime),
    responses((status = 200, description = "The piece", body = ThingAsOf<PieceView>), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<AtTime>,
) -> Result<Written<ThingAsOf<PieceView>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let piece = collection::piece(from, user.id, PieceId(id)).await?.ok_or(PIECE_NOT_FOUND)?;
    let version = piece.version();
    Ok(ThingAsOf::written(PieceView::of(piece, &user), version, &scene))
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
async fn edit(
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
async fn delete(
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
async fn value(
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
async fn clear_value(
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
async fn archive(
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
async fn restore(
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
async fn arrange(
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
async fn bulk(
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
