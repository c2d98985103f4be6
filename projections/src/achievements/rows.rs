//! The rows of the achievements.

use crate::engine::{row, row_set};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

row! {
    /// Something that a person unlocked.
    pub struct AchievementRow in "achievements", key(user_id: Uuid, code: String), owner(user_id) {
        tier: String,
        unlocked_at: DateTime<Utc>,
    }
}

row! {
    /// What was counted for a person.
    pub struct CounterRow in "achievement_counters", key(user_id: Uuid, counter: String), index(entity_id), owner(user_id) {
        entity_id: Option<Uuid>,
        value: i32,
    }
}

row! {
    /// A piece, as far as counting goes.
    pub struct CountedPieceRow in "achievement_pieces", key(piece_id: Uuid), owner(user_id) {
        user_id: Uuid,
        figure_id: Uuid,
        counted: bool,
        received: bool,
        slips: i32,
    }
}

row! {
    /// What a figure counts towards.
    pub struct FigureFactsRow in "achievement_figures", key(figure_id: Uuid) {
        manufacturer_id: Option<Uuid>,
        series_ids: Value,
        is_nsfw: bool,
        merged_into: Option<Uuid>,
    }
}

row! {
    /// A maker or series that was merged into another.
    pub struct MergedEntityRow in "achievement_entities", key(entity_id: Uuid) {
        merged_into: Uuid,
    }
}

row_set! {
    /// The tables of the achievements.
    pub struct AchievementRows {
        /// What is unlocked.
        pub unlocked: AchievementRow,
        /// What is counted.
        pub counters: CounterRow,
        /// Pieces.
        pub pieces: CountedPieceRow,
        /// Figures.
        pub figures: FigureFactsRow,
        /// Merged makers and series.
        pub entities: MergedEntityRow,
    }
}
