//! What is shown of pre-orders.

use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::PreorderId;
use operational::users::User;
use projections::{
    figures::summary::EntityName,
    pictures::Eyes,
    preorders::{
        DateHistoryRow, Found, Lost, PieceEssentials, PreorderRow, countdown, delivery_date, is_live, paid,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::shown::{self, CoverView, EntityRef, FigureView};

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
    pub(in crate::http) fn of(row: PreorderRow, store: Option<EntityName>, today: NaiveDate) -> Self {
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
    /// The picture of its card: what is pinned on its piece, else what stands for its figure; null is a placeholder.
    cover: Option<CoverView>,
    /// Its piece.
    owned_item: PreorderPiece,
}

/// A pre-order with the chapters that it replaced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreorderWithChapters, example = example_detail)]
pub struct PreorderDetail {
    #[serde(flatten)]
    pub(super) preorder: PreorderView,
    /// Cancelled pre-orders of the same piece that came before this one, the latest first.
    pub(super) earlier_chapters: Vec<Chapter>,
    /// What was lost on this one and those before it, per currency.
    pub(super) losses: Vec<Loss>,
}

impl PreorderView {
    pub(in crate::http) fn of(found: Found, viewer: &User, today: NaiveDate) -> Self {
        let cover = found.cover(Eyes::Owner).map(Into::into);
        Self {
            chapter: Chapter::of(found.preorder, found.store, today),
            replaced_by: found.replaced_by.map(PreorderId::uuid),
            cover,
            figure: found.figure.map(|figure| FigureView::of(figure, viewer)),
            owned_item: found.piece.into(),
        }
    }
}

impl PreorderView {
    /// Its id and its figure's, where that is NSFW.
    pub(super) fn nsfw(&self) -> Option<(Uuid, Uuid)> {
        self.figure
            .as_ref()
            .filter(|figure| figure.is_nsfw())
            .map(|_| (self.chapter.id, self.chapter.figure_id))
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
    pub(super) currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deposit: Option<String>,
    /// Price − deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) figure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shipping: Option<String>,
    /// Price + shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<String>,
    /// What was paid so far.
    pub(super) paid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msrp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msrp_currency: Option<String>,
    /// Price − MSRP, deposit in and shipping out, in the price's currency; across currencies at today's rate. Left
    /// out when no rate is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<String>,
    /// The day of the rates that the MSRP was converted with; left out when it did not have to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta_fx_date: Option<NaiveDate>,
    /// What came back after cancelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refunded: Option<String>,
    /// Paid − refunded, unless that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<String>,
}

/// The pre-order in the examples.
fn example_preorder() -> Value {
    let mut preorder = json!({
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
        "owned_item": example_preorder_piece()
    });
    if let Some(members) = preorder.as_object_mut() {
        members.insert("cover".to_owned(), Value::Null);
    }
    preorder
}

fn example_preorder_piece() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
        "condition": null,
        "location": null,
        "purchase_date": "2026-10-17",
        "archived_at": null,
        "archive_reason": null
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
