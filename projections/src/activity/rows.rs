//! The rows of the feed.

use crate::engine::{row, row_set};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

row! {
    /// Something that a person did.
    pub struct ActivityRow in "activity_events", key(id: Uuid), owner(user_id) {
        user_id: Uuid,
        position: i64,
        kind: String,
        payload: Value,
        created_at: DateTime<Utc>,
    }
}

row! {
    /// What the last row of a person tells.
    pub struct LatestRow in "activity_latest", key(user_id: Uuid), owner(user_id) {
        command_id: Uuid,
        event_id: Uuid,
        piece_id: Option<Uuid>,
    }
}

row! {
    /// What a piece is a copy of.
    pub struct ToldPieceRow in "activity_pieces", key(piece_id: Uuid), owner(user_id) {
        user_id: Uuid,
        figure_id: Uuid,
    }
}

row! {
    /// What a figure is called.
    pub struct ToldFigureRow in "activity_figures", key(figure_id: Uuid) {
        name: String,
        slug: String,
        is_nsfw: bool,
        merged_into: Option<Uuid>,
    }
}

row_set! {
    /// The tables of the feed.
    pub struct ActivityRows {
        /// The feed.
        pub told: ActivityRow,
        /// The last row of each person.
        pub latest: LatestRow,
        /// Pieces.
        pub pieces: ToldPieceRow,
        /// Figures.
        pub figures: ToldFigureRow,
    }
}
