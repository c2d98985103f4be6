//! The words for what is told. They are stored and sent, so they never change.
#![allow(missing_docs, reason = "each is told in the table of the module above")]

macro_rules! kinds {
    ($($name:ident = $word:literal;)*) => {
        $(pub const $name: &str = $word;)*
        /// Every kind.
        pub const ALL: &[&str] = &[$($word),*];
    };
}

kinds! {
    PIECE_ADDED = "piece_added";
    PIECES_EDITED = "pieces_edited";
    PIECE_VALUED = "piece_valued";
    VALUATION_CLEARED = "valuation_cleared";
    PIECES_ARRANGED = "pieces_arranged";
    PIECES_ARCHIVED = "pieces_archived";
    PIECE_RESTORED = "piece_restored";
    PIECES_DELETED = "pieces_deleted";
    PHOTOS_ADDED = "photos_added";
    SCAN_MADE = "scan_made";
    CABINET_CREATED = "cabinet_created";
    CABINET_RENAMED = "cabinet_renamed";
    CABINET_DELETED = "cabinet_deleted";
    WISHED = "wished";
    WISH_TARGET_SET = "wish_target_set";
    UNWISHED = "unwished";
    PREORDER_PLACED = "preorder_placed";
    PREORDER_REPLACED = "preorder_replaced";
    PREORDER_ADVANCED = "preorder_advanced";
    PREORDER_CORRECTED = "preorder_corrected";
    PREORDER_SHIPPED = "preorder_shipped";
    PREORDER_RECEIVED = "preorder_received";
    PREORDER_CANCELLED = "preorder_cancelled";
    RELEASE_DATE_NAMED = "release_date_named";
    RELEASE_DATE_SLIPPED = "release_date_slipped";
    RELEASE_DATE_BROUGHT_FORWARD = "release_date_brought_forward";
    RELEASE_DATE_NARROWED = "release_date_narrowed";
    BALANCE_PAID = "balance_paid";
    BALANCE_REOPENED = "balance_reopened";
}
