//! What a sweep came to, as an admin reads it.

use crate::provider::Dropped;
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many single troubles a report tells; the counts are of all.
const MOST_TOLD: usize = 50;
/// How long a detail may be.
const LONGEST_DETAIL: usize = 400;

/// How a sweep ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every figure was asked for.
    #[default]
    Through,
    /// As many requests were made as one run may; the rest are first the next time.
    MostRequests,
    /// Somebody called it off.
    Cancelled,
    /// The provider cannot be asked, or nothing can be recorded.
    GaveUp,
}

/// What became of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Moved,
    Confirmed,
    NoPrice,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Confirmed => "confirmed",
            Self::NoPrice => "none",
        }
    }
}

/// Something that did not go as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The figure.
    pub figure_id: Uuid,
    /// The page, or what the buy link holds.
    pub url: String,
    /// What it was, in a word.
    pub code: &'static str,
    /// And in a sentence.
    pub detail: String,
}

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How it ended.
    pub ended: Ended,
    /// Figures looked at.
    pub figures: usize,
    /// Requests for products.
    pub requests: usize,
    /// Prices that moved, the first ones too.
    pub moved: usize,
    /// Prices that stand.
    pub confirmed: usize,
    /// Figures for which no store named a price that can be used.
    pub without_price: usize,
    /// Stores whose stock is another one.
    pub stocks_changed: usize,
    /// Figures that were left for the next time.
    pub left: usize,
    /// How often prices were dropped, by reason.
    pub dropped: BTreeMap<&'static str, usize>,
    /// How often links could not be asked, by reason.
    pub errors: BTreeMap<&'static str, usize>,
    /// The first of both.
    pub troubles: Vec<Trouble>,
}

impl Report {
    pub(super) fn figure(&mut self, outcome: Outcome, stocks_changed: usize) {
        self.figures = self.figures.saturating_add(1);
        let count = match outcome {
            Outcome::Moved => &mut self.moved,
            Outcome::Confirmed => &mut self.confirmed,
            Outcome::NoPrice => &mut self.without_price,
        };
        *count = count.saturating_add(1);
        self.stocks_changed = self.stocks_changed.saturating_add(stocks_changed);
    }

    pub(super) fn trouble(&mut self, figure_id: Uuid, url: &str, code: &'static str, detail: String) {
        let count = self.errors.entry(code).or_default();
        *count = count.saturating_add(1);
        self.tell(figure_id, url, code, &detail);
    }

    pub(super) fn dropped(&mut self, figure_id: Uuid, url: &str, dropped: &Dropped) {
        let count = self.dropped.entry(dropped.code()).or_default();
        *count = count.saturating_add(1);
        self.tell(figure_id, url, dropped.code(), &dropped.to_string());
    }

    fn tell(&mut self, figure_id: Uuid, url: &str, code: &'static str, detail: &str) {
        if self.troubles.len() < MOST_TOLD {
            // A NUL in what a stranger said would keep the whole report out of the database.
            let detail = detail.chars().filter(|c| !c.is_control()).take(LONGEST_DETAIL).collect();
            self.troubles.push(Trouble { figure_id, url: url.to_owned(), code, detail });
        }
    }
}
