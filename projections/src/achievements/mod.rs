//! Achievements: what each person has unlocked. [`catalogue`] lists them all.

pub mod catalogue;
mod fold;
mod queries;
mod rows;
#[cfg(test)]
mod tests;

pub use queries::{Locked, Unlocked, of_user, shown_to_others, unlocked_at, unlocking};
pub use rows::{
    AchievementRow, AchievementRows, CountedPieceRow, CounterRow, FigureFactsRow, MergedEntityRow,
};

use crate::engine::{FoldError, Projection, Timing};
use domain::stream::Recorded;

/// The read model of the achievements.
pub struct Achievements;

impl Projection for Achievements {
    const NAME: &'static str = "achievements";
    const VERSION: u32 = 2;
    const DDL: &'static str = include_str!("../../../migrations/read-models/achievements.sql");
    const READS: &'static [&'static str] = &["collection", "preorder", "figure", "entity"];
    // No answer to a command is read from it.
    const TIMING: Timing = Timing::After;
    type Rows = AchievementRows;

    fn fold(rows: &mut AchievementRows, event: &Recorded) -> Result<(), FoldError> {
        fold::fold(rows, event)
    }
}
