//! What is shown of pieces.

use chrono::{DateTime, NaiveDate, Utc};
use operational::users::{NsfwVisibility, User};
use projections::{collection::Piece, pictures::Eyes};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::shown::{self, CoverView, EntityRef, FigureView};

/// What a request about many pieces came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"updated": 12}))]
pub struct Updated {
    /// How many pieces the request named; all of them now are as it said.
    pub(super) updated: usize,
}

/// What is left of something that was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10", "deleted": true}))]
pub struct Deleted {
    /// What it was called.
    pub(in crate::http) id: Uuid,
    /// Always true.
    pub(in crate::http) deleted: bool,
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
    /// The picture of its card: what is pinned, else what stands for its figure; null is a placeholder.
    cover: Option<CoverView>,
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
    pub(in crate::http) fn of(piece: Piece, owner: &User) -> Self {
        let (is_owned, acquired_on) = (piece.is_owned(), piece.acquired_on());
        let cover = piece.cover(Eyes::Owner).map(Into::into);
        let row = piece.row;
        let paid = |amount: Option<_>| amount.map(|a| shown::amount(a, row.price_currency.as_deref()));
        let is_nsfw = piece.figure.as_ref().is_some_and(|figure| figure.is_nsfw);
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

/// The piece in the examples.
pub(in crate::http) fn example_piece() -> Value {
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
