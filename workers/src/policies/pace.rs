//! How much a policy takes on at a time.

use domain::stream::Position;

/// How many events are looked at in one transaction: fewer after that took too long, more again when it is quick. And
/// which event took too long by itself.
pub(super) struct Pace {
    most: u32,
    batch: u32,
    /// How many events are looked at just now; none before they are read.
    taken: u32,
    /// The event that is reacted to just now, when there is no other.
    alone: Option<Position>,
    given_up: Option<Position>,
}

impl Pace {
    pub(super) fn new(most: u32) -> Self {
        let most = most.max(1);
        Self { most, batch: most, taken: 0, alone: None, given_up: None }
    }

    /// How many events to look at.
    pub(super) fn batch(&self) -> u32 {
        self.batch
    }

    /// Something is begun that may take too long.
    pub(super) fn begin(&mut self) {
        (self.taken, self.alone) = (0, None);
    }

    /// So many events were read.
    pub(super) fn take(&mut self, events: usize) {
        self.taken = u32::try_from(events).unwrap_or(u32::MAX);
    }

    /// Only this event is reacted to.
    pub(super) fn alone_with(&mut self, position: Position) {
        self.alone = Some(position);
    }

    /// It took too long: when it was one event's doing, that is given up.
    pub(super) fn blame(&mut self) {
        self.given_up = self.alone.take().or(self.given_up);
    }

    /// Half as many the next time.
    pub(super) fn shorten(&mut self) {
        let looked_at = if self.taken == 0 { self.batch } else { self.batch.min(self.taken) };
        self.batch = (looked_at / 2).max(1);
    }

    /// Twice as many the next time.
    pub(super) fn lengthen(&mut self) {
        self.batch = self.batch.saturating_mul(2).min(self.most);
    }

    /// Whether this event took too long by itself; it is set aside then without another try.
    pub(super) fn is_given_up(&self, position: Position) -> bool {
        self.given_up == Some(position)
    }

    /// This event is set aside, or done.
    pub(super) fn forget(&mut self, position: Position) {
        for one in [&mut self.given_up, &mut self.alone] {
            one.take_if(|one| *one == position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_what_was_looked_at_and_comes_back_to_the_most() {
        let mut pace = Pace::new(500);
        pace.begin();
        pace.take(40);
        pace.shorten();
        assert_eq!(pace.batch(), 20, "what was there, not what might have been");
        pace.begin();
        pace.shorten();
        assert_eq!(pace.batch(), 10);
        for _ in 0..9 {
            pace.shorten();
        }
        assert_eq!(pace.batch(), 1);
        for _ in 0..9 {
            pace.lengthen();
        }
        assert_eq!(pace.batch(), 500);
    }

    #[test]
    fn only_an_event_by_itself_is_given_up_and_only_once() {
        let mut pace = Pace::new(500);
        pace.alone_with(Position(7));
        pace.begin();
        pace.blame();
        assert!(!pace.is_given_up(Position(7)), "it was done before this began");
        pace.alone_with(Position(8));
        pace.blame();
        pace.begin();
        pace.blame();
        assert!(pace.is_given_up(Position(8)), "and stays so until it is set aside");
        pace.forget(Position(7));
        assert!(pace.is_given_up(Position(8)));
        pace.forget(Position(8));
        assert!(!pace.is_given_up(Position(8)));
    }
}
