//! The tables of worth. Their DDL tells what each column means.

use crate::engine::{row, row_set};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

row! {
    /// A piece, as far as its worth goes, and what seldom changes of its figure.
    pub struct CotePieceRow in "cote_pieces", key(piece_id: Uuid), index(figure_id), owner(user_id) {
        user_id: Uuid,
        figure_id: Uuid,
        added_on: NaiveDate,
        purchase_date: Option<NaiveDate>,
        received_on: Option<NaiveDate>,
        awaited: bool,
        archived_on: Option<NaiveDate>,
        is_gift: bool,
        value_amount: Option<Decimal>,
        value_currency: Option<String>,
        price_amount: Option<Decimal>,
        shipping_amount: Option<Decimal>,
        fees_amount: Option<Decimal>,
        price_currency: Option<String>,
        price_fx_rate: Option<Decimal>,
        sold_amount: Option<Decimal>,
        sold_currency: Option<String>,
        sold_on: Option<NaiveDate>,
        figure_type: Option<String>,
        manufacturer_id: Option<Uuid>,
        sculptor_id: Option<Uuid>,
        series_id: Option<Uuid>,
        has_several_series: bool,
        msrp_amount: Option<Decimal>,
        msrp_currency: Option<String>,
        is_nsfw: Option<bool>,
    }
}

row! {
    /// What a figure sells for, and of what kind it is.
    pub struct CoteFigureRow in "cote_figures", key(figure_id: Uuid) {
        figure_type: String,
        manufacturer_id: Option<Uuid>,
        sculptor_id: Option<Uuid>,
        series_id: Option<Uuid>,
        has_several_series: bool,
        msrp_amount: Option<Decimal>,
        msrp_currency: Option<String>,
        market_amount: Option<Decimal>,
        market_currency: Option<String>,
        market_at: Option<DateTime<Utc>>,
        is_nsfw: bool,
    }
}

row! {
    /// The market price of a figure at the end of a day on which it moved.
    pub struct CotePointRow in "cote_points", key(figure_id: Uuid, day: NaiveDate), index(figure_id) {
        amount: Decimal,
        currency: String,
        seen_at: DateTime<Utc>,
    }
}

row! {
    /// By how much the worth of a collection changed on a day.
    pub struct CoteDayRow in "cote_days", key(user_id: Uuid, day: NaiveDate, currency: String), owner(user_id) {
        change: Decimal,
    }
}

row_set! {
    /// The tables of worth.
    pub struct CoteRows {
        /// Pieces.
        pub pieces: CotePieceRow,
        /// What figures sell for.
        pub figures: CoteFigureRow,
        /// What they sold for.
        pub points: CotePointRow,
        /// Changes of worth.
        pub days: CoteDayRow,
    }
}
