//! Where everybody's own last write stands, so that they read it back without having to say so.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{ids::UserId, stream::Position};

/// How many people are remembered. Beyond that all are forgotten: a read then merely does not wait.
const MOST: usize = 20_000;

/// The position of each person's last write through this process.
#[derive(Debug, Default)]
pub struct OwnWrites(Mutex<HashMap<UserId, Position>>);

impl OwnWrites {
    /// Remembers a write.
    pub fn note(&self, user: UserId, position: Position) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MOST && !last.contains_key(&user) {
            last.clear();
        }
        let known = last.entry(user).or_insert(position);
        *known = position.max(*known);
    }

    /// Where a person's last write stands.
    #[must_use]
    pub fn of(&self, user: UserId) -> Option<Position> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&user).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_latest_of_somebodys_writes_counts() {
        let (writes, alice) = (OwnWrites::default(), UserId(Uuid::from_u128(1)));
        assert_eq!(writes.of(alice), None);
        for position in [3, 7, 5] {
            writes.note(alice, Position(position));
        }
        assert_eq!(writes.of(alice), Some(Position(7)), "a repeated request tells the position of the first");
        assert_eq!(writes.of(UserId(Uuid::from_u128(2))), None);
    }

    #[test]
    fn no_more_people_are_remembered_than_fit() {
        let writes = OwnWrites::default();
        for number in 0..=MOST {
            writes.note(UserId(Uuid::from_u128(number as u128)), Position(1));
        }
        assert_eq!(writes.0.lock().unwrap().len(), 1);
    }
}
