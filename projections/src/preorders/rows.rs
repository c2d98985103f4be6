//! The rows of the pre-orders.

use crate::engine::{row, row_set};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Current and earlier chapters have the same columns.
macro_rules! chapters {
    ($($column:ident: $ty:ty),* $(,)?) => {
        row! {
            /// The current chapter of a piece's pre-order.
            pub struct PreorderRow in "preorders", key(id: Uuid), index(owned_item_id, figure_id, store_id), owner(user_id) {
                $($column: $ty),*
            }
        }

        row! {
            /// A chapter that was cancelled and then replaced.
            pub struct ChapterRow in "preorder_chapters", key(id: Uuid), index(owned_item_id, figure_id, store_id), owner(user_id) {
                $($column: $ty),*
            }
        }

        impl From<PreorderRow> for ChapterRow {
            fn from(row: PreorderRow) -> Self {
                Self { id: row.id, $($column: row.$column),* }
            }
        }

        impl From<ChapterRow> for PreorderRow {
            fn from(row: ChapterRow) -> Self {
                Self { id: row.id, $($column: row.$column),* }
            }
        }
    };
}

chapters! {
    user_id: Uuid,
    owned_item_id: Uuid,
    figure_id: Uuid,
    store_id: Option<Uuid>,
    status: String,
    release_date_original: Option<NaiveDate>,
    release_date_original_precision: Option<String>,
    release_date_current: Option<NaiveDate>,
    release_date_precision: Option<String>,
    offered_release_date: Option<NaiveDate>,
    offered_release_date_precision: Option<String>,
    price_amount: Option<Decimal>,
    price_currency: Option<String>,
    price_fx_rate: Option<Decimal>,
    shipping_amount: Option<Decimal>,
    deposit_amount: Option<Decimal>,
    deposit_refund_amount: Option<Decimal>,
    paid_amount: Option<Decimal>,
    balance_paid_at: Option<DateTime<Utc>>,
    shipped_at: Option<DateTime<Utc>>,
    received_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    estimated_delivery_days: Option<i32>,
    tracking_url: Option<String>,
    slip_count: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
}

row! {
    /// A change of a chapter's release date.
    pub struct DateHistoryRow in "preorder_date_history", key(id: Uuid), index(preorder_id) {
        preorder_id: Uuid,
        position: i64,
        previous_date: Option<NaiveDate>,
        previous_precision: Option<String>,
        new_date: NaiveDate,
        new_precision: String,
        source: String,
        note: Option<String>,
        is_slip: bool,
        recorded_at: DateTime<Utc>,
    }
}

row! {
    /// The catalogue's first release date of a figure that has one.
    pub struct CatalogueDateRow in "preorder_catalogue_dates", key(figure_id: Uuid) {
        release_date: NaiveDate,
        release_date_precision: String,
    }
}

row_set! {
    /// The tables of the pre-orders.
    pub struct PreorderRows {
        /// Current chapters.
        pub preorders: PreorderRow,
        /// Earlier chapters.
        pub chapters: ChapterRow,
        /// Changes of date.
        pub history: DateHistoryRow,
        /// The catalogue's dates.
        pub catalogue_dates: CatalogueDateRow,
    }
}
