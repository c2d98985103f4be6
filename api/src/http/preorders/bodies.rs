//! What callers ask of pre-orders, and what they send of one.

use domain::{
    collection::Condition,
    preorder::{SlipSource, Status},
    text::{Location, Name, Note},
};
use projections::{collection::ListKey, preorders::PreorderOrder};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::owned::parsed;
use crate::{
    change::{self, Change},
    given::Given,
    pages::{Cursor, Limit},
};

/// Which pre-orders to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListPreorders {
    /// In this status; several are any of them.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, example = json!(["preordered"]))]
    pub(super) status: Vec<Status>,
    /// `true` lists those that are neither received nor cancelled, `false` the others.
    pub(super) live: Option<bool>,
    /// `true` lists those that the catalogue offers a new date, `false` the others.
    pub(super) offered: Option<bool>,
    /// The store's id or slug.
    pub(super) store: Option<String>,
    /// Of this figure.
    pub(super) figure_id: Option<Uuid>,
    /// Words that each occur in what the catalogue says of the figure or in the store's name; at most 200
    /// characters. A typo or two do no harm.
    pub(super) q: Option<String>,
    /// `release_date`, `placed`, `price` (as recorded) or `name`; a `-` before it turns it round. What has
    /// no such value comes last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "release_date")]
    pub(super) sort: Option<PreorderOrder>,
    /// As it was then: an RFC 3339 time or a position of the log. Names and pictures are today's.
    #[param(example = "2026-11-02T08:15:00Z")]
    pub(super) as_of: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<Cursor<ListKey>>,
}

/// Which part of the history to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListHistory {
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<Cursor<i64>>,
    /// As it was then: an RFC 3339 time or a position of the log.
    #[param(example = "2026-11-02T08:15:00Z")]
    pub(super) as_of: Option<String>,
}

/// A pre-order to place, with its piece.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_new)]
pub struct PlacePreorderBody {
    /// What is ordered.
    pub(super) figure_id: Uuid,
    /// The price, deposit included; a decimal string.
    #[schema(value_type = Option<String>, example = "129.90")]
    pub(super) price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    pub(super) shipping_amount: Option<Given>,
    /// The part of the price that is paid first.
    #[schema(value_type = Option<String>)]
    pub(super) deposit_amount: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(super) store: Option<Name>,
    /// A status before `shipped`; `preordered` unless said otherwise.
    #[schema(value_type = Option<String>, pattern = "^(announced|preorder_open|preordered|in_production|released)$")]
    pub(super) status: Option<Status>,
    /// When it is to come out: `2027-05-20`, `2027-05` or `2027`. The catalogue's date, when that is still to
    /// come, unless said otherwise.
    #[schema(value_type = Option<String>)]
    #[serde(alias = "release_date_current")]
    pub(super) release_date: Option<Given>,
    /// The same, by the name it keeps: the first date that is named is the original one. Either will do.
    #[schema(value_type = Option<String>)]
    pub(super) release_date_original: Option<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    pub(super) release_date_precision: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    pub(super) estimated_delivery_days: Option<u16>,
    /// Of the piece: `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`. Usually said at receipt.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) condition: Option<Condition>,
    /// Where the piece is to stand.
    #[schema(value_type = Option<String>, max_length = 120)]
    pub(super) location: Option<Location>,
    /// Notes on the piece, at most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub(super) notes: Option<Note>,
    /// The day it was ordered.
    #[schema(value_type = Option<String>, format = Date)]
    pub(super) purchase_date: Option<Given>,
}

/// A fresh pre-order in place of a cancelled one.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"price_amount": "139.90", "price_currency": "EUR", "store": "Pier Nine Figures", "release_date": "2027-09"}))]
pub struct ReplacePreorderBody {
    /// The price, deposit included; a decimal string.
    #[schema(value_type = Option<String>)]
    pub(super) price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    pub(super) shipping_amount: Option<Given>,
    /// The part of the price that is paid first.
    #[schema(value_type = Option<String>)]
    pub(super) deposit_amount: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(super) store: Option<Name>,
    /// A status before `shipped`; `preordered` unless said otherwise.
    #[schema(value_type = Option<String>, pattern = "^(announced|preorder_open|preordered|in_production|released)$")]
    pub(super) status: Option<Status>,
    /// When it is to come out: `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = Option<String>)]
    #[serde(alias = "release_date_current")]
    pub(super) release_date: Option<Given>,
    /// The same, by the name it keeps: the first date that is named is the original one. Either will do.
    #[schema(value_type = Option<String>)]
    pub(super) release_date_original: Option<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    pub(super) release_date_precision: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    pub(super) estimated_delivery_days: Option<u16>,
}

/// What to change of a pre-order; what is left out stays as it is, null empties.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"price_amount": "124.90", "balance_paid": true, "tracking_url": null}))]
pub struct EditPreorderBody {
    /// The price, deposit included; a decimal string. The piece shows the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) price_amount: Change<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and deposit.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) price_currency: Change<Given>,
    /// Shipping, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) shipping_amount: Change<Given>,
    /// The part of the price that is paid first.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) deposit_amount: Change<Given>,
    /// Whether the rest is paid, too.
    #[serde(default, deserialize_with = "change::not_null")]
    pub(super) balance_paid: Option<bool>,
    /// The store's name. It is made when nobody typed it before.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(super) store: Change<Name>,
    /// Where to follow the parcel.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) tracking_url: Change<Given>,
    /// Days from shipping to the door.
    #[serde(default)]
    #[schema(value_type = Option<u16>, maximum = 365)]
    pub(super) estimated_delivery_days: Change<u16>,
    /// When it is to come out; on record as the collector's own word. It cannot be emptied.
    #[serde(default, alias = "release_date_current")]
    #[schema(value_type = Option<String>)]
    pub(super) release_date: Change<Given>,
    /// `day`, `month` or `year`: how exact the date is.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    pub(super) release_date_precision: Option<Given>,
}

/// Where a pre-order goes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"status": "in_production"}))]
pub struct SetStatusBody {
    /// `announced`, `preorder_open`, `preordered`, `in_production`, `released`, `shipped` or `received`.
    #[schema(value_type = String, pattern = "^(announced|preorder_open|preordered|in_production|released|shipped|received)$")]
    pub(super) status: Status,
    /// With `shipped`: when it left. A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    pub(super) shipped_at: Option<Given>,
    /// With `shipped`: where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) tracking_url: Option<Given>,
    /// With `shipped`: days from shipping to the door.
    #[schema(maximum = 365)]
    pub(super) estimated_delivery_days: Option<u16>,
    /// With `received`: when it came. A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    pub(super) received_at: Option<Given>,
    /// With `received`: in which state.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) condition: Option<Condition>,
}

/// A release date that was announced.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"new_date": "2027-08", "source": "manufacturer_announcement", "note": "moved with the whole line"}))]
pub struct SlipBody {
    /// `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = String)]
    pub(super) new_date: Given,
    /// `day`, `month` or `year`: how exact the date is.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    pub(super) release_date_precision: Option<Given>,
    /// Who said so: `user` (unless said otherwise), `mfc`, `anilist`, `store_update` or
    /// `manufacturer_announcement`.
    #[schema(value_type = Option<String>, pattern = "^(user|mfc|anilist|store_update|manufacturer_announcement)$")]
    pub(super) source: Option<SlipSource>,
    /// At most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub(super) note: Option<Note>,
}

/// It left the shop.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"shipped_at": "2027-06-01", "estimated_delivery_days": 12}))]
pub struct ShipBody {
    /// A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    pub(super) shipped_at: Option<Given>,
    /// Where to follow the parcel.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) tracking_url: Option<Given>,
    /// Days from shipping to the door.
    #[schema(maximum = 365)]
    pub(super) estimated_delivery_days: Option<u16>,
}

/// It is here.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"received_at": "2027-06-12", "condition": "mib_sealed"}))]
pub struct ReceiveBody {
    /// A day or an RFC 3339 time; now unless said otherwise.
    #[schema(value_type = Option<String>)]
    pub(super) received_at: Option<Given>,
    /// In which state: `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) condition: Option<Condition>,
}

/// It is called off.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"refund_amount": "30.00", "item": "archive"}))]
pub struct CancelBody {
    /// What comes back, a decimal string: at most what was paid.
    #[schema(value_type = String)]
    pub(super) refund_amount: Given,
    /// What becomes of the piece: `archive` (unless said otherwise), or `delete`, only when nothing was lost.
    pub(super) item: Option<ItemFate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ItemFate {
    Archive,
    Delete,
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
