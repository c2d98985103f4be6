//! What callers ask of pieces, and what they send of one or of many.

use domain::{
    collection::{ArchiveReason, Condition, Origin},
    text::{Line, Location, Name, Note},
};
use projections::collection::{ListKey, PieceOrder};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::parsed;
use crate::{
    change::{self, Change},
    given::Given,
    pages::{Cursor, Limit},
};

/// Which pieces to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListOwned {
    /// In this state; several are any of them.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, example = json!(["mib_sealed"]))]
    pub(super) condition: Vec<Condition>,
    /// Standing there, without regard to case; `unshelved` for those that stand nowhere.
    #[param(example = "Vitrine by the window")]
    pub(super) location: Option<String>,
    /// The maker's id, slug or name.
    #[param(example = "good-smile-company")]
    pub(super) manufacturer: Option<String>,
    /// The series' id, slug or name.
    pub(super) series: Option<String>,
    /// The store's id, slug or name.
    pub(super) store: Option<String>,
    /// Words that each occur in what the catalogue says of the figure, in the notes or in the location; at
    /// most 200 characters.
    pub(super) q: Option<String>,
    /// `false` leaves archived pieces out, `true` lists only them, `all` lists all.
    #[param(value_type = Option<String>, pattern = "^(false|true|all)$", default = "false")]
    pub(super) archived: Option<ArchivedGiven>,
    /// Copies of this figure.
    pub(super) figure_id: Option<Uuid>,
    /// `owned`: here. `preordered`: with a live pre-order.
    #[param(value_type = Option<String>, pattern = "^(owned|preordered)$")]
    pub(super) state: Option<StateGiven>,
    /// `added`, `name`, `price` (as recorded), `purchase_date`, `manufacturer`, `release_date` or `custom`;
    /// a `-` before it turns it round. What has no such value comes last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "-added")]
    pub(super) sort: Option<PieceOrder>,
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

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum ArchivedGiven {
    #[serde(rename = "false")]
    No,
    #[serde(rename = "true")]
    Only,
    #[serde(rename = "all")]
    All,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateGiven {
    Owned,
    Preordered,
}

/// A piece to add.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_new)]
pub struct AddOwned {
    /// What it is a copy of.
    pub(super) figure_id: Uuid,
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) condition: Option<Condition>,
    /// What it cost, a decimal string.
    #[schema(value_type = Option<String>, example = "129.90")]
    pub(super) price_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and fees.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) price_currency: Option<Given>,
    /// Shipping, in the same currency.
    #[schema(value_type = Option<String>)]
    pub(super) shipping_amount: Option<Given>,
    /// Import VAT and customs, in the same currency.
    #[schema(value_type = Option<String>)]
    pub(super) fees_amount: Option<Given>,
    /// The day it was bought.
    #[schema(value_type = Option<String>, format = Date)]
    pub(super) purchase_date: Option<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(super) store: Option<Name>,
    /// Where it stands, at most 120 characters. It need not be registered.
    #[schema(value_type = Option<String>, max_length = 120)]
    pub(super) location: Option<Location>,
    /// At most 5,000 characters.
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub(super) notes: Option<Note>,
    /// How it came: `purchased` (unless said otherwise), `gift`, `trade`, `found` or `inherited`.
    #[schema(value_type = Option<String>, pattern = "^(purchased|gift|trade|found|inherited)$")]
    pub(super) origin: Option<Origin>,
    /// From whom.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub(super) origin_from: Option<Line<200>>,
    /// What its owner thinks it is worth, a decimal string. Needs `value_currency`.
    #[schema(value_type = Option<String>)]
    pub(super) value_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) value_currency: Option<Given>,
}

/// What to change of a piece; what is left out stays as it is, null empties.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"condition": "displayed", "location": "Vitrine by the window", "notes": null}))]
pub struct EditOwned {
    /// `mib_sealed`, `opened_box`, `displayed`, `loose` or `damaged`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) condition: Change<Condition>,
    /// What it cost, a decimal string; a pre-order of it shows the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) price_amount: Change<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD: of price, shipping and fees.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) price_currency: Change<Given>,
    /// Shipping, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) shipping_amount: Change<Given>,
    /// Import VAT and customs, in the same currency.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) fees_amount: Change<Given>,
    /// The day it was bought.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub(super) purchase_date: Change<Given>,
    /// The store's name. It is made when nobody typed it before.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(super) store: Change<Name>,
    /// Where it stands.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 120)]
    pub(super) location: Change<Location>,
    /// At most 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub(super) notes: Change<Note>,
    /// How it came: `purchased`, `gift`, `trade`, `found` or `inherited`.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, pattern = "^(purchased|gift|trade|found|inherited)$")]
    pub(super) origin: Option<Origin>,
    /// From whom.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub(super) origin_from: Change<Line<200>>,
}

/// What its owner thinks a piece is worth.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"value_amount": "240", "value_currency": "EUR"}))]
pub struct ValueOwned {
    /// A decimal string.
    #[schema(value_type = String)]
    pub(super) value_amount: Given,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = String, min_length = 3, max_length = 3)]
    pub(super) value_currency: Option<Given>,
}

/// Why a piece goes to the archive.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"reason": "sold", "sold_amount": "150", "sold_currency": "EUR", "sold_on": "2026-11-02"}))]
pub struct ArchiveOwned {
    /// `sold`, `traded`, `lost`, `gifted`, `cancelled` or `other`.
    #[schema(value_type = String, pattern = "^(sold|traded|lost|gifted|cancelled|other)$")]
    pub(super) reason: ArchiveReason,
    /// What a sold piece brought, a decimal string. Needs `sold_currency`.
    #[schema(value_type = Option<String>)]
    pub(super) sold_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    pub(super) sold_currency: Option<Given>,
    /// The day it was sold.
    #[schema(value_type = Option<String>, format = Date)]
    pub(super) sold_on: Option<Given>,
    /// What comes back of its live pre-order, a decimal string: at most what was paid. The pre-order is
    /// cancelled with it.
    #[schema(value_type = Option<String>)]
    pub(super) refund_amount: Option<Given>,
}

/// How to delete a piece.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteOwned {
    /// What comes back of its live pre-order, a decimal string: all that was paid. The pre-order is
    /// cancelled with it.
    #[param(value_type = Option<String>)]
    pub(super) refund_amount: Option<Given>,
}

/// What comes back of a live pre-order.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"refund_amount": "30.00"}))]
pub struct RefundBody {
    /// A decimal string: all that was paid.
    #[schema(value_type = Option<String>)]
    pub(super) refund_amount: Option<Given>,
}

/// Where pieces go.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_arrangement)]
pub struct ArrangeOwned {
    /// At most 5,000, each piece once.
    pub(super) items: Vec<PlaceOwned>,
}

/// Where a piece goes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PlaceOwned {
    /// The piece.
    pub(super) id: Uuid,
    /// Where it stands from now on; null is nowhere.
    #[serde(default)]
    #[schema(value_type = Option<String>, required = true, max_length = 120)]
    pub(super) location: Change<Location>,
    /// Its place there, ascending.
    pub(super) sort_order: i32,
}

/// One thing to do with many pieces. `set_location` and `set_condition` go together, the others alone.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"ids": ["0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10"], "set_location": "Storage"}))]
pub struct BulkOwned {
    /// At most 5,000 pieces, each once.
    pub(super) ids: Vec<Uuid>,
    /// Where they stand from now on; null is nowhere.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 120)]
    pub(super) set_location: Change<Location>,
    /// Their condition; null forgets it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(mib_sealed|opened_box|displayed|loose|damaged)$")]
    pub(super) set_condition: Change<Condition>,
    /// Archive them.
    pub(super) archive: Option<BulkArchive>,
    /// `true` deletes them.
    #[serde(default)]
    pub(super) delete: bool,
}

/// Why many pieces go to the archive.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BulkArchive {
    /// `sold`, `traded`, `lost`, `gifted`, `cancelled` or `other`.
    #[schema(value_type = String, pattern = "^(sold|traded|lost|gifted|cancelled|other)$")]
    pub(super) reason: ArchiveReason,
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
