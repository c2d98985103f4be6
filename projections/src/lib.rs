//! The read models of Figure Ledger: tables folded from the log, and the queries over them.

pub mod achievements;
pub mod activity;
pub mod backup;
pub mod collection;
pub mod cote;
pub mod engine;
pub mod entities;
pub mod figures;
#[cfg(feature = "next-release")]
mod next_release;
pub mod past;
pub mod pictures;
pub mod preorders;
pub mod prices;
pub mod profiles;
pub mod search;
pub mod statistics;
pub mod views;

use engine::Definition;

/// Every projection, in the order in which they are shown.
#[must_use]
pub fn all() -> Vec<Definition> {
    #[cfg(not(feature = "next-release"))]
    type Figures = figures::Figures;
    #[cfg(feature = "next-release")]
    type Figures = next_release::Figures;
    vec![
        Definition::of::<entities::Entities>(),
        Definition::of::<Figures>(),
        Definition::of::<prices::Prices>(),
        Definition::of::<collection::Collections>(),
        Definition::of::<preorders::Preorders>(),
        Definition::of::<pictures::Pictures>(),
        Definition::of::<activity::Activity>(),
        Definition::of::<achievements::Achievements>(),
        Definition::of::<cote::Cote>(),
    ]
}
