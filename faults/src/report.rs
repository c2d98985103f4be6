//! What came of it all.

use std::collections::{BTreeMap, BTreeSet};

/// What was tried, and what came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Faults that took place.
    pub tried: usize,
    /// Accepted writes.
    pub acknowledged: usize,
    /// Refused ones.
    pub refused: usize,
    /// Accepted writes that the log has nothing of: settings, keys, links.
    pub in_place: usize,
    /// Requests that were sent more than once.
    pub repeated: usize,
    /// Acknowledged writes that are not in the log.
    pub lost: usize,
    /// Commands in the log that nobody was told of.
    pub doubled: usize,
    /// Notifications that people had to get, and got once.
    pub told: usize,
    /// How often each fault of real processes took place.
    pub struck: BTreeMap<&'static str, u32>,
    /// Those that cannot be tried here.
    pub skipped: BTreeSet<&'static str>,
    /// How often a process died at each point.
    pub died_at: BTreeMap<&'static str, u32>,
    /// Of every kind of request, how many were accepted and how many refused.
    pub kinds: BTreeMap<&'static str, (u32, u32)>,
    /// Everything that is not as it should be.
    pub complaints: Vec<String>,
}

impl Report {
    /// Takes in what another one says.
    pub fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.in_place += other.in_place;
        self.repeated += other.repeated;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.told += other.told;
        self.skipped.extend(other.skipped);
        self.complaints.extend(other.complaints);
        for (all, more) in [(&mut self.struck, other.struck), (&mut self.died_at, other.died_at)] {
            for (name, times) in more {
                *all.entry(name).or_default() += times;
            }
        }
        for (kind, (accepted, refused)) in other.kinds {
            let all = self.kinds.entry(kind).or_default();
            *all = (all.0 + accepted, all.1 + refused);
        }
    }

    /// The line that ends a campaign.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "faults: {} tried, {} acknowledged, {} lost, {} doubled",
            self.tried, self.acknowledged, self.lost, self.doubled
        )
    }
}
