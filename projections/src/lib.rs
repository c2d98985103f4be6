//! The read models of Figure Ledger: tables folded from the log, and the queries over them.

pub mod achievements;
pub mod activity;
pub mod backup;
pub mod collection;
pub mod cote;
pub mod engine;
pub mod entities;
pub mod figures;
pub mod past;
pub mod preorders;
pub mod prices;
pub mod search;
pub mod statistics;
pub mod views;

use engine::Definition;

/// Every projection, in the order in which they are shown.
#[must_use]
pub fn all() -> Vec<Definition> {
    vec![
        Definition::of::<entities::Entities>(),
        Definition::of::<figures::Figures>(),
        Definition::of::<prices::Prices>(),
        Definition::of::<collection::Collections>(),
        Definition::of::<preorders::Preorders>(),
        Definition::of::<activity::Activity>(),
        Definition::of::<achievements::Achievements>(),
        Definition::of::<cote::Cote>(),
    ]
}
