//! `/api/me/preorders`: what one has ordered before it was out, from placing it to the door or its end.

use axum::{
    Json,
    extract::State,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    collection::{Condition, Cost},
    commands::{
        CancelPreorder, EditPreorder, Fate, PieceFields, PieceVersion, PlacePreorder, PreorderFields,
        ReplacePreorder, SlipRelease, StepPreorder, Steps,
    },
    ids::{FigureId, PieceId, PreorderId},
    preorder::{SlipSource, Status},
    refusal::Code,
    stream::{Position, Version},
    text::{Location, Name, Note},
    world,
};
use operational::{api_keys::Scope, users::User};
use projections::{
    collection::{ListKey, figure_now},
    figures::summary::EntityName,
    preorders::{
        self, DateHistoryRow, Found, Lost, PieceEssentials, PreorderFilter, PreorderOrder, PreorderRow,
        breakdown, countdown, delivery_date, is_live, losses, paid,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::as_of::{self, AtTime, PageAsOf, Scene, ThingAsOf};
use super::owned::{Deleted, FIGURE_NOT_FOUND, PIECE_NOT_FOUND, cost, parsed};
use crate::{
    answer::Written,
    change::{self, Change},
    extract::{Command, CurrentUser, Idempotency, IfMatch, Path, Query},
    given::{self, CURRENCY_MISSING, Given, INVALID_AMOUNT, INVALID_DATE, UNKNOWN_CURRENCY},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    perform::{Caller, Performed},
    problem::{self, INVALID_FIELD, Kind, Problem},
    problems,
    shown::{self, EntityRef, FigureView, hides_nsfw},
    state::AppState,
};

/// The read models that a pre-order is answered from.
pub(super) const READS: &[&str] = &["preorders", "collection", "figures", "entities"];
/// Where they are.
const PLACE: &str = "/api/me/preorders";
/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

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
        .routes(routes!(list, place))
        .routes(routes!(read, edit))
        .routes(routes!(set_status))
        .routes(routes!(slip))
        .routes(routes!(ship))
        .routes(routes!(receive))
        .routes(routes!(cancel))
        .routes(routes!(replace))
        .routes(routes!(history))
        .routes(routes!(take_apart))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which pre-orders to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListPreorders {
    /// In this status; several are any of them.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, example = json!(["preordered"]))]
    status: Vec<Status>,
    /// `true` lists those that are neither received nor cancelled, `false` the others.
    live: Option<bool>,
    /// `true` lists those that the catalogue offers a new date, `false` the others.
    offered: Option<bool>,
    /// The store's id or slug.
    store: Option<String>,
    /// Of this figure.
    figure_id: Option<Uuid>,
    /// Words that each occur in what the catalogue says of the figure or in the store's name; at most 200
    /// characters. A typo or two do no harm.
    q: Option<String>,
    /// `release_date`, `placed`, `price` (as recorded) or `name`; a `-` before it turns it round. What has
    /// no such value comes last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "release_date")]
    sort: Option<PreorderOrder>,
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

/// Which part of the history to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListHistory {
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
    /// As it was then: an RFC 3339 time or a position of the log.
    #[param(example = "2026-11-02T08:15:00Z")]
    as_of: Option<String>,
}

/// A pre-order to place, with its piece.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_new)]
pub struct PlacePreorderBody {
    /// What is ordered.
    figure_id: Uuid,
    /// The price, deposit included; a decimal string.
    #[schema(value_type = Option<String>, example = "129.90")]
    price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    shipping_amount: Option<Given>,
    /// The part of the price that is paid first.
    #[schema(value_type = Option<String>)]
    deposit_amount: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    store: Option<Name>,
    /// A status before `shipped`; `preordered` unless said otherwise.
    #[schema(value_type = Option<String>, pattern = "^(announced|preorder_open|preordered|in_production|released)$")]
    status: Option<Status>,
    /// When it is to come out: `2027-05-20`, `2027-05` or `2027`. The catalogue's date, when that is still to
    /// come, unless said otherwise.
    #[schema(value_type = Option<String>)]
    #[serde(alias = "release_date_current")]
    release_date: Option<Given>,
    /// The same, by the name it keeps: the first date that is named is the original one. Either will do.
    #[schema(value_type = Option<String>)]
    release_date_original: Option<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    estimated_delivery_days: Option<u16>,
    /// Of the piece: `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`. Usually said at receipt.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Option<Condition>,
    /// Where the piece is to stand.
    #[schema(value_type = Option<String>, max_length = 120)]
    location: Option<Location>,
    /// Notes on the piece, at most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    notes: Option<Note>,
    /// The day it was ordered.
    #[schema(value_type = Option<String>, format = Date)]
    purchase_date: Option<Given>,
}

/// A fresh pre-order in place of a cancelled one.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"price_amount": "139.90", "price_currency": "EUR", "store": "Pier Nine Figures", "release_date": "2027-09"}))]
pub struct ReplacePreorderBody {
    /// The price, deposit included; a decimal string.
    #[schema(value_type = Option<String>)]
    price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    shipping_amount: Option<Given>,
    /// The part of the price that is paid first.
    #[schema(value_type = Option<String>)]
    deposit_amount: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    store: Option<Name>,
    /// A status before `shipped`; `preordered` unless said otherwise.
    #[schema(value_type = Option<String>, pattern = "^(announced|preorder_open|preordered|in_production|released)$")]
    status: Option<Status>,
    /// When it is to come out: `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = Option<String>)]
    #[serde(alias = "release_date_current")]
    release_date: Option<Given>,
    /// The same, by the name it keeps: the first date that is named is the original one. Either will do.
    #[schema(value_type = Option<String>)]
    release_date_original: Option<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    estimated_delivery_days: Option<u16>,
}

/// What to change of a pre-order; what is left out stays as it is, null empties.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"price_amount": "124.90", "balance_paid": true, "tracking_url": null}))]
pub struct EditPreorderBody {
    /// The price, deposit included; a decimal string. The piece shows the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    price_amount: Change<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    price_currency: Change<Given>,
    /// Shipping, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    shipping_amount: Change<Given>,
    /// The part of the price that is paid first.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    deposit_amount: Change<Given>,
    /// Whether the rest is paid, too.
    #[serde(default, deserialize_with = "change::not_null")]
    balance_paid: Option<bool>,
    /// The store's name. It is made when nobody typed it before.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    store: Change<Name>,
    /// Where to follow the parcel.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Change<Given>,
    /// Days from shipping to the door.
    #[serde(default)]
    #[schema(value_type = Option<u16>, maximum = 365)]
    estimated_delivery_days: Change<u16>,
    /// When it is to come out; on record as the collector's own word. It cannot be emptied.
    #[serde(default, alias = "release_date_current")]
    #[schema(value_type = Option<String>)]
    release_date: Change<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
}

/// Where a pre-order goes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"status": "in_production"}))]
pub struct SetStatusBody {
    /// `announced`, `preorder_open`, `preordered`, `in_production`, `released`, `shipped` or `received`.
    #[schema(value_type = String, pattern = "^(announced|preorder_open|preordered|in_production|released|shipped|received)$")]
    status: Status,
    /// With `shipped`: when it left. A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    shipped_at: Option<Given>,
    /// With `shipped`: where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Option<Given>,
    /// With `shipped`: days from shipping to the door.
    #[schema(maximum = 365)]
    estimated_delivery_days: Option<u16>,
    /// With `received`: when it came. A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    received_at: Option<Given>,
    /// With `received`: in which state.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Option<Condition>,
}

/// A release date that was announced.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"new_date": "2027-08", "source": "manufacturer_announcement", "note": "moved with the whole line"}))]
pub struct SlipBody {
    /// `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = String)]
    new_date: Given,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
    /// Who said so: `user` (unless said otherwise), `mfc`, `anilist`, `store_update` or
    /// `manufacturer_announcement`.
    #[schema(value_type = Option<String>, pattern = "^(user|mfc|anilist|store_update|manufacturer_announcement)$")]
    source: Option<SlipSource>,
    /// At most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    note: Option<Note>,
}

/// It left the shop.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"shipped_at": "2027-06-01", "estimated_delivery_days": 12}))]
pub struct ShipBody {
    /// A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    shipped_at: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    estimated_delivery_days: Option<u16>,
}

/// It is here.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"received_at": "2027-06-12", "condition": "mib_sealed"}))]
pub struct ReceiveBody {
    /// A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    received_at: Option<Given>,
    /// In which state: `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    condition: Option<Condition>,
}

/// It is called off.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"refund_amount": "30.00", "item": "archive"}))]
pub struct CancelBody {
    /// What comes back, a decimal string: at most what was paid.
    #[schema(value_type = String)]
    refund_amount: Given,
    /// What becomes of the piece: `archive` (unless said otherwise), or `delete`, only when nothing was lost.
    item: Option<ItemFate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ItemFate {
    Archive,
    Delete,
}

/// The piece of a pre-order.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreorderPiece {
    id: Uuid,
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    condition: Option<String>,
    location: Option<String>,
    purchase_date: Option<NaiveDate>,
    archived_at: Option<DateTime<Utc>>,
    archive_reason: Option<String>,
}

impl From<PieceEssentials> for PreorderPiece {
    fn from(piece: PieceEssentials) -> Self {
        Self {
            id: piece.id,
            condition: piece.condition,
            location: piece.location,
            purchase_date: piece.purchase_date,
            archived_at: piece.archived_at,
            archive_reason: piece.archive_reason,
        }
    }
}

/// What one chapter says, whether it is the current one or was replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chapter {
    id: Uuid,
    owned_item_id: Uuid,
    figure_id: Uuid,
    /// `announced`, `preorder_open`, `preordered`, `in_production`, `released`, `shipped`, `received` or
    /// `cancelled`.
    status: String,
    /// Neither received nor cancelled.
    is_live: bool,
    /// First day of the period that was named first.
    release_date_original: Option<NaiveDate>,
    release_date_original_precision: Option<String>,
    /// First day of the period announced now.
    release_date_current: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    release_date_precision: Option<String>,
    /// The catalogue's new date, while this pre-order still carries the one it replaced; taken with `slip`.
    offered_release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    offered_release_date_precision: Option<String>,
    /// How often its date slipped.
    slip_count: i32,
    /// Deposit included.
    price_amount: Option<String>,
    /// Of every amount.
    price_currency: Option<String>,
    /// EUR for one unit of the currency, frozen when the price was recorded; null means today's.
    price_fx_rate: Option<String>,
    shipping_amount: Option<String>,
    deposit_amount: Option<String>,
    /// Whether the rest is paid, too.
    balance_paid: bool,
    balance_paid_at: Option<DateTime<Utc>>,
    /// Price and shipping once the balance is paid, else the deposit, else nothing.
    paid_amount: String,
    /// What came back when it was cancelled.
    deposit_refund_amount: Option<String>,
    store_id: Option<Uuid>,
    store: Option<EntityRef>,
    tracking_url: Option<String>,
    estimated_delivery_days: Option<i32>,
    shipped_at: Option<DateTime<Utc>>,
    /// The day of shipping (UTC) and the estimated days together.
    delivery_date: Option<NaiveDate>,
    /// Whole UTC days to the delivery of a shipped one, else to the release: `J-3`, `J0`, `J+2` (overdue). A
    /// month or a year is counted to its first day, is `J0` while it lasts and overdue from its last day on.
    #[schema(example = "J-3")]
    countdown: Option<String>,
    received_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Chapter {
    pub(super) fn of(row: PreorderRow, store: Option<EntityName>, today: NaiveDate) -> Self {
        let currency = row.price_currency.as_deref();
        let amount = |given: Option<_>| given.map(|given| shown::amount(given, currency));
        Self {
            id: row.id,
            owned_item_id: row.owned_item_id,
            figure_id: row.figure_id,
            is_live: is_live(&row),
            price_amount: amount(row.price_amount),
            shipping_amount: amount(row.shipping_amount),
            deposit_amount: amount(row.deposit_amount),
            deposit_refund_amount: amount(row.deposit_refund_amount),
            paid_amount: shown::amount(paid(&row), currency),
            price_fx_rate: row.price_fx_rate.map(|rate| rate.normalize().to_string()),
            delivery_date: delivery_date(row.shipped_at, row.estimated_delivery_days),
            countdown: countdown(&row, today),
            balance_paid: row.balance_paid_at.is_some(),
            balance_paid_at: row.balance_paid_at,
            price_currency: row.price_currency,
            status: row.status,
            release_date_original: row.release_date_original,
            release_date_original_precision: row.release_date_original_precision,
            release_date_current: row.release_date_current,
            release_date_precision: row.release_date_precision,
            offered_release_date: row.offered_release_date,
            offered_release_date_precision: row.offered_release_date_precision,
            slip_count: row.slip_count,
            store_id: row.store_id,
            store: store.map(Into::into),
            tracking_url: row.tracking_url,
            estimated_delivery_days: row.estimated_delivery_days,
            shipped_at: row.shipped_at,
            received_at: row.received_at,
            cancelled_at: row.cancelled_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Money that did not come back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"amount": "20.00", "currency": "EUR"}))]
pub struct Loss {
    amount: String,
    currency: String,
}

impl From<Lost> for Loss {
    fn from(lost: Lost) -> Self {
        Self { amount: shown::amount(lost.amount, Some(&lost.currency)), currency: lost.currency }
    }
}

/// A pre-order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preorder, example = example_preorder)]
pub struct PreorderView {
    #[serde(flatten)]
    chapter: Chapter,
    /// The pre-order that replaced this one after its cancellation.
    replaced_by: Option<Uuid>,
    /// What is ordered.
    figure: Option<FigureView>,
    /// Its piece.
    owned_item: PreorderPiece,
}

/// A pre-order with the chapters that it replaced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreorderWithChapters, example = example_detail)]
pub struct PreorderDetail {
    #[serde(flatten)]
    preorder: PreorderView,
    /// Cancelled pre-orders of the same piece that came before this one, the latest first.
    earlier_chapters: Vec<Chapter>,
    /// What was lost on this one and those before it, per currency.
    losses: Vec<Loss>,
}

impl PreorderView {
    pub(super) fn of(found: Found, viewer: &User, today: NaiveDate) -> Self {
        Self {
            chapter: Chapter::of(found.preorder, found.store, today),
            replaced_by: found.replaced_by.map(PreorderId::uuid),
            figure: found.figure.map(|figure| FigureView::of(figure, viewer)),
            owned_item: found.piece.into(),
        }
    }
}

/// A change of a release date.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DateChange, example = json!({
    "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b30",
    "preorder_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20",
    "previous_date": "2027-05-01",
    "previous_precision": "month",
    "new_date": "2027-08-01",
    "new_precision": "month",
    "source": "manufacturer_announcement",
    "note": "moved with the whole line",
    "is_slip": true,
    "recorded_at": "2026-11-02T08:15:00Z"
}))]
pub struct DateChangeView {
    id: Uuid,
    /// The chapter whose date it was.
    preorder_id: Uuid,
    /// Null where a date was named for the first time.
    previous_date: Option<NaiveDate>,
    previous_precision: Option<String>,
    new_date: NaiveDate,
    new_precision: String,
    /// `user`, `mfc`, `anilist`, `store_update` or `manufacturer_announcement`.
    source: String,
    note: Option<String>,
    /// Later than all of the period announced before.
    is_slip: bool,
    recorded_at: DateTime<Utc>,
}

impl From<DateHistoryRow> for DateChangeView {
    fn from(row: DateHistoryRow) -> Self {
        Self {
            id: row.id,
            preorder_id: row.preorder_id,
            previous_date: row.previous_date,
            previous_precision: row.previous_precision,
            new_date: row.new_date,
            new_precision: row.new_precision,
            source: row.source,
            note: row.note,
            is_slip: row.is_slip,
            recorded_at: row.recorded_at,
        }
    }
}

/// A price taken apart; what does not apply is left out. Of a cancelled one, only `currency`, `paid`,
/// `refunded` and `lost`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Breakdown, example = json!({
    "currency": "EUR", "deposit": "30.00", "figure": "99.90", "shipping": "12.50", "total": "142.40",
    "paid": "30.00", "msrp": "135.00", "msrp_currency": "EUR", "delta": "-5.10"
}))]
pub struct BreakdownView {
    /// Of every amount but the MSRP.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit: Option<String>,
    /// Price − deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping: Option<String>,
    /// Price + shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
    /// What was paid so far.
    paid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    msrp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msrp_currency: Option<String>,
    /// Price − MSRP, deposit in and shipping out, in the price's currency; across currencies at today's rate. Left
    /// out when no rate is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<String>,
    /// The day of the rates that the MSRP was converted with; left out when it did not have to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_fx_date: Option<NaiveDate>,
    /// What came back after cancelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<String>,
    /// Paid − refunded, unless that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
}

fn example_new() -> Value {
    json!({
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "price_amount": "129.90",
        "price_currency": "EUR",
        "shipping_amount": "12.50",
        "deposit_amount": "30",
        "store": "Harbour Hobby",
        "release_date": "2027-05"
    })
}

/// The pre-order in the examples.
fn example_preorder() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20",
        "owned_item_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "status": "preordered",
        "is_live": true,
        "release_date_original": "2027-05-01",
        "release_date_original_precision": "month",
        "release_date_current": "2027-08-01",
        "release_date_precision": "month",
        "offered_release_date": null,
        "offered_release_date_precision": null,
        "slip_count": 1,
        "price_amount": "129.90",
        "price_currency": "EUR",
        "price_fx_rate": null,
        "shipping_amount": "12.50",
        "deposit_amount": "30.00",
        "balance_paid": false,
        "balance_paid_at": null,
        "paid_amount": "30.00",
        "deposit_refund_amount": null,
        "store_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b03",
        "store": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b03", "name": "Harbour Hobby", "slug": "harbour-hobby"},
        "tracking_url": null,
        "estimated_delivery_days": null,
        "shipped_at": null,
        "delivery_date": null,
        "countdown": "J-252",
        "received_at": null,
        "cancelled_at": null,
        "created_at": "2026-10-17T09:30:00Z",
        "updated_at": "2026-11-02T08:15:00Z",
        "replaced_by": null,
        "figure": shown::example_figure(),
        "owned_item": {
            "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
            "condition": null,
            "location": null,
            "purchase_date": "2026-10-17",
            "archived_at": null,
            "archive_reason": null
        }
    })
}

fn example_detail() -> Value {
    let mut example = example_preorder();
    if let Some(fields) = example.as_object_mut() {
        fields.insert("earlier_chapters".to_owned(), json!([]));
        fields.insert("losses".to_owned(), json!([{"amount": "20.00", "currency": "EUR"}]));
    }
    example
}

fn place_of(id: PreorderId) -> String {
    format!("{PLACE}/{id}")
}

/// The pre-order as it reads, with its version.
async fn detail(
    state: &AppState,
    viewer: &User,
    id: PreorderId,
) -> Result<(PreorderDetail, PieceVersion), Problem> {
    detail_in(&Scene::now(), state, viewer, id).await
}

async fn detail_in(
    scene: &Scene,
    state: &AppState,
    viewer: &User,
    id: PreorderId,
) -> Result<(PreorderDetail, PieceVersion), Problem> {
    let from = scene.reading(&state.pool);
    let found = preorders::find(from, viewer.id, id).await?.ok_or(PREORDER_NOT_FOUND)?;
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
    Ok((detail, version))
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
    state.readable(position, READS, &place_of(id)).await?;
    let (detail, version) = detail(state, &caller.user, id).await?;
    Ok(Written::done(detail).version(version).at(position))
}

/// The answer to something that made a pre-order.
async fn made(
    state: &AppState,
    caller: &Caller,
    id: PreorderId,
    position: Position,
) -> Result<Written<PreorderDetail>, Problem> {
    let place = place_of(id);
    state.readable(position, READS, &place).await?;
    let (detail, version) = detail(state, &caller.user, id).await?;
    Ok(Written::created(detail, place).version(version).at(position))
}

/// The pre-orders of one's collection.
///
/// For whoever is signed in. Of a piece whose pre-order was cancelled and replaced, only the one that holds
/// now is listed. NSFW figures are left out for those who hide them. With `as_of`, the pre-orders as they were
/// then, under the names that the catalogue has today; `countdown` counts from that day.
#[utoipa::path(
    get,
    path = "/api/me/preorders",
    tag = "pre-orders",
    operation_id = "list_preorders",
    security(("session" = [])),
    params(ListPreorders),
    responses((status = 200, description = "A page of pre-orders", body = PageAsOf<PreorderView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListPreorders>,
) -> Result<Json<PageAsOf<PreorderView>>, Problem> {
    if query.q.as_ref().is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        return Err(Problem::from(INVALID_FIELD).detail("q has at most 200 characters").field("q"));
    }
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let figure_id = match query.figure_id {
        Some(id) => Some(figure_now(&state.pool, FigureId(id)).await?),
        None => None,
    };
    let filter = PreorderFilter {
        status: query.status,
        live: query.live,
        offered: query.offered,
        store: query.store,
        figure_id,
        search: query.q,
        hide_nsfw: hides_nsfw(&user),
    };
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let from = scene.reading(&state.pool);
    let rows = preorders::list(from, user.id, &filter, order, after, query.limit.one_more()).await?;
    let today = scene.today();
    let view = |row: preorders::Listing| PreorderView::of(row.found, &user, today);
    Ok(Json(PageAsOf::new(Page::cut(rows, query.limit, |row| row.key(order), view), &scene)))
}

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
async fn place(
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

/// One pre-order.
///
/// For whoever is signed in; other people's pre-orders are not found. Also answers those that were cancelled
/// and replaced. An NSFW figure is answered also to those who hide them, marked for blurring. With `as_of`, the
/// pre-order as it was then, without an `ETag`.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}",
    tag = "pre-orders",
    operation_id = "read_preorder",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), AtTime),
    responses((status = 200, description = "The pre-order", body = ThingAsOf<PreorderDetail>), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<AtTime>,
) -> Result<Written<ThingAsOf<PreorderDetail>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let (detail, version) = detail_in(&scene, &state, &user, PreorderId(id)).await?;
    Ok(ThingAsOf::written(detail, version, &scene))
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
async fn edit(
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
async fn set_status(
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
async fn slip(
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
async fn ship(
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
async fn receive(
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
async fn cancel(
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
async fn replace(
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

/// How a pre-order's release date changed.
///
/// For whoever is signed in; other people's pre-orders are not found. Oldest first, with the changes of the
/// cancelled pre-orders that it replaced, each under its own `preorder_id`. With `as_of`, the changes up to then.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}/history",
    tag = "pre-orders",
    operation_id = "read_preorder_history",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), ListHistory),
    responses((status = 200, description = "A page of changes", body = PageAsOf<DateChangeView>), HistoryProblems)
)]
async fn history(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<ListHistory>,
) -> Result<Json<PageAsOf<DateChangeView>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let found = preorders::find(from, user.id, PreorderId(id)).await?.ok_or(PREORDER_NOT_FOUND)?;
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = preorders::history(from, &found.preorder, after, query.limit.one_more()).await?;
    let page = Page::cut(rows, query.limit, |row| row.position, Into::into);
    Ok(Json(PageAsOf::new(page, &scene)))
}

/// A pre-order's price, taken apart.
///
/// For whoever is signed in; other people's pre-orders are not found. Of a cancelled one it says what was paid,
/// what came back and what was lost. With `as_of`, as it was then; the MSRP is the catalogue's of today.
#[utoipa::path(
    get,
    path = "/api/me/preorders/{id}/breakdown",
    tag = "pre-orders",
    operation_id = "read_preorder_breakdown",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The pre-order"), AtTime),
    responses((status = 200, description = "The parts of the price", body = ThingAsOf<BreakdownView>), BreakdownProblems)
)]
async fn take_apart(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<AtTime>,
) -> Result<Json<ThingAsOf<BreakdownView>>, Problem> {
    let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
    let from = scene.reading(&state.pool);
    let found = preorders::find(from, user.id, PreorderId(id)).await?.ok_or(PREORDER_NOT_FOUND)?;
    let msrp = found.figure.and_then(|figure| Some((figure.msrp_amount?, figure.msrp_currency?)));
    let parts = breakdown(&found.preorder, msrp, state.fx.today().as_ref());
    let currency = parts.currency.as_deref();
    let amount = |part: Option<_>| part.map(|part| shown::amount(part, currency));
    let (msrp, msrp_currency) = parts.msrp.unzip();
    let parts = BreakdownView {
        deposit: amount(parts.deposit),
        figure: amount(parts.figure),
        shipping: amount(parts.shipping),
        total: amount(parts.total),
        paid: shown::amount(parts.paid, currency),
        msrp: msrp.map(|msrp| shown::amount(msrp, msrp_currency.as_deref())),
        msrp_currency,
        delta: amount(parts.delta),
        delta_fx_date: parts.delta_rates_of,
        refunded: amount(parts.refunded),
        lost: amount(parts.lost),
        currency: parts.currency.clone(),
    };
    Ok(Json(ThingAsOf::new(parts, &scene)))
}
