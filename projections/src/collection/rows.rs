//! The tables of collections. Their DDL tells what each column means.

use crate::engine::{row, row_set};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

row! {
    /// A piece.
    pub struct OwnedItemRow in "owned_items", key(id: Uuid), index(user_id, figure_id, store_id), owner(user_id) {
        user_id: Uuid,
        figure_id: Uuid,
        condition: Option<String>,
        price_amount: Option<Decimal>,
        price_currency: Option<String>,
        shipping_amount: Option<Decimal>,
        fees_amount: Option<Decimal>,
        price_fx_rate: Option<Decimal>,
        value_amount: Option<Decimal>,
        value_currency: Option<String>,
        purchase_date: Option<NaiveDate>,
        store_id: Option<Uuid>,
        location: Option<String>,
        location_key: Option<String>,
        notes: Option<String>,
        origin: String,
        origin_from: Option<String>,
        cover_photo_id: Option<Uuid>,
        cover_scan_id: Option<Uuid>,
        sort_order: i32,
        archived_at: Option<DateTime<Utc>>,
        archive_reason: Option<String>,
        sold_amount: Option<Decimal>,
        sold_currency: Option<String>,
        sold_on: Option<NaiveDate>,
        received_at: Option<DateTime<Utc>>,
        preorder_status: Option<String>,
        preorder_version: i64,
        source: Option<String>,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A registered location.
    pub struct CabinetRow in "cabinets", key(id: Uuid), index(user_id), owner(user_id) {
        user_id: Uuid,
        name: String,
        name_key: String,
        sort_order: i32,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A wish.
    pub struct WishRow in "wishlist_items", key(user_id: Uuid, wished_as: Uuid), index(figure_id), owner(user_id) {
        id: Uuid,
        figure_id: Uuid,
        max_price_amount: Option<Decimal>,
        max_price_currency: Option<String>,
        note: Option<String>,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A wish that waits behind a piece.
    pub struct WaitingWishRow in "wishes_while_owned", key(user_id: Uuid, wished_as: Uuid), index(figure_id), owner(user_id) {
        id: Uuid,
        figure_id: Uuid,
        max_price_amount: Option<Decimal>,
        max_price_currency: Option<String>,
        note: Option<String>,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A store that was merged into another, and the one it is now.
    pub struct MergedStoreRow in "owned_items_merged_stores", key(store_id: Uuid), index(winner_id) {
        winner_id: Uuid,
    }
}

macro_rules! same_columns {
    ($from:ident -> $to:ident) => {
        impl From<$from> for $to {
            fn from(wish: $from) -> Self {
                let $from {
                    user_id,
                    wished_as,
                    id,
                    figure_id,
                    max_price_amount,
                    max_price_currency,
                    note,
                    version,
                    created_at,
                    updated_at,
                } = wish;
                Self {
                    user_id,
                    wished_as,
                    id,
                    figure_id,
                    max_price_amount,
                    max_price_currency,
                    note,
                    version,
                    created_at,
                    updated_at,
                }
            }
        }
    };
}
same_columns!(WishRow -> WaitingWishRow);
same_columns!(WaitingWishRow -> WishRow);

row_set! {
    /// The tables of collections.
    pub struct CollectionRows {
        /// Pieces.
        pub pieces: OwnedItemRow,
        /// Registered locations.
        pub cabinets: CabinetRow,
        /// Wishes.
        pub wishes: WishRow,
        /// Wishes that wait behind a piece.
        pub waiting: WaitingWishRow,
        /// Merged stores.
        pub merged_stores: MergedStoreRow,
    }
}
