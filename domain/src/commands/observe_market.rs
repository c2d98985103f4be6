//! Take note of what stores ask for a figure and whether they have it.

use super::finding::live_figure;
use crate::figure::{FigureCommand, Observation};
use crate::ids::FigureId;
use crate::world::{Command, Stop, World};
use serde::{Deserialize, Serialize};

/// Take note of one look at the stores of a figure. The price sweep does; nobody is asked to.
#[derive(Debug, Clone, PartialEq)]
pub struct ObserveMarket {
    /// The figure; if it was merged meanwhile, the one it went into.
    pub figure_id: FigureId,
    /// What was seen.
    pub seen: Observation,
}

/// What that came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The figure as it is called now.
    pub figure_id: FigureId,
    /// Whether the price is another one.
    pub price_moved: bool,
    /// In how many stores the stock is another one.
    pub stocks_changed: usize,
}

impl Command for ObserveMarket {
    type Answer = Noted;
    const NAME: &'static str = "observe_market";

    fn decide(&self, world: &mut World) -> Result<Noted, Stop> {
        let live = live_figure(world, self.figure_id)?;
        let before = live.figure;
        world.tell_figure(live.id, FigureCommand::Observe(Box::new(self.seen.clone())))?;
        let after = world.figure(live.id)?;
        let price_moved = after.market.price != before.market.price;
        let told = after.events.0.saturating_sub(before.events.0).saturating_sub(i64::from(price_moved));
        Ok(Noted {
            figure_id: live.id,
            price_moved,
            stocks_changed: usize::try_from(told).unwrap_or_default(),
        })
    }
}
