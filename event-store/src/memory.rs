//! How the log stands, remembered from batch to batch.
//!
//! What is remembered is right only as long as nobody else appends. That is checked when something is
//! inserted: whoever did append has moved the head.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use domain::stream::{Position, Recorded, StreamId, Version};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many streams' versions one of the two halves holds.
const HALF: usize = 20_000;
/// How long the database's clock is reckoned on before it is asked again.
const CLOCK_KEPT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Memory {
    known: Option<Known>,
    /// Two halves: when the younger is full it becomes the older one, whose streams are forgotten unless
    /// they are asked for again.
    younger: HashMap<StreamId, Version>,
    older: HashMap<StreamId, Version>,
}

struct Known {
    head: Position,
    /// When the event at the head was recorded.
    last: Option<DateTime<Utc>>,
    /// The database's clock, and when it was read.
    clock: DateTime<Utc>,
    read: Instant,
}

impl Memory {
    /// The position of the last event.
    pub(crate) fn head(&self) -> Position {
        self.known.as_ref().map_or(Position(0), |known| known.head)
    }

    /// When the next event is recorded: by the database's clock, one for all processes, and never back.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let Some(known) = &self.known else { return Utc::now().trunc_subsecs(6) };
        let since = TimeDelta::from_std(known.read.elapsed()).unwrap_or_default();
        let now = (known.clock + since).trunc_subsecs(6);
        known.last.map_or(now, |last| last.max(now))
    }

    /// The versions of those streams that are remembered, in the order asked for; `None` when not even the head is.
    pub(crate) fn versions(&mut self, streams: &[&StreamId]) -> Option<Vec<Option<Version>>> {
        self.known.as_ref().filter(|known| known.read.elapsed() < CLOCK_KEPT)?;
        Some(streams.iter().map(|stream| self.version(stream)).collect())
    }

    fn version(&mut self, stream: &StreamId) -> Option<Version> {
        if let Some(version) = self.younger.get(stream) {
            return Some(*version);
        }
        let (stream, version) = self.older.remove_entry(stream)?;
        self.put(stream, version);
        Some(version)
    }

    fn put(&mut self, stream: StreamId, version: Version) {
        if self.younger.len() >= HALF {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(stream, version);
    }

    /// Takes in what was looked up under the lock.
    pub(crate) fn looked<'a>(
        &mut self,
        head: Position,
        last: Option<DateTime<Utc>>,
        clock: DateTime<Utc>,
        versions: impl Iterator<Item = (&'a StreamId, &'a Version)>,
    ) {
        if self.known.as_ref().is_none_or(|known| known.head != head) {
            self.forget();
        }
        self.known = Some(Known { head, last, clock, read: Instant::now() });
        for (stream, version) in versions {
            self.put(stream.clone(), *version);
        }
    }

    /// Takes in what was committed.
    pub(crate) fn wrote(&mut self, events: &[Recorded], at: DateTime<Utc>) {
        let (Some(known), Some(last)) = (&mut self.known, events.last()) else { return };
        known.head = last.position;
        known.last = Some(at);
        for event in events {
            self.put(event.stream.clone(), event.version);
        }
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.known = None;
        self.younger.clear();
        self.older.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::tests::{append, stream};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn versions_are_remembered_until_the_head_is_another() {
        let (a, b) = (stream(1), stream(2));
        let mut memory = Memory::default();
        assert_eq!(memory.versions(&[&a]), None);
        memory.looked(Position(7), None, at(0), [(&a, &Version(3))].into_iter());
        assert_eq!(memory.versions(&[&a]), Some(vec![Some(Version(3))]));
        assert_eq!(memory.versions(&[&a, &b]), Some(vec![Some(Version(3)), None]));
        memory.looked(Position(7), None, at(0), [(&b, &Version(1))].into_iter());
        assert_eq!(memory.versions(&[&a, &b]), Some(vec![Some(Version(3)), Some(Version(1))]));
        memory.looked(Position(8), None, at(0), [(&b, &Version(2))].into_iter());
        assert_eq!(memory.versions(&[&a]), Some(vec![None]), "the event at 8 may be of that stream");
    }

    #[test]
    fn what_was_written_is_remembered() {
        let a = stream(1);
        let mut memory = Memory::default();
        memory.looked(Position(7), None, at(0), [(&a, &Version(3))].into_iter());
        let mut events = append(&[(&a, 3, 2)], None).events;
        for (event, position) in events.iter_mut().zip([8, 9]) {
            event.position = Position(position);
        }
        memory.wrote(&events, at(0));
        assert_eq!((memory.head(), memory.versions(&[&a])), (Position(9), Some(vec![Some(Version(5))])));
    }

    #[test]
    fn time_never_goes_back() {
        let mut memory = Memory::default();
        memory.looked(Position(1), Some(at(1_000)), at(10), std::iter::empty());
        assert_eq!(memory.now(), at(1_000));
        memory.looked(Position(1), Some(at(1_000)), at(2_000), std::iter::empty());
        assert!(memory.now() >= at(2_000));
    }
}
