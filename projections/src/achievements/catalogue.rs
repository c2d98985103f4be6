//! Every achievement there is: the one place that knows codes, thresholds and tiers.

use std::fmt;

/// How much an achievement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A first step.
    Bronze,
    /// Some dedication.
    Silver,
    /// A great deal of it.
    Gold,
}

impl Tier {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is counted. Achievements of one family unlock one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Pieces that came: added without a pre-order, or received.
    PiecesOwned,
    /// Pre-orders placed, replacements too.
    PreordersPlaced,
    /// Pieces whose pre-order was received.
    PreordersReceived,
    /// Turntable scans made.
    ScansMade,
    /// Pieces of the maker with the most.
    Maker,
    /// Pieces of the series with the most.
    Series,
    /// NSFW pieces. Shown only to those who do not hide them.
    Nsfw,
    /// Slips of one piece that was received in the end.
    Slipped,
}

/// One achievement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Achievement {
    /// Its lasting name.
    pub code: &'static str,
    /// What it is worth.
    pub tier: Tier,
    /// What it counts.
    pub family: Family,
    /// From how many on it is unlocked.
    pub threshold: i32,
}

const fn of(family: Family, threshold: i32, tier: Tier, code: &'static str) -> Achievement {
    Achievement { code, tier, family, threshold }
}

/// Every achievement, family by family, the thresholds of each ascending.
pub const ACHIEVEMENTS: &[Achievement] = &[
    of(Family::PiecesOwned, 1, Tier::Bronze, "pieces_owned_1"),
    of(Family::PiecesOwned, 10, Tier::Bronze, "pieces_owned_10"),
    of(Family::PiecesOwned, 25, Tier::Bronze, "pieces_owned_25"),
    of(Family::PiecesOwned, 50, Tier::Silver, "pieces_owned_50"),
    of(Family::PiecesOwned, 100, Tier::Silver, "pieces_owned_100"),
    of(Family::PiecesOwned, 250, Tier::Gold, "pieces_owned_250"),
    of(Family::PiecesOwned, 500, Tier::Gold, "pieces_owned_500"),
    of(Family::PiecesOwned, 1000, Tier::Gold, "pieces_owned_1000"),
    of(Family::PreordersPlaced, 1, Tier::Bronze, "preorders_placed_1"),
    of(Family::PreordersPlaced, 5, Tier::Silver, "preorders_placed_5"),
    of(Family::PreordersPlaced, 25, Tier::Gold, "preorders_placed_25"),
    of(Family::PreordersReceived, 1, Tier::Bronze, "preorders_received_1"),
    of(Family::PreordersReceived, 10, Tier::Silver, "preorders_received_10"),
    of(Family::ScansMade, 1, Tier::Bronze, "scans_made_1"),
    of(Family::ScansMade, 10, Tier::Silver, "scans_made_10"),
    of(Family::Maker, 5, Tier::Bronze, "maker_5"),
    of(Family::Maker, 15, Tier::Silver, "maker_15"),
    of(Family::Maker, 40, Tier::Gold, "maker_40"),
    of(Family::Series, 5, Tier::Bronze, "series_5"),
    of(Family::Series, 15, Tier::Silver, "series_15"),
    of(Family::Series, 40, Tier::Gold, "series_40"),
    of(Family::Nsfw, 5, Tier::Bronze, "nsfw_5"),
    of(Family::Nsfw, 25, Tier::Silver, "nsfw_25"),
    of(Family::Slipped, 3, Tier::Silver, "slipped_three_times"),
];

/// The achievements of a family, thresholds ascending.
pub fn of_family(family: Family) -> impl Iterator<Item = &'static Achievement> {
    ACHIEVEMENTS.iter().filter(move |one| one.family == family)
}

/// The achievement of that code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Achievement> {
    ACHIEVEMENTS.iter().find(|one| one.code == code)
}
